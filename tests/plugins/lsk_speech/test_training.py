"""What the core makes of the speech task: smoothing, checkpoints, and the stages after training."""

import dataclasses
import io
import json

import keras
import numpy as np
import pytest

import small_speech
from lsk_engine.data.datasets import as_dataset, training_source
from lsk_engine.experiment import run_experiment
from lsk_engine.progress import Reporter
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import StoredRun, model_sha256
from lsk_engine.scoring.calibrate import calibrate
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.scoring.project import project_runs
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.loss import build_loss
from lsk_engine.training.optimizers import build_optimizer
from lsk_speech.task import SpeechTask
from lsk_speech.units import END_ID, PAD_ID, START_ID

NOISE = {"model.dropout": 0.3, "model.weight_noise": 0.05, "model.num_time_masks": 1}


def silent():
    return Reporter(verbosity=-1, stream=io.StringIO())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("speech")


@pytest.fixture(scope="module")
def finished(folder):
    """A run with all that is random, and neighborhood smoothing."""
    task = SpeechTask()
    smoothed = {"training.alpha": 0.1, "training.smoothing": "neighborhood"}
    config = resolve_config(task, None, {**small_speech.settings(folder), **NOISE, **smoothed})
    run = RunDirectory.create(folder / "run", config.to_dict())
    run_experiment(task, config, run, silent())
    return StoredRun(run, task, config)


def smoothed_targets(loss, labels, num_classes):
    """Returns what the loss pulls towards: softmax less the gradient by the logits."""
    import tensorflow as tf

    z = tf.constant(np.random.default_rng(0).normal(size=(*labels.shape, num_classes)), "float32")
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = loss(labels, z)
    return (tf.nn.softmax(z) - tape.gradient(value, z)).numpy()


@pytest.mark.tensorflow
@pytest.mark.parametrize("smoothing", ["uniform", "unigram", "neighborhood"])
def test_start_and_padding_get_none_of_the_smoothing(folder, smoothing):
    task = SpeechTask()
    settings = {"training.alpha": 0.3, "training.smoothing": smoothing}
    config = resolve_config(task, None, {**small_speech.settings(folder / "data"), **settings})
    data = task.load_data(config)
    labels = np.array([[5, 7, END_ID, PAD_ID], [6, END_ID, PAD_ID, PAD_ID]], np.int32)
    found = smoothed_targets(build_loss(config, data, "sum"), labels, data.num_classes)
    counts = labels != PAD_ID
    np.testing.assert_allclose(found[counts][:, [PAD_ID, START_ID]], 0, atol=1e-6)
    own = np.take_along_axis(found, labels[..., None], axis=-1)[..., 0]
    if smoothing == "neighborhood":
        np.testing.assert_allclose(own[counts], 0.7, atol=1e-6)
        # At the edge, 5:2 of what is there; the end's neighbors are words only.
        np.testing.assert_allclose(found[0, 0, [7, END_ID]], [0.3 * 5 / 7, 0.3 * 2 / 7], atol=1e-6)
        np.testing.assert_allclose(found[1, 1, 6], 0.3, atol=1e-6)
    else:
        k = data.num_classes - 2
        q = np.full(k, 1 / k)
        if smoothing == "unigram":
            q = (data.class_counts[2:] + 1) / (data.class_counts[2:] + 1).sum()
        np.testing.assert_allclose(own[counts], 0.7 + 0.3 * q[labels[counts] - 2], rtol=1e-5)


@pytest.mark.slow
def test_a_checkpoint_goes_on_to_the_same_bits(folder, tmp_path):
    """Dropout, weight noise and SpecAugment included: their random states are variables."""
    task = SpeechTask()
    config = resolve_config(task, None, {**small_speech.settings(folder / "data"), **NOISE})
    data = task.load_data(config)
    source = training_source(config, data)

    def run(*stretches, restore=False):
        keras.utils.set_random_seed(config.training.seed)
        model = task.build_model(config, data)
        loss = build_loss(config, data, "sum")
        model.compile(build_optimizer(config.optimizer, 4), loss, jit_compile=False)
        if restore:
            Checkpoints(tmp_path).restore(model)
        for start, stop in stretches:
            # As the core does it: TensorFlow's graph for any lengths rounds otherwise than one for
            # the lengths of a batch, which `train_on_batch` would trace.
            model.fit(as_dataset(source, start, stop), shuffle=False, verbose=0)
            Checkpoints(tmp_path).save(model, stop)
        variables = (*model.variables, *model.optimizer.variables)
        return [keras.ops.convert_to_numpy(v) for v in variables]

    whole = run((0, 2), (2, 4))
    (tmp_path / "step-00000004.npz").unlink()
    resumed = run((2, 4), restore=True)
    for first, second in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.slow
def test_a_run_leaves_scores_and_a_picture_of_attention(finished):
    metrics = json.loads(finished.directory.metrics_file.read_text())
    for split in ("validation", "test"):
        assert {"wer", "cer", "nll", "ece"} <= set(metrics[split])
        assert (finished.directory.evaluation / f"attention-{split}.png").is_file()


@pytest.mark.slow
def test_a_run_is_calibrated(finished):
    directory, task, config = finished
    found = calibrate(task, config, directory, silent())
    assert found["validation"]["after"]["nll"] <= found["validation"]["before"]["nll"]
    scored = evaluate(task, config, directory, silent(), calibrated=True)
    assert np.isfinite(scored["test"]["wer"])


@pytest.mark.slow
def test_a_run_is_projected(finished, tmp_path):
    found = project_runs([finished], silent(), tmp_path / "p.png", classes=("ba", "be", "da"))
    assert found["runs"][0]["names"] == ["ba", "be", "da"]
    assert (tmp_path / "p.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("cached", [False, True], ids=["beside", "cached"])
def test_a_run_teaches_a_student(finished, tmp_path, cached):
    """Beside its student it goes on from the student's masked view; cached, nothing is masked."""
    directory, task, config = finished
    teaching = DistillationConfig(
        teacher=str(directory.path),
        teacher_sha256=model_sha256(directory),
        cache=str(tmp_path / "cache") if cached else None,
    )
    model = dataclasses.replace(config.model, num_time_masks=0 if cached else 2)
    config = dataclasses.replace(config, model=model, distillation=teaching)
    run = RunDirectory.create(tmp_path / "student", config.to_dict())
    assert np.isfinite(run_experiment(task, config, run, silent())["test"]["nll"])
