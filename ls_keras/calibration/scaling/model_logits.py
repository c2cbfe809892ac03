"""The logits of a model: its output, or the input of its final softmax or sigmoid."""

from collections.abc import Iterator

import keras
import numpy as np

from ls_base.errors import InputError
from ls_keras.backend.tensors import as_array
from ls_keras.inputs.batches import Batches
from ls_keras.inputs.model_forward import Forward
from ls_keras.inputs.model_outputs import Output, of_head, symbolic
from ls_keras.inputs.numpy_examples import HostExamples, read_host_examples, to_host
from ls_keras.inputs.output_activation import (
    LOGITS,
    SIGMOID,
    SOFTMAX,
    UNKNOWN,
    model_output,
    warn_of_softmax,
)
from ls_keras.inputs.targets import IgnoreClass
from ls_keras.inputs.validation import as_flag, as_function
from ls_keras.layers.calibration_layers import LogOdds, LogProbabilities


def find_logits(
    model: keras.Model,
    *,
    from_logits: bool = False,
    output: Output = None,
    multi_label: bool | None = False,
) -> tuple[keras.KerasTensor, str | None]:
    """Returns the symbolic logits of a functional or sequential model, before any softmax.

    The layers are the model's own, except for a last layer with `activation="softmax"`: its
    weights are copied into a linear layer of the same kind, named `logits`.

    Args:
        model: A built model.
        from_logits: Whether the output are logits, if the graph of layers does not show it.
        output: Output to use, for a model with several.
        multi_label: Whether the output belongs to sigmoids; `None`: as the graph shows.

    Returns:
        Logits `(..., K)`, and the activation of the model's output: `"softmax"`, `"sigmoid"` or
        `None`.

    Raises:
        InputError: If the model has several outputs and none is selected, or if it ends in another
            activation than softmax (sigmoid with `multi_label`).

    Warns:
        UserWarning: If it ends in a softmax (sigmoid) and `from_logits` is true.
    """
    if not model.built:
        raise InputError(f"Expected a built model. Received: {model.name!r}, not built")
    tensor = symbolic(model, output)
    found = model_output(model, tensor)
    if multi_label is None:
        multi_label = found.kind == SIGMOID
    warn_of_softmax(model, from_logits, tensor, multi_label=multi_label)
    activation = SIGMOID if multi_label else SOFTMAX
    if found.kind == activation and found.logits is not None:
        return found.logits({layer.name for layer in model.layers}), activation
    if from_logits or found.kind == LOGITS:
        return tensor, None
    if found.kind not in (activation, UNKNOWN):
        raise InputError(
            f"Expected a model that ends in logits or in a {activation}, to scale the logits. "
            f"Received: {model.name!r}, whose output is made by {found.made_by}"
        )
    return to_logits(multi_label)(tensor), activation


def to_logits(multi_label: bool) -> keras.layers.Layer:
    """Returns the layer that converts probabilities to logits."""
    if multi_label:
        return LogOdds(name="log_odds")
    return LogProbabilities(name="log_probabilities")


def predicted_batches(
    model, dataset: Batches, *, from_logits: bool, multi_label: bool = False
) -> Iterator[tuple]:
    """Yields `(y, y_pred, sample_weight, mask)` for each batch, in one pass over a data set.

    Args:
        model: A `Forward`, which is compiled once for several passes, or a model or function.
        dataset: Result of `as_batches`.
        from_logits: Whether the model emits logits; warns if it visibly ends in a softmax.
        multi_label: Whether its outputs are sigmoids; warns if it visibly ends in a sigmoid.
    """
    forward = model if isinstance(model, Forward) else Forward(model)
    as_function(forward.model, "model")
    tensor = symbolic(forward.model, forward.output)
    as_flag(from_logits, "from_logits")
    warn_of_softmax(forward.model, from_logits, tensor, multi_label=multi_label)
    for x, y, sample_weight in dataset:
        y_pred, mask = forward(x)
        y, sample_weight = (of_head(v, forward.output, forward.names) for v in (y, sample_weight))
        yield y, to_host(y_pred), sample_weight, None if mask is None else to_host(mask)


def host_batches(
    model,
    dataset: Batches,
    *,
    from_logits: bool,
    ignore_class: IgnoreClass,
    multi_label: bool = False,
    mask=None,
) -> Iterator[HostExamples]:
    """Yields the examples that count, batch by batch; skips batches without any.

    `mask`, of the shape of all labels in order, replaces the mask of the model's output.
    """
    as_flag(multi_label, "multi_label")
    keep = None if mask is None else np.atleast_1d(as_array(mask, "mask"))
    start = 0
    for y, y_pred, sample_weight, mask in predicted_batches(
        model, dataset, from_logits=from_logits, multi_label=multi_label
    ):
        if keep is not None:
            mask = keep[start : start + len(y_pred)]
            start += len(y_pred)
        examples = read_host_examples(
            y,
            y_pred,
            from_logits=from_logits,
            sample_weight=sample_weight,
            mask=mask,
            ignore_class=ignore_class,
            multi_label=multi_label,
        )
        if len(examples):
            yield examples
    if keep is not None and start != len(keep):
        raise InputError(
            f"Expected a mask of {start:,} rows, as in {dataset.name}. Received: {len(keep):,} rows"
        )
