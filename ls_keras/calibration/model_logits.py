"""The logits of a model: of its last layer, or of what comes before its softmax."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from ls_base.errors import InputError
from ls_keras.arguments import as_flag, as_function, shown
from ls_keras.calibration.host_examples import HostExamples, read_host_examples, to_host
from ls_keras.keras_internals import mask_of
from ls_keras.layers.log_probabilities import LogProbabilities
from ls_keras.model_output import LOGITS, OTHER, model_output, warn_of_softmax
from ls_keras.targets import IgnoreClass


def logits_tensor(model: keras.Model, *, from_logits: bool = False):
    """Returns the symbolic logits of a functional or sequential model, before any softmax.

    The layers are the model's own, except for a last layer with `activation="softmax"`: its
    weights are copied into a linear one of the same kind, named `logits`.

    Args:
        model: A built model of one output.
        from_logits: What its output is, where the graph of layers doesn't tell.

    Raises:
        InputError: If the model has several outputs, or ends in another activation than softmax.

    Warns:
        UserWarning: If it ends in a softmax, and `from_logits` is true.
    """
    if not model.built or len(model.outputs) != 1:
        raise InputError(
            "Expected a built model with one output. "
            f"Received: {model.name!r}, built={model.built}, "
            f"{len(model.outputs) if model.built else 0} outputs"
        )
    warn_of_softmax(model, from_logits)
    found = model_output(model)
    if found.logits is not None:
        return found.logits({layer.name for layer in model.layers})
    if from_logits or found.kind == LOGITS:
        return model.outputs[0]
    if found.kind == OTHER:
        raise InputError(
            "Expected a model that ends in logits or in a softmax, to scale the logits. "
            f"Received: {model.name!r}, whose output is made by {found.made_by}"
        )
    return LogProbabilities(name="log_probabilities")(model.outputs[0])


def batches(dataset) -> Iterator[tuple[Any, Any, Any]]:
    """Yields `(x, y, sample_weight)` of one pass over a data set that Keras's `evaluate` takes.

    Raises:
        InputError: If the data set is endless or a batch has no targets.
    """
    if not isinstance(dataset, keras.utils.PyDataset) and (
        not hasattr(dataset, "__iter__") or isinstance(dataset, str | bytes | Mapping)
    ):
        raise InputError(
            f"Expected a data set of batches (x, y). Received: dataset={shown(dataset)}"
        )
    cardinality = getattr(dataset, "cardinality", None)
    if cardinality is not None and int(to_host(cardinality())) == -1:
        raise InputError("Expected a finite data set. Received: one that repeats for ever")
    source: Iterable = dataset
    if isinstance(dataset, keras.utils.PyDataset):
        # Its own iteration need not end.
        if dataset.num_batches is None:
            raise InputError("Expected a finite data set. Received: a PyDataset without a length")
        source = (dataset[i] for i in range(dataset.num_batches))
    for batch in source:
        if not isinstance(batch, tuple | list) or not 2 <= len(batch) <= 3 or batch[1] is None:
            raise InputError(
                "Expected batches (x, y) or (x, y, sample_weight). "
                f"Received: {type(batch).__name__}"
                + (f" of length {len(batch)}" if isinstance(batch, tuple | list) else "")
            )
        x, y, *rest = batch
        yield keras.tree.map_structure(_as_array, x), _as_array(y), _as_array(*(rest or [None]))


def check_repeatable(dataset) -> None:
    """Raises an `InputError` for an iterator, which a second pass would find empty."""
    if isinstance(dataset, Iterator):
        raise InputError(
            "Expected a data set that can be read several times (tf.data, PyDataset, a list of "
            "batches), or `reservoir=` for one pass. Received: an iterator"
        )


def predicted_batches(model, dataset, *, from_logits: bool) -> Iterator[tuple]:
    """Yields `(y, y_pred, sample_weight, mask)` of one pass, a batch of predictions at a time.

    Args:
        model: A `keras.Model`, or a function of x.
        dataset: What `batches` takes.
        from_logits: Whether the model is said to emit logits; a softmax that can be seen at its
            end is warned of.
    """
    as_function(model, "model")
    warn_of_softmax(model, as_flag(from_logits, "from_logits"))
    masks = None  # not known before the first batch
    for x, y, sample_weight in batches(dataset):
        mask = None
        if not isinstance(model, keras.Model):
            output = model(x)
        elif masks is False:
            output = _predict(model, x)
        else:
            with _no_gradients():
                output = model(x, training=False)
            mask = mask_of(output)
            masks = mask is not None
        yield y, to_host(output), sample_weight, None if mask is None else to_host(mask)


def host_batches(
    model, dataset, *, from_logits: bool, ignore_class: IgnoreClass
) -> Iterator[HostExamples]:
    """Yields the examples that count, batch by batch; batches without any are left out."""
    for y, y_pred, sample_weight, mask in predicted_batches(
        model, dataset, from_logits=from_logits
    ):
        examples = read_host_examples(
            y,
            y_pred,
            from_logits=from_logits,
            sample_weight=sample_weight,
            mask=mask,
            ignore_class=ignore_class,
        )
        if len(examples):
            yield examples


def _predict(model: keras.Model, x):
    output = model.predict_on_batch(x)  # compiled, but without the mask of the output
    # Under a tf.distribute strategy each replica predicts the whole batch, and what they give
    # comes one after another.
    strategy = getattr(model, "distribute_strategy", None)
    return output[: len(output) // getattr(strategy, "num_replicas_in_sync", 1)]


def _as_array(value):
    """Makes tensors of any framework arrays, so that a tf.data pipeline feeds a JAX model."""
    return np.asarray(value) if hasattr(value, "__array__") else value


def _no_gradients():
    if keras.config.backend() == "torch":
        import torch

        return torch.no_grad()
    return contextlib.nullcontext()
