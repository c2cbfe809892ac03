"""The logits of a model: of its last layer, or of what comes before its softmax."""

from collections.abc import Iterator

import keras

from ls_base.errors import InputError
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


def logits_tensor(
    model: keras.Model,
    *,
    from_logits: bool = False,
    output: Output = None,
    multi_label: bool = False,
):
    """Returns the symbolic logits of a functional or sequential model, before any softmax.

    The layers are the model's own, except for a last layer with `activation="softmax"`: its
    weights are copied into a linear one of the same kind, named `logits`.

    Args:
        model: A built model.
        from_logits: What its output is, where the graph of layers doesn't tell.
        output: Which of several outputs.
        multi_label: Whether it is of sigmoids, whose logits are sought.

    Raises:
        InputError: If the model has several outputs and none is chosen, or if it ends in another
            activation than softmax (with `multi_label`, than sigmoid).

    Warns:
        UserWarning: If it ends in a softmax (a sigmoid), and `from_logits` is true.
    """
    if not model.built:
        raise InputError(f"Expected a built model. Received: {model.name!r}, not built")
    tensor = symbolic(model, output)
    warn_of_softmax(model, from_logits, tensor, multi_label=multi_label)
    found, activation = model_output(model, tensor), SIGMOID if multi_label else SOFTMAX
    if found.kind == activation and found.logits is not None:
        return found.logits({layer.name for layer in model.layers})
    if from_logits or found.kind == LOGITS:
        return tensor
    if found.kind not in (activation, UNKNOWN):
        raise InputError(
            f"Expected a model that ends in logits or in a {activation}, to scale the logits. "
            f"Received: {model.name!r}, whose output is made by {found.made_by}"
        )
    logarithm = (
        LogOdds(name="log_odds") if multi_label else LogProbabilities(name="log_probabilities")
    )
    return logarithm(tensor)


def predicted_batches(
    model, dataset: Batches, *, from_logits: bool, multi_label: bool = False
) -> Iterator[tuple]:
    """Yields `(y, y_pred, sample_weight, mask)` of one pass, a batch of predictions at a time.

    Args:
        model: A `Forward`, to be compiled once for several passes; or what it takes.
        dataset: What `as_batches` returned.
        from_logits: Whether the model is said to emit logits; a softmax that can be seen at its
            end is warned of.
        multi_label: Whether they are the logits of sigmoids, and it is a sigmoid to be warned of.
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
) -> Iterator[HostExamples]:
    """Yields the examples that count, batch by batch; batches without any are left out."""
    as_flag(multi_label, "multi_label")
    for y, y_pred, sample_weight, mask in predicted_batches(
        model, dataset, from_logits=from_logits, multi_label=multi_label
    ):
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
