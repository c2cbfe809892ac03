"""Settings of the task `keras`: the function that builds the model, and the data."""

import dataclasses
from typing import Annotated, Literal

from msgspec import Meta

from ls_base.errors import InputError, short_repr
from lsk_engine.settings.config import Preset
from lsk_engine.settings.parsing import CountOrFraction, NonNegativeInt, PositiveInt
from lsk_engine.settings.user_code import NamedCode, code_field

MODELS = {
    "FILE.py:function": "a function that returns a Keras model with logits or a softmax as output",
    "module:function": "the same from a module that can be imported",
}
DATA_SOURCES = {
    "FILE.npz": "arrays x_train and y_train, optionally x_validation, …, x_test, …",
    "FILE.py:function": "a function that returns such arrays, pairs (x, y), tf.data or PyDataset",
    "module:function": "the same from a module, such as keras.datasets.mnist:load_data",
}
PYTHON = "python:"  # prefix of functions and data that exist only in a Python program


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """The data, and how they are split.

    Attributes:
        source: An `.npz` file, or `FILE.py:function` or `package.module:function`, which returns
            arrays or data sets.
        validation: Training examples held out for validation if the source has no such split: a
            number, or a share below 1; `None`: one tenth.
        test: Training examples held out for testing, in the same way; `None`: one sixth.
        split_seed: Seed of the held-out examples; the same for every `training.seed`.
        max_train_examples: Number of training examples to use; `None`: all.
        num_classes: K; `None`: the largest label + 1.
        ignore_class: Label of positions that do not count, such as padding; `None`: all count.
    """

    source: str = code_field()
    validation: CountOrFraction | None = None
    test: CountOrFraction | None = None
    split_seed: NonNegativeInt = 0
    max_train_examples: PositiveInt | None = None
    num_classes: Annotated[int, Meta(ge=2)] | None = None
    ignore_class: int | None = None

    def __post_init__(self):
        if not self.source:
            raise InputError(
                "Expected data: --data FILE.npz, or --data FILE.py:function. Received: none"
            )
        named = NamedCode.read(self.source)
        if named is not None:
            object.__setattr__(self, "source", str(named.absolute()))


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The function that builds the model.

    Attributes:
        name: `FILE.py:function` or `package.module:function`; it takes no arguments.
        sha256: The SHA-256 of its file, computed; a run resumes with the same file only.
        output: The model's output if it cannot be recognized from the layers: `logits` or
            `probabilities`.
        augment: A function that returns the model's random augmentation as a layer, for `lsk probe`
            and for distillation, where the teacher gets the augmented inputs.
    """

    name: str = code_field()
    sha256: str = dataclasses.field(default="", metadata={"computed": True})
    output: Literal["auto", "logits", "probabilities"] = "auto"
    augment: str = code_field()

    def __post_init__(self):
        if self.augment:
            object.__setattr__(self, "augment", str(_named("augment", self.augment)))
        if self.name.startswith(PYTHON):
            return
        named = _named("name", self.name)
        object.__setattr__(self, "name", str(named))
        if not self.sha256:
            object.__setattr__(self, "sha256", named.sha256())


def _named(key: str, text: str) -> NamedCode:
    named = NamedCode.read(text)
    if named is None:
        option = "--model " if key == "name" else f"--set model.{key}="
        raise InputError(
            f"Expected {option}FILE.py:function, or {option}module:function. "
            f"Received: {short_repr(text) if text else 'none'}"
        )
    return named.absolute()


@dataclasses.dataclass(frozen=True)
class DecodingConfig:
    """Settings of predictions.

    Attributes:
        batch_size: Number of examples at a time.
    """

    batch_size: PositiveInt = 500


PRESETS = (
    Preset(
        name="own",
        purpose="The default: Adam at 0.001, 10 epochs in batches of 32, as Keras's own examples",
        expected="depends on the model and the data",
        settings={"training.batch_size": 32},
    ),
)
