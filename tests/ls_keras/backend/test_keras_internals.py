"""Private names of Keras and the frameworks: they exist, and mean what the library expects.

A failure here names what a new version has changed; only `ls_keras/backend/` has to change then.
"""

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from masked import masked

KERAS = f"Keras {keras.__version__}"
HOME = "ls_keras/backend"


def source() -> str:
    """Returns the text of the modules, without an import that a moved name would fail."""
    (folder,) = importlib.util.find_spec("ls_keras").submodule_search_locations
    names = ("keras_internals.py", "tensors.py")
    return "\n".join((Path(folder) / "backend" / name).read_text() for name in names)


def imported_names(text: str) -> list[tuple[str, str]]:
    """Returns `(module, name)` of what a source imports from `keras.src`."""
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras.src")
        for alias in node.names
    ]


def moved(names: list[tuple[str, str]]) -> Iterator[str]:
    """Yields a line for each name that this Keras doesn't have."""
    for module, name in names:
        try:
            found = hasattr(importlib.import_module(module), name)
        except ModuleNotFoundError:
            found = False
        if not found:
            yield f"{KERAS} has no {module}.{name}, which {HOME} imports"


@pytest.fixture
def internals():
    """The module; imported late, so that what has moved fails one test with one line."""
    return importlib.import_module("ls_keras.backend.keras_internals")


@pytest.fixture
def tensors():
    """The other module that reads private names."""
    return importlib.import_module("ls_keras.backend.tensors")


def changed(what: str) -> str:
    return f"{KERAS} has changed {what}, which {HOME} reads"


def test_keras_still_has_every_name_that_is_imported():
    names = imported_names(source())
    assert ("keras.src.losses.loss", "reduce_weighted_values") in names
    assert list(moved(names)) == []


def test_a_name_that_has_moved_is_named():
    text = "from keras.src.losses.loss import gone\nfrom keras.src.gone import name"
    lines = list(moved(imported_names(text)))
    assert [line.partition(", ")[0] for line in lines] == [
        f"{KERAS} has no keras.src.losses.loss.gone",
        f"{KERAS} has no keras.src.gone.name",
    ]


def test_the_call_that_made_a_tensor(internals):
    shared = keras.layers.Dense(2)
    a, b = keras.Input((3,)), keras.Input((3,))
    first, second = shared(a), shared(b)
    joined = keras.layers.Add()([first, second])
    what = changed("KerasTensor._keras_history or Operation._inbound_nodes")
    for tensor, origin in ((first, a), (second, b)):
        call = internals.producing_call(tensor)
        assert call.layer is shared, what
        assert len(call.inputs) == 1, what
        assert call.inputs[0] is origin, what
    assert [id(t) for t in internals.producing_call(joined).inputs] == [id(first), id(second)], what


def test_masks_are_where_layers_put_them(tensors):
    what = changed("where the mask of a tensor is")
    output = keras.layers.Embedding(3, 2, mask_zero=True)(np.array([[1, 0, 2]]))
    mask = tensors.mask_of(output)
    assert mask is not None, what
    assert ops.convert_to_numpy(mask).tolist() == [[True, False, True]], what
    assert tensors.mask_of(ops.zeros((1, 3))) is None, what


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_losses_are_reduced_as_a_loss_of_keras_reduces_its_own(tensors, reduction):
    y = np.array([[1.0, 4.0], [3.0, 0.0]], "float32")
    weights = np.array([[1.0, 2.0], [0.5, 1.0]], "float32")
    mask = np.array([[True, True], [False, True]])
    theirs = keras.losses.MeanSquaredError(reduction=reduction)(
        np.zeros((2, 2, 1)), masked(y[..., None], mask), weights
    )
    losses, sample_weight = ops.square(ops.convert_to_tensor(y)), ops.convert_to_tensor(weights)
    ours = tensors.reduce_losses(
        losses, sample_weight=sample_weight, mask=mask, reduction=reduction
    )
    assert float(ours) == pytest.approx(float(theirs)), changed("reduce_weighted_values")


def test_finding_out_shapes_is_told_from_computing(tensors):
    seen = []

    class Layer(keras.layers.Layer):
        def call(self, inputs):
            seen.append(tensors.in_shape_inference())
            return inputs

    layer, what = Layer(), changed("in_symbolic_scope")
    layer(keras.Input((2,)))
    assert seen, what  # more than once on PyTorch, which tries several sizes
    assert all(seen), what
    seen.clear()
    layer(ops.zeros((1, 2)))
    assert seen == [False], what
    with keras.SymbolicScope():
        assert tensors.in_shape_inference(), what


@pytest.mark.skipif(keras.config.backend() != "torch", reason="of PyTorch")
def test_what_torch_func_works_on_is_told(tensors):
    import torch

    outside, seen = torch.ones(2), []

    def total(x):
        seen.extend(tensors.is_transformed(one) for one in (x, outside, 1.0))
        return x.sum()

    torch.func.grad(total)(outside)
    assert seen == [True, True, False], "PyTorch has changed what it wraps"
    assert not tensors.is_transformed(outside)


def test_layers_are_found_however_deep(internals):
    class Block(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="block")
            self.inner = keras.layers.Dense(2, name="inner")

        def call(self, inputs):
            return self.inner(inputs)

    part = keras.Sequential([keras.Input((2,)), Block()], name="part")
    model = keras.Sequential([keras.Input((2,)), part], name="whole")
    names = {layer.name for layer in internals.layers_within(model)}
    assert {"whole", "part", "block", "inner"} <= names, changed("Layer._flatten_layers")


def test_losses_of_a_traced_step_are_found(internals):
    found = []

    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_regularizer="l2")

        def call(self, inputs):
            return self.dense(inputs)

        @property
        def losses(self):
            found.append(len(internals.collected_losses(self)))
            return super().losses

    model = Model()
    assert internals.collected_losses(model) == [], changed("Layer._losses_override")
    model.compile("sgd", "mse")
    model.fit(np.ones((2, 3)), np.ones((2, 1)), verbose=0)
    traced = keras.config.backend() == "jax"  # elsewhere layers keep their losses
    assert max(found) == traced, changed("Layer._losses_override")


def test_an_optimizers_variables_are_those_it_was_built_for(internals):
    variables = [keras.Variable(1.0), keras.Variable([2.0, 3.0])]
    optimizer = keras.optimizers.Adam()
    optimizer.build(variables)
    found = internals.variables_of(optimizer)
    what = changed("Optimizer._trainable_variables")
    assert [id(v) for v in found] == [id(v) for v in variables], what


def test_an_optimizer_s_batches_are_counted_those_gathered_too(internals):
    variable = keras.Variable([2.0, 3.0])
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    for _ in range(3):
        optimizer.apply([ops.ones(2)], [variable])
    what = changed("Optimizer._iterations")
    assert int(ops.convert_to_numpy(internals.batches_of(optimizer))) == 3, what
    assert int(ops.convert_to_numpy(optimizer.iterations)) == 1, what


def test_weights_are_reduced_without_being_changed(tensors):
    losses = ops.ones((2, 3))
    given = ops.convert_to_tensor(np.array([1.0, 3.0], "float32"))
    mask = ops.convert_to_tensor([[True, True, False], [True, False, False]])
    total = tensors.reduce_losses(losses, sample_weight=given, mask=mask, reduction="sum")
    assert float(total) == 5
    assert ops.convert_to_numpy(given).tolist() == [1, 3]


def test_layers_before_a_tensor_are_found_nearest_first(internals):
    x = keras.Input((3,))
    part = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, name="inner")], name="part")
    left, right = part(x), keras.layers.Dense(3, name="right")(x)
    joined = keras.layers.Add(name="joined")([left, ops.exp(right)])
    keras.layers.Dense(1, name="after")(joined)
    names = [layer.name for layer in internals.layers_before(joined)]
    assert names[0] == "joined"
    assert {"part", "inner", "right"} < set(names)
    assert "after" not in names


def test_a_replaced_part_is_forgotten(internals):
    class Holder(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.part = keras.layers.Dense(1, name="old")

        def build(self, input_shape):
            self.part.build(input_shape)

    holder = Holder()
    holder.build((None, 1))
    internals.replace_part(holder, "part", keras.layers.Dense(1, name="new"))
    with pytest.raises(ValueError, match="add new elements of state"):
        holder.other = keras.layers.Dense(1)
    found = [layer.name for layer in internals.layers_within(holder)]
    assert found == [holder.name, "new"], changed("Layer._tracker")


@pytest.mark.parametrize("validated", [False, True])
def test_in_training_a_model_has_what_training_has_reached(internals, validated):
    """Of the model that is validated, it is what its own `evaluate` holds."""
    seen = []

    class Look(keras.callbacks.Callback):
        def look(self):
            internals.sync_state(self.model)
            seen.append([ops.convert_to_numpy(v) for v in self.model.trainable_variables])

        def on_train_batch_end(self, batch, logs=None):
            if not validated:
                self.look()

        def on_test_batch_end(self, batch, logs=None):
            if validated:
                self.look()

    x = np.ones((8, 2))
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(
        x,
        x[:, :1],
        batch_size=4,
        epochs=2,
        verbose=0,
        callbacks=[Look()],
        validation_data=(x, x[:, :1]),
    )
    assert len(seen) == 4, changed("when callbacks are called")
    for weights in seen:
        assert all(np.isfinite(w).all() for w in weights), changed("where JAX's state is")
    (first, _), (last, _) = seen[0], seen[-1]
    assert np.abs(first - last).max() > 0, changed("where JAX's state is")
    for found, variable in zip(seen[-1], model.trainable_variables, strict=True):
        np.testing.assert_array_equal(found, ops.convert_to_numpy(variable))


def test_seed_generators_are_those_of_the_layer_itself(internals):
    dropout = keras.layers.Dropout(0.5)
    model = keras.Sequential([keras.Input((3,)), dropout])
    what = changed("where a layer keeps its seed generators")
    assert internals.seed_generators(dropout) == [dropout.seed_generator], what
    assert internals.seed_generators(model) == [], what


def test_a_batch_builds_what_is_not_built(internals):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    model.compile("sgd", "mse", metrics=["mae"])
    assert len(model.metrics_variables) == 2, changed("when metrics are built")
    batch = (np.ones((4, 3), "float32"), np.ones((4, 2), "float32"))
    internals.build_from_batch(model, batch)
    assert len(model.metrics_variables) == 4, changed("Trainer._symbolic_build")


@pytest.mark.parametrize("made", [0, -1])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_activation_and_logits_of_an_output_are_found(tensors, activation, made, traced):
    if made == 0 and activation == "sigmoid":
        return
    options = {"axis": made} if activation == "softmax" else {}
    z = np.float32([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]])

    def find(z):
        p = getattr(keras.activations, activation)(z, **options)
        kind, logits = tensors.find_output_activation(p)
        assert kind in (None, activation), changed("Tensor._keras_logits")
        return ops.zeros_like(z) if logits is None else logits

    # Whether JAX keeps the logits depends on how the tensor was made.
    expected = {made == -1, False} if keras.config.backend() == "jax" else {made == -1}
    for found in (find(ops.convert_to_tensor(z)), traced(find, z)):
        found = ops.convert_to_numpy(found)
        assert any(np.array_equal(found, z * kept) for kept in expected)
    assert tensors.find_output_activation(ops.convert_to_tensor(z)) == (None, None)
