"""The configuration of an experiment: frozen parts with their defaults, presets, overrides."""

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ls_keras import prepared
from ls_keras.distillation_config import DistillationConfig
from ls_keras.errors import InputError

if typing.TYPE_CHECKING:
    from ls_keras.task import Task

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SMOOTHINGS = ("uniform", "unigram", "neighborhood")
STRATEGIES = ("auto", "one-device", "mirrored", "tpu")
SCHEDULES = ("constant", "inverse_sqrt", "cosine", "linear", "piecewise")


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How long, on what, and with which loss a model is trained.

    Attributes:
        alpha: Smoothing α of the loss, 0 … 1, in the paper's convention (α/K off the target).
        smoothing: Which distribution the mass α follows.
        smooth_unused: Whether classes that never are labels (padding, start) get mass too.
        epochs: Passes over the training split; exclusive with `steps`.
        steps: Optimizer steps; takes precedence over `epochs` where both are set.
        batch_size: Examples a step, over all replicas.
        buckets: Number of sequence lengths that batches are padded to, at most.
        precision: A Keras dtype policy.
        strategy: A distribution strategy.
        devices: Number of devices to use; `None`: all.
        jit_compile: Whether TensorFlow compiles with XLA; `None`: Keras decides (on CPUs: no).
        seed: Seed of weights, dropout and the order of examples.
        validate_every: Epochs between validations; the last one always ends with one.
        checkpoint_every: Steps between full-state checkpoints.
        checkpoints_kept: How many of the newest are kept.
        checkpoints_kept_every: Every checkpoint whose step this divides is kept as well; 0: none.
        average_last: The saved model has the mean weights of so many checkpoints, the last ones,
            which are kept for it; 0: the last step's weights. Excludes `optimizer.ema`.
    """

    alpha: float = 0.0
    smoothing: str = "uniform"
    smooth_unused: bool = True
    epochs: int | None = 10
    steps: int | None = None
    batch_size: int = 128
    buckets: int = 3
    precision: str = "float32"
    strategy: str = "auto"
    devices: int | None = None
    jit_compile: bool | None = None
    seed: int = 0
    validate_every: int = 1
    checkpoint_every: int = 500
    checkpoints_kept: int = 2
    checkpoints_kept_every: int = 0
    average_last: int = 0

    def __post_init__(self):
        _within("training.alpha", self.alpha, 0, 1)
        counts = ("batch_size", "buckets", "validate_every", "checkpoint_every", "checkpoints_kept")
        for key in counts:
            _within(f"training.{key}", getattr(self, key), 1)
        _within("training.seed", self.seed, 0, 2**32 - 1)
        _within("training.checkpoints_kept_every", self.checkpoints_kept_every, 0)
        _within("training.average_last", self.average_last, 0)
        for key in ("epochs", "steps", "devices"):
            if getattr(self, key) is not None:
                _within(f"training.{key}", getattr(self, key), 1)
        if self.epochs is None and self.steps is None:
            raise InputError("Expected training.epochs or training.steps. Received: neither")
        _one_of("training.smoothing", self.smoothing, SMOOTHINGS)
        _one_of("training.precision", self.precision, PRECISIONS)
        _one_of("training.strategy", self.strategy, STRATEGIES)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The optimizer and its learning rate over time.

    Attributes:
        name: A Keras optimizer, such as `adam`, `adamw` or `sgd`.
        learning_rate: The peak rate, reached after `warmup_steps`.
        schedule: `constant`; `inverse_sqrt` (as published for the Transformer: ∝ 1/√step);
            `cosine` or `linear` down to 0 at the last step; `piecewise`: constant between
            `boundaries`. All rise linearly first.
        warmup_steps: Steps of linear rise.
        boundaries: Of `piecewise`: the steps after which the rate is divided by `decay_factor`.
        decay_factor: Of `piecewise`.
        momentum: Of `sgd`.
        nesterov: Of `sgd`.
        dampening: Of `sgd`: the velocity is momentum · velocity + (1 − dampening) · gradient.
        beta_2: Of `adam` and `adamw`.
        epsilon: Of `adam` and `adamw`.
        weight_decay: Decoupled weight decay; 0: none.
        l2: Coefficient of a penalty l2/2 · Σ w² (its gradient l2 · w), over weights of rank 2 and
            above; 0: none.
        l2_layers: Names of the layers that `l2` is for; none: all.
        loss_weight: Factor on the loss's gradient, before `l2` and `global_clipnorm`; the loss
            that is reported has none.
        global_clipnorm: Largest norm of all gradients together; 0: no limit.
        logits_rate: Of `sgd`: the rate of the layer `logits`, relative to the others'.
        ema: Momentum of an exponential moving average of the weights; 0: none.
    """

    name: str = "adam"
    learning_rate: float = 1e-3
    schedule: str = "constant"
    warmup_steps: int = 0
    boundaries: tuple[int, ...] = ()
    decay_factor: float = 10.0
    momentum: float = 0.9
    nesterov: bool = False
    dampening: float = 0.0
    beta_2: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float = 0.0
    l2: float = 0.0
    l2_layers: tuple[str, ...] = ()
    loss_weight: float = 1.0
    global_clipnorm: float = 0.0
    logits_rate: float = 1.0
    ema: float = 0.0

    def __post_init__(self):
        _within("optimizer.learning_rate", self.learning_rate, 0)
        _within("optimizer.warmup_steps", self.warmup_steps, 0)
        for key in ("weight_decay", "l2", "loss_weight", "global_clipnorm", "logits_rate"):
            _within(f"optimizer.{key}", getattr(self, key), 0)
        _within("optimizer.dampening", self.dampening, 0, 1)
        _within("optimizer.ema", self.ema, 0, 1)
        _one_of("optimizer.schedule", self.schedule, SCHEDULES)
        if (self.schedule == "piecewise") != bool(self.boundaries):
            raise InputError(
                "Expected optimizer.boundaries with the schedule piecewise, and with no other. "
                f"Received: {self.boundaries} with {self.schedule}"
            )
        if list(self.boundaries) != sorted({b for b in self.boundaries if b > 0}):
            raise InputError(
                f"Expected ascending optimizer.boundaries above 0. Received: {self.boundaries}"
            )
        if self.decay_factor <= 0:
            raise InputError(
                f"Expected optimizer.decay_factor above 0. Received: {self.decay_factor}"
            )
        if self.name != "sgd" and (self.dampening or self.logits_rate != 1):
            raise InputError(
                "Expected optimizer.dampening and optimizer.logits_rate with sgd only. "
                f"Received: {self.name}"
            )
        if self.nesterov and self.dampening:
            raise InputError("Expected optimizer.nesterov or optimizer.dampening. Received: both")


@dataclasses.dataclass(frozen=True)
class Preset:
    """A named recipe.

    Attributes:
        name: Its name.
        purpose: What it is for, in a line.
        expected: Time and result to expect, and on what machine.
        settings: Values by dotted key that differ from the defaults.
    """

    name: str
    purpose: str
    expected: str
    settings: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Config:
    """One experiment, resolved: nothing is decided later."""

    task: str
    preset: str
    training: TrainingConfig
    optimizer: OptimizerConfig
    data: Any
    model: Any
    decoding: Any
    distillation: DistillationConfig | None = None

    def __post_init__(self):
        if self.training.average_last and self.optimizer.ema:
            raise InputError(
                "Expected training.average_last or optimizer.ema, not both. "
                f"Received: {self.training.average_last} and {self.optimizer.ema}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Returns the configuration as JSON can hold it."""
        values = dataclasses.asdict(self)
        return {part: value for part, value in values.items() if value is not None}


PARTS = ("training", "optimizer", "data", "model", "decoding")


def resolve(task: "Task", preset: str | None, overrides: Mapping[str, Any]) -> Config:
    """Composes defaults, a preset and overrides, in rising precedence.

    Where `data.source` is a prepared data set, the other settings of the data are its own.

    Args:
        task: The task, which brings its presets and the classes of its parts.
        preset: A preset's name; `None`: the task's first.
        overrides: Values by dotted key, such as `training.alpha`; strings are read as the
            field's type.

    Raises:
        InputError: For an unknown preset or key (with near matches), an unreadable value, or a
            setting that a prepared data set was not made with.
    """
    by_name = {p.name: p for p in task.presets}
    if preset is None:
        preset = task.presets[0].name
    if preset not in by_name:
        raise InputError(f"Expected a preset of task '{task.name}'. {near(preset, by_name)}")
    parts = part_classes(task)
    values: dict[str, dict[str, Any]] = {part: {} for part in parts}
    if "training.epochs" in overrides and "training.steps" not in overrides:
        overrides = {**overrides, "training.steps": None}
    for key, value in {**by_name[preset].settings, **overrides}.items():
        part, _, field = key.partition(".")
        if part not in parts or field not in typing.get_type_hints(parts[part]):
            raise InputError(f"Expected a configuration key. {near(key, keys(task))}")
        values[part][field] = parse(key, value, typing.get_type_hints(parts[part])[field])
    if prepared.is_prepared(values["data"].get("source", "")):
        given = {key.removeprefix("data.") for key in overrides if key.startswith("data.")}
        values["data"] |= _settings_prepared_with(task, values["data"], given)
    built = {part: cls(**values[part]) for part, cls in parts.items()}
    return Config(task=task.name, preset=preset, **built)


def _settings_prepared_with(
    task: "Task", values: Mapping[str, Any], given: Collection[str]
) -> dict[str, Any]:
    """Returns the settings of a prepared data set; those `given` too must be the same."""
    source = values["source"]
    hints = typing.get_type_hints(task.data_config)
    stored = {
        key: parse(f"data.{key}", value, hints[key])
        for key, value in prepared.read_settings(source, task.name).items()
        if key in hints
    }
    differing = [key for key in stored if key in given and values[key] != stored[key]]
    if differing:
        expected, received = (
            ", ".join(f"data.{key}={settings[key]}" for key in differing)
            for settings in (stored, values)
        )
        raise InputError(
            f"Expected the settings that {source} was prepared with ({expected}), or none, or "
            f"other data (`lsk prepare`). Received: {received}"
        )
    return stored


def from_dict(task: "Task", values: Mapping[str, Any]) -> Config:
    """Rebuilds a configuration that `Config.to_dict` wrote, through JSON or not."""
    overrides = {f"{part}.{key}": v for part in PARTS for key, v in values[part].items()}
    config = resolve(task, values["preset"], overrides)
    if "distillation" not in values:
        return config
    return dataclasses.replace(config, distillation=DistillationConfig(**values["distillation"]))


def part_classes(task: "Task") -> dict[str, type]:
    """Returns the dataclass of each part of the task's configuration."""
    return {
        "training": TrainingConfig,
        "optimizer": OptimizerConfig,
        "data": task.data_config,
        "model": task.model_config,
        "decoding": task.decoding_config,
    }


def keys(task: "Task") -> list[str]:
    """Returns every dotted key of the task's configuration."""
    parts = part_classes(task).items()
    return [f"{part}.{field.name}" for part, cls in parts for field in dataclasses.fields(cls)]


def parse(key: str, value: Any, kind: Any) -> Any:
    """Reads `value` (a string, or a value from JSON) as the type `kind` of the field `key`."""
    options = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if type(None) in options and value in (None, "none", "None", "null"):
        return None
    for option in options:
        if option is not type(None):
            try:
                return _read(value, option)
            except (TypeError, ValueError):
                continue
    names = " or ".join(getattr(o, "__name__", str(o)) for o in options)
    raise InputError(
        f"Expected {key} to be {names.replace('NoneType', 'none')}. Received: {value!r}"
    )


def near(received: str, known: Iterable[str]) -> str:
    """Returns the end of an error message: near matches, all that is known, what was received."""
    known = list(known)
    by_end = {k.rpartition(".")[2]: k for k in known}
    end = received.rpartition(".")[2]
    matches = difflib.get_close_matches(received, known, n=3)
    matches += [by_end[m] for m in difflib.get_close_matches(end, by_end, n=3)]
    shown = list(dict.fromkeys(matches)) or known
    label = "Near matches" if matches else "Known"
    return f"{label}: {', '.join(shown)}. Received: {received!r}"


def _read(value: Any, kind: Any) -> Any:
    if typing.get_origin(kind) is tuple:
        items = [i for i in value.split(",") if i] if isinstance(value, str) else list(value)
        return tuple(_read(item, typing.get_args(kind)[0]) for item in items)
    if kind is bool:
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if isinstance(value, bool):
            return value
        if str(value).lower() in words:
            return words[str(value).lower()]
        raise ValueError(value)
    if kind is str:
        if not isinstance(value, str):
            raise TypeError(value)
        return value
    number = float(value)
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(value)
    if kind is int:
        if number != int(number):
            raise ValueError(value)
        return int(number)
    return number


def _within(key: str, value: float, low: float, high: float = math.inf) -> None:
    if not low <= value <= high:
        bounds = f"in [{low}, {high}]" if high < math.inf else f"at least {low}"
        raise InputError(f"Expected {key} {bounds}. Received: {value}")


def _one_of(key: str, value: str, options: Iterable[str]) -> None:
    if value not in options:
        raise InputError(f"Expected {key} to be one of {', '.join(options)}. Received: {value!r}")
