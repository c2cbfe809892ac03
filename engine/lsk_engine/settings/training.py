"""Settings of training: the part `training` of a configuration."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from msgspec import Meta

from ls_base.errors import InputError
from lsk_engine.settings.parsing import Fraction, NonNegativeFloat, NonNegativeInt, PositiveInt

DEFAULT_LOSS = "smoothed_ce"
SmoothingName = Literal["uniform", "unigram", "prior", "neighborhood"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Strategy = Literal["auto", "one-device", "mirrored", "multi-worker", "tpu", "data-parallel"]
SavedWeights = Literal["last", "best"]
SMOOTHINGS, PRECISIONS, STRATEGIES, SAVED_WEIGHTS = map(
    get_args, (SmoothingName, Precision, Strategy, SavedWeights)
)  # for options of the command line


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """Duration, batches, loss and checkpoints of training.

    Attributes:
        loss: Training loss, by its name in `ls_keras.losses.get`, such as `smoothed_ce`,
            `max_sup` or `focal_ce`. NLL and calibration errors never depend on it.
        loss_options: Arguments of the loss by name, such as `training.loss_options.gamma=2` for
            `focal_ce`; others keep the defaults of its class.
        alpha: Smoothing α of the loss, 0 … 1, in the paper's convention (α/K off the target);
            for losses that have an α.
        smoothing: Distribution of the smoothing mass α over the classes.
        prior: With `smoothing=prior`, the probability of each class: K numbers that sum to 1.
        smooth_unused_classes: Whether classes that are never labels (padding, start) receive
            smoothing mass.
        loss_weight: Factor on the gradient of the loss, applied before `optimizer.l2` and
            `optimizer.global_clipnorm`. The reported loss does not contain it.
        epochs: Passes over the training split; exclusive with `steps`.
        steps: Optimizer steps; takes precedence over `epochs`.
        batch_size: Examples in a batch, over all devices together.
        tokens_per_batch: Positions (tokens with padding) in a training batch, in place of
            `batch_size`: of sequences padded to length L, a batch has tokens_per_batch // L,
            rounded down to a multiple of the number of devices. Validation uses `batch_size`.
        gradient_accumulation_steps: Batches whose gradients are added up for one optimizer step:
            the update of a large batch with the memory of a small one. BatchNormalization uses
            the statistics of each small batch.
        drop_remainder: Whether each epoch leaves out the examples that do not fill a batch.
            Otherwise the last batch is filled with rows of weight 0, which BatchNormalization sees.
        max_length_buckets: Maximum number of different sequence lengths that batches are padded to.
        precision: Keras dtype policy.
        strategy: Distribution over devices; `auto` chooses one for the devices of this machine.
        devices: Number of devices to use; `None`: all.
        sync_batch_norm: Whether BatchNormalization uses the statistics of the whole batch on
            TensorFlow too, where each device otherwise uses its own share. JAX always does.
        jit_compile: Whether TensorFlow compiles with XLA; `None`: Keras decides (on CPUs: no).
        seed: Seed of the weights, of dropout and of the order of examples.
        validate_every: Epochs between validations; the last epoch always ends with one.
        checkpoint_every: Steps between full-state checkpoints.
        max_to_keep: Number of newest checkpoints to keep.
        keep_every: Also keep the checkpoints whose step is a multiple of this; 0: none.
        max_examples: Maximum number of examples in each split, drawn at random, for a quick trial;
            `None`: all.
        average_checkpoints: Number of last checkpoints whose weights are averaged in the saved
            model; 0: the weights of the last step. Excludes `optimizer.ema_momentum`.
        patience: Stop after this many validations in a row without improvement; 0: never.
        save_weights: Weights in the saved model: those of the `last` step or of the `best`
            validation.
        monitor: Validation score that defines the best: lowest `nll` (never smoothed), lowest
            `loss`, or highest `accuracy`.
        init_from: Finished run whose weights training starts from; `None`: random weights.
        init_sha256: SHA-256 of the saved model of `init_from`; another model is refused.
    """

    loss: str = DEFAULT_LOSS
    loss_options: Mapping[str, float | str] = dataclasses.field(default_factory=dict)
    alpha: Fraction = 0.0
    smoothing: SmoothingName = "uniform"
    prior: tuple[float, ...] = ()
    smooth_unused_classes: bool = True
    loss_weight: NonNegativeFloat = 1.0
    epochs: PositiveInt | None = 10
    steps: PositiveInt | None = None
    batch_size: PositiveInt = 128
    tokens_per_batch: PositiveInt | None = None
    gradient_accumulation_steps: PositiveInt = 1
    drop_remainder: bool = False
    max_length_buckets: PositiveInt = 3
    precision: Precision = "float32"
    strategy: Strategy = "auto"
    devices: PositiveInt | None = None
    sync_batch_norm: bool = False
    jit_compile: bool | None = None
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    validate_every: PositiveInt = 1
    checkpoint_every: PositiveInt = 500
    max_to_keep: PositiveInt = 2
    keep_every: NonNegativeInt = 0
    max_examples: PositiveInt | None = None
    average_checkpoints: NonNegativeInt = 0
    patience: NonNegativeInt = 0
    save_weights: SavedWeights = "last"
    monitor: Literal["nll", "loss", "accuracy"] = "nll"
    init_from: str | None = None
    init_sha256: str | None = None

    def __post_init__(self):
        if (self.smoothing == "prior") != bool(self.prior):
            raise InputError(
                "Expected training.prior, a probability for each class, with "
                "training.smoothing=prior only. "
                f"Received: {len(self.prior)} numbers with smoothing={self.smoothing}"
            )
        if (self.init_from is None) != (self.init_sha256 is None):
            raise InputError(
                "Expected --init-from RUN, which sets training.init_from together with the digest "
                f"of its model. Received: training.init_from={self.init_from} with "
                f"training.init_sha256={self.init_sha256}"
            )
        if self.epochs is None and self.steps is None:
            raise InputError("Expected training.epochs or training.steps. Received: neither")
        if self.average_checkpoints and (self.patience or self.save_weights == "best"):
            raise InputError(
                "Expected training.average_checkpoints without training.patience and "
                "training.save_weights=best: it averages the last checkpoints of all steps. "
                f"Received: average_checkpoints={self.average_checkpoints}, "
                f"patience={self.patience}, save_weights={self.save_weights}"
            )
