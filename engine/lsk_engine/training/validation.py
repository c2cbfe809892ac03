"""The model while it trains, as it is evaluated."""

import keras

from ls_keras.metrics import Accuracy, ExpectedCalibrationError, NegativeLogLikelihood
from lsk_engine.devices.keras_patches import patch_for_strategy
from lsk_engine.devices.xla import jit_compile
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import TaskData
from lsk_engine.tasks.loss import build_loss


def build_validator(model: keras.Model, config: Config, data: TaskData) -> keras.Model:
    """Returns the same model, compiled to be evaluated.

    Apart, so that training does not pay for metrics: on a CPU, NLL and accuracy of a vocabulary
    of 4,000 would add half to the time of a step.
    """
    validator = keras.Model(model.inputs, model.outputs[0])
    validator.compile(
        loss=build_loss(config, data, reduction="sum"),
        weighted_metrics=[  # by the weights: rows that fill a batch must not count
            NegativeLogLikelihood(from_logits=True, ignore_class=data.ignore_class, name="nll"),
            Accuracy(from_logits=True, ignore_class=data.ignore_class),
            ExpectedCalibrationError(from_logits=True, ignore_class=data.ignore_class, name="ece"),
        ],
        jit_compile=jit_compile(config),
    )
    return patch_for_strategy(validator)
