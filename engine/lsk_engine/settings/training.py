"""The part `training` of a configuration."""

import dataclasses

from ls_base.errors import InputError
from lsk_engine.settings.parsing import added, one_of, within

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SMOOTHINGS = ("uniform", "unigram", "neighborhood")
KEPT = ("last", "best")
WATCHED = ("nll", "loss", "accuracy")
STRATEGIES = ("auto", "one-device", "mirrored", "multi-worker", "tpu", "data-parallel")


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How long, on what, and with which loss a model is trained.

    Attributes:
        alpha: Smoothing α of the loss, 0 … 1, in the paper's convention (α/K off the target).
        smoothing: Which distribution the mass α follows.
        smooth_unused: Whether classes that never are labels (padding, start) get mass too.
        epochs: Passes over the training split; exclusive with `steps`.
        steps: Optimizer steps; takes precedence over `epochs` where both are set.
        batch_size: Examples that are computed together, over all replicas.
        batch_tokens: Positions that are computed together in training, in place of `batch_size`
            examples: longer sequences come fewer at a time. Of sequences padded to L, that are
            batch_tokens // L, a multiple of the replicas. Validation goes by `batch_size`.
        accumulate: A step has so many times `batch_size` examples, computed one part after another:
            the update of a large batch, with the memory of a part. BatchNormalization sees a part.
        drop_remainder: Whether each epoch leaves out the examples that fill no whole batch; else
            they come with others of weight 0, which BatchNormalization sees as well.
        buckets: Number of sequence lengths that batches are padded to, at most.
        precision: A Keras dtype policy.
        strategy: How devices share the work; `auto`: by what is there.
        devices: Number of devices to use; `None`: all.
        sync_batch_norm: Whether BatchNormalization takes its statistics of the whole batch on
            TensorFlow, too, where each device has its own of its part. On JAX it always does.
        jit_compile: Whether TensorFlow compiles with XLA; `None`: Keras decides (on CPUs: no).
        seed: Seed of weights, dropout and the order of examples.
        validate_every: Epochs between validations; the last one always ends with one.
        checkpoint_every: Steps between full-state checkpoints.
        checkpoints_kept: How many of the newest are kept.
        checkpoints_kept_every: Every checkpoint whose step this divides is kept as well; 0: none.
        max_examples: So many examples of each split at most, drawn at random: a quick look;
            `None`: all.
        average_last: The saved model has the mean weights of so many checkpoints, the last ones,
            which are kept for it; 0: the last step's weights. Excludes `optimizer.ema`.
        patience: Training ends after so many validations in a row without a better score; 0: it
            goes on to the end.
        keep: Which weights the saved model has: those of the `last` step, or of the `best`
            validation.
        watched: Which score of validation is the better: less `nll` (never smoothed), less `loss`,
            or more `accuracy`.
        init_from: A finished run whose weights training starts from; `None`: random ones.
        init_sha256: The SHA-256 of its saved model: another model is refused.
    """

    alpha: float = 0.0
    smoothing: str = "uniform"
    smooth_unused: bool = True
    epochs: int | None = 10
    steps: int | None = None
    batch_size: int = 128
    batch_tokens: int | None = added(None)
    accumulate: int = added(1)
    drop_remainder: bool = added(False)
    buckets: int = 3
    precision: str = "float32"
    strategy: str = "auto"
    devices: int | None = None
    sync_batch_norm: bool = added(False)
    jit_compile: bool | None = None
    seed: int = 0
    validate_every: int = 1
    checkpoint_every: int = 500
    checkpoints_kept: int = 2
    checkpoints_kept_every: int = 0
    average_last: int = 0
    max_examples: int | None = added(None)
    patience: int = added(0)
    keep: str = added("last")
    watched: str = added("nll")
    init_from: str | None = added(None)
    init_sha256: str | None = added(None)

    def __post_init__(self):
        within("training.alpha", self.alpha, 0, 1)
        counts = ("validate_every", "checkpoint_every", "checkpoints_kept")
        for key in ("batch_size", "accumulate", "buckets", *counts):
            within(f"training.{key}", getattr(self, key), 1)
        within("training.seed", self.seed, 0, 2**32 - 1)
        within("training.checkpoints_kept_every", self.checkpoints_kept_every, 0)
        within("training.average_last", self.average_last, 0)
        within("training.patience", self.patience, 0)
        for key in ("epochs", "steps", "devices", "max_examples", "batch_tokens"):
            if getattr(self, key) is not None:
                within(f"training.{key}", getattr(self, key), 1)
        if (self.init_from is None) != (self.init_sha256 is None):
            raise InputError(
                "Expected --init-from RUN, which says whose weights and that they are these. "
                f"Received: training.init_from={self.init_from} with "
                f"training.init_sha256={self.init_sha256}"
            )
        if self.epochs is None and self.steps is None:
            raise InputError("Expected training.epochs or training.steps. Received: neither")
        one_of("training.keep", self.keep, KEPT)
        one_of("training.watched", self.watched, WATCHED)
        if self.average_last and (self.patience or self.keep == "best"):
            raise InputError(
                "Expected training.average_last without training.patience and training.keep=best: "
                "it is the last checkpoints of all steps that are averaged. "
                f"Received: average_last={self.average_last}, patience={self.patience}, "
                f"keep={self.keep}"
            )
        one_of("training.smoothing", self.smoothing, SMOOTHINGS)
        one_of("training.precision", self.precision, PRECISIONS)
        one_of("training.strategy", self.strategy, STRATEGIES)
