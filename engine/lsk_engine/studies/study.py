"""What a study is: a question, axes, seeds, what is measured and what is claimed. Data only."""

import dataclasses
import itertools
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ls_base.errors import InputError, near, reason, shown
from ls_base.reading import read_bytes
from lsk_engine.data import configuration
from lsk_engine.settings.config import Config
from lsk_engine.settings.resolving import keys
from lsk_engine.settings.values import flat
from lsk_engine.studies.claims import Claim
from lsk_engine.tasks.contract import Task

ALPHA, SMOOTHING, SEED = "training.alpha", "training.smoothing", "training.seed"
_MOST_BYTES = 1 << 20
_CLAIM_KEYS = tuple(field.name for field in dataclasses.fields(Claim))


@dataclasses.dataclass(frozen=True)
class Study:
    """Many runs and one question.

    Each combination of the axes' values is an arm, trained with every seed. Claims compare an arm
    with its baseline: the arm with the first axis's first value, and the same values elsewhere.

    Attributes:
        question: What is asked.
        task: The task's name.
        axes: Values by dotted setting; the first axis is what the question is about.
        seeds: How many of each arm: 0, 1, …
        measures: What is measured, by the names of `lsk_engine.studies.measurements`.
        preset: The recipe of all runs; `None`: the task's for studies, or its first.
        settings: Further settings of all runs, by dotted key.
        claims: What is decided; `None`: what the measures suggest.
        split: The split that claims are decided on.
    """

    question: str
    task: str
    axes: Mapping[str, tuple[Any, ...]]
    seeds: int = 3
    measures: tuple[str, ...] = ("accuracy", "calibration")
    preset: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    claims: tuple[Claim, ...] | None = None
    split: str = "test"

    def __post_init__(self):
        if self.seeds < 1:
            raise InputError(f"Expected at least one seed. Received: {self.seeds}")
        if not self.axes or not all(self.axes.values()):
            empty = next((axis for axis, values in self.axes.items() if not values), "no axis")
            raise InputError(f"Expected an axis with at least one value. Received: {empty}")
        if len(next(iter(self.axes.values()))) < 2:
            axis, (value,) = next(iter(self.axes.items()))
            raise InputError(
                "Expected two values or more of the first axis, the first to compare the others "
                f"with. Received: {axis}={value}"
            )
        if not self.measures:
            raise InputError("Expected at least one measure. Received: none")
        for key in (SEED, *self.settings):
            if key in self.axes:
                why = "seeds are counted" if key == SEED else "the settings have it"
                raise InputError(f"Expected axes without {key}: {why}. Received: {key}")
        if SEED in self.settings:
            raise InputError(f"Expected settings without {SEED}: a study has several. Received: it")


@dataclasses.dataclass(frozen=True)
class Arm:
    """One combination of the axes' values.

    Attributes:
        values: By dotted setting, as the task's settings have them.
        config: The configuration of its runs, with the first seed.
        baseline: The name of the arm that it is compared with; `None`: it is one.
    """

    values: Mapping[str, Any]
    config: Config
    baseline: str | None = None

    @property
    def name(self) -> str:
        """Its name in tables and, with a seed, that of its runs."""
        return _name(self.values)

    def seeded(self, seed: int) -> Config:
        """Returns the configuration of the run with a seed."""
        training = dataclasses.replace(self.config.training, seed=seed)
        return dataclasses.replace(self.config, training=training)


def arms_of(study: Study, task: Task) -> list[Arm]:
    """Returns the arms, each baseline before what is compared with it.

    Without mass to spread, all smoothings are the same: α = 0 is one arm.

    Args:
        study: The study.
        task: Its task.

    Raises:
        InputError: For an unknown axis or setting (with near matches), a value that can't be, or
            two arms of one name.
    """
    for axis in study.axes:
        if axis not in keys(task):
            raise InputError(f"Expected an axis that is a setting. {near(axis, keys(task))}")
    arms: dict[str, Arm] = {}
    first, (reference, *_) = next(iter(study.axes.items()))
    for combination in itertools.product(*study.axes.values()):
        values = dict(zip(study.axes, combination, strict=True))
        arm = _arm(study, task, values)
        of = _arm(study, task, {**values, first: reference}).name
        if of != arm.name:
            arm = dataclasses.replace(arm, baseline=of)
        other = arms.setdefault(arm.name, arm)
        if other.values != arm.values:
            raise InputError(
                "Expected values of axes with names that differ. "
                f"Received: {dict(other.values)} and {dict(arm.values)}, both {arm.name!r}"
            )
    if all(arm.baseline is None for arm in arms.values()):
        raise InputError(
            f"Expected values of the first axis that differ. Received: {study.axes[first]}"
        )
    return sorted(arms.values(), key=lambda arm: arm.baseline is not None)


def base_config(study: Study, task: Task) -> Config:
    """Returns what all runs have in common: seed and axes are at the task's defaults.

    Args:
        study: The study.
        task: Its task.
    """
    return configuration.resolve(task, preset_of(study, task), study.settings)


def preset_of(study: Study, task: Task) -> str:
    """Returns the recipe of a study's runs: the task's for studies is for its own data."""
    elsewhere = "data.source" in {*study.settings, *study.axes}
    own = None if elsewhere else task.study_preset
    return study.preset or own or task.presets[0].name


def read_study(file: Path) -> Study:
    """Reads a study from a TOML file.

    Args:
        file: The file: the attributes of `Study` as keys (`measure` for `measures`), `axes` and
            `settings` as tables, `claims` as an array of tables.

    Raises:
        FileError: If it can't be read.
        InputError: If it is no TOML, or has an unknown key (with near matches) or a value of
            another type.
    """
    content = read_bytes(file, most=_MOST_BYTES)
    try:
        values = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"Expected TOML in {file}. Received: {reason(error)}") from error
    known = {field.name: field.name for field in dataclasses.fields(Study)}
    known["measure"] = known.pop("measures")
    for key in values:
        if key not in known:
            raise InputError(f"Expected a key of a study in {file}. {near(key, known)}")
    for key in ("question", "task", "axes"):
        if key not in values:
            raise InputError(f"Expected the key {key} in {file}. Received: a file without it")
    found = {known[key]: value for key, value in values.items()}
    for key, kind in _KINDS.items():
        if key in found and (not isinstance(found[key], kind) or isinstance(found[key], bool)):
            name = next(name for name, field in known.items() if field == key)
            raise InputError(
                f"Expected {name} in {file} to be {_WORDS[kind]}. Received: {shown(found[key])}"
            )
    axes = flat(found["axes"])  # unquoted dotted keys nest in TOML
    for key, value in axes.items():
        if not isinstance(value, list):
            raise InputError(f"Expected a list of values of {key} in {file}. Received: {value!r}")
    found["axes"] = {key: tuple(value) for key, value in axes.items()}
    found["settings"] = flat(found.get("settings", {}))
    if "measures" in found:
        found["measures"] = tuple(map(str, found["measures"]))
    if "claims" in found:
        found["claims"] = tuple(_claim(claim, file) for claim in found["claims"])
    return Study(**found)


_KINDS: Mapping[str, type] = {
    **dict.fromkeys(("question", "task", "preset", "split"), str),
    **dict.fromkeys(("axes", "settings"), dict),
    **dict.fromkeys(("measures", "claims"), list),
    "seeds": int,
}
_WORDS: Mapping[type, str] = {
    str: "a text",
    dict: "a table",
    list: "a list",
    int: "a whole number",
    float: "a number",
}


def _claim(values: Any, file: Path) -> Claim:
    if not isinstance(values, dict):
        raise InputError(f"Expected claims in {file} to be tables. Received: {shown(values)}")
    for key in values:
        if key not in _CLAIM_KEYS:
            raise InputError(f"Expected a key of a claim in {file}. {near(key, _CLAIM_KEYS)}")
    found = {"name": values.get("measure"), **values}
    for field in dataclasses.fields(Claim):
        if field.name not in found:
            if field.default is dataclasses.MISSING:
                raise InputError(
                    f"Expected the key {field.name} of a claim in {file}. Received: {values}"
                )
            continue
        kind: type = float if field.name in ("margin", "paper") else str
        value = found[field.name]
        kinds = (int, float) if kind is float else (str,)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise InputError(
                f"Expected {field.name} of a claim in {file} to be {_WORDS[kind]}. "
                f"Received: {shown(value)}"
            )
    return Claim(**found)


def _arm(study: Study, task: Task, values: Mapping[str, Any]) -> Arm:
    config = configuration.resolve(task, preset_of(study, task), {**study.settings, **values})
    if SMOOTHING in values and config.training.alpha == 0:
        usual = dataclasses.replace(config.training, smoothing=study.axes[SMOOTHING][0])
        config = dataclasses.replace(config, training=usual)
    return Arm({key: _value(config, key) for key in values}, config)


def _value(config: Config, key: str) -> Any:
    part, _, field = key.partition(".")
    return getattr(getattr(config, part), field)


def _name(values: Mapping[str, Any]) -> str:
    ends = [key.rpartition(".")[2] for key in values]
    parts = []
    for key, value in values.items():
        end = key.rpartition(".")[2]
        label = end if ends.count(end) == 1 else key
        number = isinstance(value, int | float) and not isinstance(value, bool)
        text = f"{label}{value:g}" if number else f"{label}-{value}"
        parts.append(re.sub(r"[^\w.+-]+", "_", text))
    return "-".join(parts)
