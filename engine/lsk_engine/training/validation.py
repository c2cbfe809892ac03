"""Validation at the end of an epoch, as a Keras callback."""

from collections.abc import Sequence

import keras

from ls_keras.backend.keras_internals import sync_state
from ls_keras.metrics import Accuracy, ExpectedCalibrationError, NegativeLogLikelihood
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.datasets import as_dataset, explain_data_errors
from lsk_engine.devices.framework_errors import explain_oom
from lsk_engine.devices.keras_patches import patch_for_strategy
from lsk_engine.devices.replicas import distribute_dataset
from lsk_engine.devices.xla import jit_compile
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import TaskData
from lsk_engine.tasks.loss import build_loss
from lsk_engine.training.checkpointing import CheckpointEvery
from lsk_engine.training.early_stopping import VALIDATION


def build_validator(model: keras.Model, config: Config, data: TaskData) -> keras.Model:
    """Returns a model that shares the weights, compiled for evaluation.

    It is a separate model so that training does not pay for metrics: on a CPU, NLL and accuracy
    over 4,000 classes would add half to the time of a step.
    """
    validator = keras.Model(model.inputs, model.outputs[0])
    validator.compile(
        loss=build_loss(config, data, reduction="sum"),
        weighted_metrics=[  # weighted: rows that only fill a batch have weight 0
            NegativeLogLikelihood(from_logits=True, ignore_class=data.ignore_class, name="nll"),
            Accuracy(from_logits=True, ignore_class=data.ignore_class),
            ExpectedCalibrationError(from_logits=True, ignore_class=data.ignore_class, name="ece"),
        ],
        jit_compile=jit_compile(config),
    )
    return patch_for_strategy(validator)


class Validation(keras.callbacks.Callback):
    """Evaluates the model at the end of an epoch and adds the scores to the epoch's logs.

    A request to stop, before or during validation, ends training: the checkpoint then has the
    loss of the epoch, and a resumed run starts with its validation.

    Args:
        validator: A compiled model that shares the weights, see `build_validator`.
        source: The batches of the validation split.
        every: Epochs between validations.
        saver: Saves the state if training is to stop.
        callbacks: Callbacks of the evaluation, such as progress.
    """

    def __init__(
        self,
        validator: keras.Model,
        source: BatchSource,
        every: int,
        saver: CheckpointEvery,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ):
        super().__init__()
        self.validator, self.source, self.every = validator, source, every
        self.saver, self.callbacks = saver, callbacks

    def on_epoch_end(self, epoch, logs=None):
        """Validates if this epoch is due or the last."""
        logs = {} if logs is None else logs
        self.saver.stop_before_validation(logs["loss"])
        if not self.saver.is_last_step and (epoch + 1) % self.every:
            return
        steps = self.source.steps_per_epoch
        with explain_data_errors(self.source), explain_oom(self.source.batch_size):
            scores = self.validator.evaluate(
                distribute_dataset(as_dataset(self.source, 0, steps)),
                callbacks=[*self.callbacks, StopValidationOnRequest(self.saver, logs["loss"])],
                return_dict=True,
                verbose=0,
            )
        logs |= {f"{VALIDATION}{name}": float(value) for name, value in scores.items()}


class StopValidationOnRequest(keras.callbacks.Callback):
    """Ends a validation at the next batch when training is to stop.

    Args:
        saver: Saves the state.
        loss: Mean training loss of the epoch.
    """

    def __init__(self, saver: CheckpointEvery, loss: float):
        super().__init__()
        self.saver, self.loss = saver, loss

    def on_test_batch_end(self, batch, logs=None):
        """Stops if requested."""
        if self.saver.stop_requested():
            sync_state(self.model)  # the validator, which shares its variables with the learner
            self.saver.stop_before_validation(self.loss)
