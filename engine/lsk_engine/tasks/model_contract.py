"""What every model must be: logits over the classes of the data, from a layer `logits`."""

import keras

from ls_base.errors import LsKerasError
from lsk_engine.tasks.contract import TaskData


def check_contract(
    model: keras.Model,
    data: TaskData,
    *,
    expected: str = "a model",
    received: str = "",
    error: type[LsKerasError] = LsKerasError,
) -> None:
    """Refuses a model that breaks the tensor contract, or belongs to another vocabulary.

    Args:
        model: The model.
        data: The data whose classes its logits have to be over.
        expected: What the model is, for the message.
        received: Where it comes from, for the message; ends with a comma and a space.
        error: What to raise.
    """
    names = [layer.name for layer in model.layers]
    if "logits" not in names or model.output_shape[-1] != data.num_classes:
        raise error(
            f"Expected {expected} with a layer 'logits' over {data.num_classes} classes. "
            f"Received: {received}output shape {model.output_shape}, last layer {names[-1]!r}"
        )
