import json
import pickle
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops
from scipy.special import log_softmax, softmax

import ls_keras
from ls_base.errors import InputError
from ls_keras import Distiller

N, FEATURES, K = 8, 4, 3


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(N, FEATURES)).astype("float32"), np.arange(N) % K


def linear(name="logits", **options):
    return keras.Sequential([keras.Input((FEATURES,)), layers.Dense(K, name=name, **options)])


def noisy():
    """A teacher whose output depends on the training mode."""
    x = keras.Input((FEATURES,))
    h = layers.BatchNormalization()(layers.Dropout(0.9)(x))
    return keras.Model(x, layers.Dense(K, activity_regularizer="l2")(h))


def inferred(teacher, x):
    """Returns the logits of `noisy()` in inference mode, with moving averages of 0 and 1."""
    kernel, bias = teacher.layers[-1].get_weights()
    return x / np.sqrt(1 + 1e-3) @ kernel + bias


def host(tensor):
    return ops.convert_to_numpy(tensor)


def test_one_step_follows_the_gradient():
    """SGD on a linear student equals NumPy, and the teacher does not change."""
    x, y = data()
    student, teacher = linear(), noisy()
    weights, bias = student.get_weights()
    before = teacher.get_weights()
    distiller = Distiller(student, teacher, beta=0.75, teacher_temperature=2.0, alpha=0.1)
    distiller.compile(keras.optimizers.SGD(0.5), metrics=[ls_keras.Accuracy(from_logits=True)])
    history = distiller.fit(x, y, batch_size=N, verbose=0).history

    z, z_teacher = x @ weights + bias, inferred(teacher, x)
    p, p_teacher = softmax(z, -1), softmax(z_teacher / 2, -1)
    targets = 0.25 * (0.9 * np.eye(K)[y] + 0.1 / K) + 0.75 * p_teacher
    np.testing.assert_allclose(history["loss"], -(targets * np.log(p)).sum(-1).mean(), rtol=1e-5)
    np.testing.assert_allclose(history["accuracy"], (z.argmax(-1) == y).mean(), rtol=1e-6)
    stepped = weights - 0.5 * x.T @ (p - targets) / N
    np.testing.assert_allclose(student.get_weights()[0], stepped, atol=1e-6)
    for old, new in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    ids = {id(v) for v in distiller.trainable_variables}
    assert ids == {id(v) for v in student.trainable_variables}
    assert len(distiller.optimizer.variables) == 2  # iterations and learning rate
    evaluated = distiller.evaluate(x, y, batch_size=N, verbose=0)
    log_p = log_softmax(x @ student.get_weights()[0] + student.get_weights()[1], -1)
    assert evaluated[0] == pytest.approx(-(targets * log_p).sum(-1).mean(), rel=1e-5)


def test_a_label_loss_replaces_smoothed_cross_entropy():
    x, y = data()
    student, teacher = linear(), linear()
    z, z_teacher = (host(model(x)) for model in (student, teacher))
    distiller = Distiller(
        student, teacher, beta=0.75, label_loss=ls_keras.FocalCE(2.0, from_logits=True)
    )
    distiller.compile("sgd")
    p_y = softmax(z, -1)[np.arange(N), y]
    expected = 0.25 * -((1 - p_y) ** 2 * np.log(p_y))
    expected += 0.75 * -(softmax(z_teacher, -1) * log_softmax(z, -1)).sum(-1)
    assert distiller.evaluate(x, y, verbose=0) == pytest.approx(expected.mean(), rel=1e-5)
    again = Distiller.from_config(distiller.get_config())
    assert again.objective.label_loss.gamma == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_loss": ls_keras.FocalCE()}, "with from_logits=True"),
        ({"label_loss": "focal_ce"}, "to be a loss of ls_keras"),
        ({"label_loss": ls_keras.FocalCE(from_logits=True), "ignore_class": 0}, "ignore_class=0"),
        ({"label_loss": ls_keras.FocalCE(from_logits=True), "alpha": 0.1}, "not both"),
    ],
)
def test_unsupported_label_losses_raise_input_errors(options, message):
    with pytest.raises(InputError, match=message):
        Distiller(linear(), linear(), beta=0.5, **options)


def tagger():
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    embedded = layers.Embedding(6, FEATURES, mask_zero=True)(tokens)
    return keras.Model({"tokens": tokens}, layers.Dense(K, name="logits")(embedded))


def test_masks_weights_and_ignored_labels_as_in_smoothed_ce():
    """With β = 0, training with dictionaries and `(batch, time, K)` is the same."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 6, (N, 5)).astype("int32")
    labels = np.where(rng.random((N, 5)) < 0.2, -1, rng.integers(0, K, (N, 5)))
    weights = rng.random((N, 5)).astype("float32")
    plain, student = tagger(), tagger()
    student.set_weights(plain.get_weights())
    plain.compile("sgd", loss=ls_keras.SmoothedCE(0.1, from_logits=True, ignore_class=-1))
    distiller = Distiller(student, tagger(), beta=0.0, alpha=0.1, ignore_class=-1)
    distiller.compile("sgd")
    losses = [
        model.fit({"tokens": tokens}, labels, batch_size=4, epochs=2, sample_weight=weights,
                  shuffle=False, verbose=0).history["loss"]
        for model in (plain, distiller)
    ]  # fmt: skip
    np.testing.assert_allclose(*losses, rtol=1e-5)
    for a, b in zip(plain.get_weights(), student.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_word_level_loss_is_averaged_over_valid_positions():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 6, (N, 5)).astype("int32")
    labels = np.where(rng.random((N, 5)) < 0.2, -1, rng.integers(0, K, (N, 5)))
    student, teacher = tagger(), tagger()
    distiller = Distiller(student, teacher, ignore_class=-1, reduction="mean_with_sample_weight")
    distiller.compile("sgd")
    found = distiller.evaluate({"tokens": tokens}, labels, batch_size=N, verbose=0)
    z, z_teacher = (
        embedding[tokens] @ kernel + bias
        for embedding, kernel, bias in (student.get_weights(), teacher.get_weights())
    )
    losses = -(softmax(z_teacher, -1) * log_softmax(z, -1)).sum(-1)
    assert found == pytest.approx(losses[(labels != -1) & (tokens != 0)].mean(), rel=1e-5)


def test_logits_as_inputs_equal_the_teacher():
    rng = np.random.default_rng(0)
    tokens, labels = rng.integers(0, 6, (N, 5)).astype("int32"), rng.integers(0, K, (N, 5))
    teacher, students = tagger(), [tagger() for _ in range(3)]
    embedding, kernel, bias = teacher.get_weights()
    logits = embedding[tokens] @ kernel + bias
    inputs = {"tokens": tokens}
    losses = []
    for student, given, x in zip(
        students,
        (teacher, None, None),
        (inputs, (inputs, logits), {**inputs, "teacher_logits": logits}),
        strict=True,
    ):
        student.set_weights(students[0].get_weights())
        distiller = Distiller(student, given, teacher_temperature=2.0)
        distiller.compile(keras.optimizers.SGD(0.0))
        losses += distiller.fit(x, labels, batch_size=N, verbose=0).history["loss"]
    losses.append(distiller.evaluate(x, labels, batch_size=N, verbose=0))
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


class RandomNoise(layers.Layer):
    """Adds different noise in each call in training."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, inputs, training=False):
        if not training:
            return inputs
        return inputs + keras.random.normal(ops.shape(inputs), seed=self.seeds)


def test_teacher_view_shares_the_augmentation():
    """With equal weights and the same view, the logits are equal."""
    x, y = data()
    inputs = keras.Input((FEATURES,), name="features")
    logits = layers.Dense(K, name="logits")(RandomNoise(name="noise")(inputs))
    student = keras.Model({"features": inputs}, logits)
    teacher = keras.Model({"features": inputs}, layers.Dense(K)(inputs))
    student.set_weights([*teacher.get_weights(), *student.get_weights()[2:]])
    losses = []
    for view in ("noise", None):
        distiller = Distiller(student, teacher, loss="squared-logits", teacher_view=view)
        distiller.compile(keras.optimizers.SGD(0.0))
        losses += distiller.fit({"features": x}, y, verbose=0).history["loss"]
        assert distiller.evaluate({"features": x}, y, verbose=0) == pytest.approx(0, abs=1e-10)
    assert losses[0] == pytest.approx(0, abs=1e-10)
    assert losses[1] > 0.1


def two_inputs(kind, arranged=lambda first, second: {"first": first, "second": second}):
    """Noise on one of two inputs, then a layer on their sum."""
    first, second = (keras.Input((FEATURES,), name=name) for name in ("first", "second"))
    noisy = kind(name="noise")(layers.Activation("tanh")(first))
    logits = layers.Dense(K, name="logits")(noisy + second)
    return keras.Model(arranged(first, second), logits)


@pytest.mark.parametrize(
    ("of_student", "of_teacher"),
    [
        (lambda a, b: {"first": a, "second": b}, lambda a, b: {"first": a, "second": b}),
        (lambda a, b: [b, a], lambda a, b: [a, b]),
        (lambda a, b: [a, b], lambda a, b: [b, a]),
    ],
    ids=["dicts", "student-reversed", "teacher-reversed"],
)
def test_teacher_view_with_several_inputs(of_student, of_teacher):
    x, y = data()
    student, teacher = two_inputs(RandomNoise, of_student), two_inputs(layers.Identity, of_teacher)
    student.set_weights([*teacher.get_weights(), *student.get_weights()[2:]])
    losses = []
    for view in ("noise", None):
        distiller = Distiller(student, teacher, loss="squared-logits", teacher_view=view)
        distiller.compile(keras.optimizers.SGD(0.0))
        losses += distiller.fit({"first": x, "second": x[::-1]}, y, verbose=0).history["loss"]
    assert losses[0] == pytest.approx(0, abs=1e-10)
    assert losses[1] > 0.1


def test_additional_losses_of_the_student_count():
    x, y = data()
    student = linear(kernel_regularizer=keras.regularizers.L2(0.5))
    distiller = Distiller(student, noisy())
    distiller.compile("sgd")
    kernel, bias = student.get_weights()
    p_teacher = softmax(inferred(distiller.teacher, x), -1)
    plain = -(p_teacher * log_softmax(x @ kernel + bias, -1)).sum(-1).mean()
    expected = plain + 0.5 * (kernel**2).sum()
    assert distiller.evaluate(x, y, batch_size=N, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_save_and_export_write_the_student(tmp_path):
    x, _ = data()
    student = linear()
    distiller = Distiller(student, noisy())
    distiller.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert not isinstance(loaded, Distiller)
    np.testing.assert_array_equal(loaded.get_weights()[0], student.get_weights()[0])
    kernel, bias = student.get_weights()
    np.testing.assert_allclose(host(distiller(x)), x @ kernel + bias, atol=1e-6)


@pytest.mark.parametrize("with_teacher", [True, False])
def test_configuration_round_trips(with_teacher):
    prior = ls_keras.Prior([0.5, 0.25, 0.25])
    distiller = Distiller(
        linear(), linear() if with_teacher else None, beta=0.5, teacher_temperature=3.0,
        student_temperature=2.0, alpha=0.2, smoothing=prior, scale_by_temperature=True,
        ignore_class=(0, 7), teacher_view="logits" if with_teacher else None, reduction="sum",
    )  # fmt: skip
    config = keras.saving.serialize_keras_object(distiller)
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, Distiller)
    assert keras.saving.serialize_keras_object(again) == config
    assert again.objective.smoothing == prior
    assert (again.teacher is not None) == with_teacher


def test_stored_logits_keep_their_precision_under_mixed_precision():
    x, y = data()
    logits = np.full((N, K), 100.0, "float32") + np.arange(K) / 16  # not exact in bfloat16
    found = []
    for dtype in ("float32", "mixed_bfloat16"):
        student = linear(kernel_initializer="zeros")
        distiller = Distiller(student, loss="squared-logits", dtype=dtype)
        distiller.compile("sgd")
        found.append(distiller.evaluate((x, logits), y, batch_size=N, verbose=0))
    assert found[0] == found[1] == pytest.approx(0.5 * (logits[0] ** 2).sum(), rel=1e-6)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_two_replicas_equal_one_device():
    script = Path(__file__).parents[2] / "support" / "distill_on_replicas.py"
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for one, two in zip(found["single"], found["mirrored"], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)
    first, last = found["mirrored"][-1]
    assert last < first


def augmenting():
    return keras.Sequential([keras.Input((FEATURES,)), RandomNoise(), layers.Dense(K)])


def softmax_output():
    return keras.Sequential([keras.Input((FEATURES,)), layers.Dense(K, activation="softmax")])


def nested_softmax():
    x = keras.Input((FEATURES,))
    return keras.Model(x, softmax_output()(x))


def unseen_softmax():
    x = keras.Input((FEATURES,))
    return keras.Model(x, Unseen()(layers.Dense(K)(x)))


class Unseen(layers.Layer):
    def call(self, inputs):
        return ops.softmax(inputs)


def two_outputs():
    x = keras.Input((FEATURES,))
    return keras.Model(x, [layers.Dense(K)(x), layers.Dense(K)(x)])


def other_classes():
    return keras.Sequential([keras.Input((FEATURES,)), layers.Dense(K + 1)])


@pytest.mark.parametrize(
    ("student", "teacher", "options", "message"),
    [
        (softmax_output, linear, {}, "student with one output, logits: no softmax"),
        (linear, softmax_output, {}, "teacher with one output.*activation 'softmax'"),
        (nested_softmax, linear, {}, "student with one output.*activation 'softmax'"),
        (linear, unseen_softmax, {}, "teacher whose layers show.*from_logits=True.*layer 'unseen"),
        (linear, linear, {"from_logits": 1}, "from_logits to be True or False"),
        (linear, two_outputs, {}, "teacher with one output.*2 outputs"),
        (linear, other_classes, {}, "same classes. Received: 3 of the student, 4 of the teacher"),
        (linear, lambda: keras.Sequential([layers.Dense(K)]), {}, "Expected a built teacher"),
        (augmenting, lambda: None, {}, "without random augmentation.*'random_noise"),
        (linear, linear, {"teacher_view": "noise"}, "teacher_view to be a layer"),
        (linear, linear, {"teacher_view": ""}, "teacher_view to be a layer"),
        (linear, lambda: None, {"teacher_view": "logits"}, "and a teacher"),
        (
            lambda: two_inputs(RandomNoise),
            linear,
            {"teacher_view": "noise"},
            "functional teacher with the layer .* Received: 'noise'",
        ),
        (linear, linear, {"beta": 2}, "beta to be a finite number"),
        (linear, linear, {"loss": "kl"}, "one of cross-entropy"),
    ],
)
def test_wrong_models_and_options_raise_input_errors(student, teacher, options, message):
    with pytest.raises(InputError, match=message):
        Distiller(student(), teacher(), **options)


def test_models_without_a_graph_need_from_logits():
    x, _ = data()
    student = linear()
    distiller = Distiller(student, unseen_softmax(), from_logits=True)
    np.testing.assert_array_equal(distiller.predict(x, verbose=0), student.predict(x, verbose=0))
    assert distiller.get_config()["from_logits"] is True


def test_shared_weights_raise_an_input_error():
    model = linear()
    with pytest.raises(InputError, match="shares no weights with its student"):
        Distiller(model, model)


def test_a_compiled_loss_and_missing_logits_raise_input_errors():
    x, _ = data()
    with pytest.raises(InputError, match="compile without a loss.*Received: loss='mse'"):
        Distiller(linear(), linear()).compile("sgd", loss="mse")
    with pytest.raises(InputError, match=r"x = \(inputs, teacher logits\).*Received: "):
        Distiller(linear())(x)


@pytest.mark.parametrize("fits", [True, False])
def test_squared_logits_need_all_logits(fits):
    x, y = data()
    top = {
        "x": x,
        "teacher_logits": np.full((N, 1), -0.1, "float32"),
        "teacher_classes": np.zeros((N, 1), "int32"),
        "teacher_rest": np.full(N, -3.0, "float32"),
    }
    distiller = Distiller(linear(), loss="squared-logits")
    distiller.compile("sgd")
    learn = distiller.train_on_batch if fits else distiller.test_on_batch
    with pytest.raises(InputError, match="all logits of the teacher .*Received: log-probabilities"):
        learn(top, y)


@pytest.mark.parametrize("shape", [(N,), (N, 1), (N, 5)])
def test_weights_of_leading_axes_are_not_changed(shape):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 6, (N, 5)).astype("int32")
    labels = np.where(rng.random((N, 5)) < 0.2, -1, rng.integers(0, K, (N, 5)))
    weights = rng.random(shape).astype("float32")
    plain, student = tagger(), tagger()
    student.set_weights(plain.get_weights())
    plain.compile("sgd", loss=ls_keras.SmoothedCE(0.1, from_logits=True, ignore_class=-1))
    distiller = Distiller(student, tagger(), beta=0.0, alpha=0.1, ignore_class=-1)
    distiller.compile("sgd")
    losses = [
        model.fit({"tokens": tokens}, labels, batch_size=4, sample_weight=weights,
                  shuffle=False, verbose=0).history["loss"]
        for model in (plain, distiller)
    ]  # fmt: skip
    np.testing.assert_allclose(*losses, rtol=1e-5)
    z = student({"tokens": ops.convert_to_tensor(tokens)})
    given = ops.convert_to_tensor(weights)
    distiller.compute_loss({"tokens": tokens}, labels, z, given)
    np.testing.assert_array_equal(host(given), weights)


def test_a_compiled_distiller_is_restored_compiled(tmp_path):
    x, y = data()
    distiller = Distiller(linear(), noisy(), beta=0.5)
    distiller.compile(keras.optimizers.Adam(0.1), metrics=[ls_keras.Accuracy(from_logits=True)])
    distiller.fit(x, y, batch_size=N, verbose=0)
    keras.saving.save_model(distiller, tmp_path / "distiller.keras")
    copies = (
        keras.saving.load_model(tmp_path / "distiller.keras"),
        pickle.loads(pickle.dumps(distiller)),
    )
    expected = distiller.fit(x, y, batch_size=N, epochs=2, verbose=0).history
    for copy in copies:
        assert copy.compiled
        assert int(copy.optimizer.iterations) == 1
        found = copy.fit(x, y, batch_size=N, epochs=2, verbose=0).history
        np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-5)
        np.testing.assert_allclose(found["accuracy"], expected["accuracy"])
