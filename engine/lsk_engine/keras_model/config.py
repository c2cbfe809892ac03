"""Settings of a task that is a function and arrays."""

import dataclasses
from typing import Annotated, Literal

from msgspec import Meta

from ls_base.errors import InputError, short_repr
from lsk_engine.settings.config import Preset
from lsk_engine.settings.parsing import CountOrFraction, NonNegativeInt, PositiveInt
from lsk_engine.settings.user_code import NamedCode, code_field

MODELS = {
    "FILE.py:function": "returns a Keras model that ends in logits or in a softmax",
    "module:function": "likewise, of a module that can be imported",
}
DATA_SOURCES = {
    "FILE.npz": "arrays x_train, y_train and, if there are, x_validation, …, x_test, …",
    "FILE.py:function": "returns such arrays, pairs (x, y), tf.data or PyDataset",
    "module:function": "likewise, such as keras.datasets.mnist:load_data",
}
PYTHON = "python:"  # what the names of functions and data begin with that a Python program holds


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which data, and how they are split.

    Attributes:
        source: An `.npz` file, or `FILE.py:function` or `package.module:function`, which returns
            arrays or data sets.
        validation: Training examples held out for validation where the source has no such split,
            below 1 the share of them; `None`: one tenth.
        test: Likewise for testing; `None`: one sixth.
        split_seed: Draws what is held out; the same for every `training.seed`.
        max_train_examples: Number of training examples to use; `None`: all.
        num_classes: K; `None`: the largest label + 1.
        ignore_class: Label of positions that don't count, such as padding; `None`: all count.
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
        sha256: The SHA-256 of its file: a run goes on with the same one only. It is computed.
        output: What the model gives where the graph of layers doesn't tell: `logits` or
            `probabilities`.
        augment: A function that returns the model's random augmentation as a layer, which can be
            called by itself (`lsk probe`); a student's teacher then sees what it gives.
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
    """How classes are chosen.

    Attributes:
        batch_size: Examples at a time.
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
