"""What a study found: numbers by arm and seed, decisions, a table and plain sentences."""

import dataclasses
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from lsk_engine.studies.claims import Claim, Decision
from lsk_engine.studies.measurements import Number

_LABEL, _COLUMN = 24, 8
_WIDTH = 80


@dataclasses.dataclass(frozen=True)
class Decided:
    """A claim about an arm, and what is said of it.

    Attributes:
        claim: The claim.
        arm: The arm's name.
        baseline: That of the arm that it is compared with.
        differences: Arm − baseline, one a seed; NaN where a run has no such number.
        decision: What is said.
    """

    claim: Claim
    arm: str
    baseline: str
    differences: tuple[float, ...]
    decision: Decision


@dataclasses.dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Attributes:
        question: The study's.
        task: The task's name.
        preset: The recipe's.
        split: The split of the numbers; those of the training split where a measure has no other.
        seeds: How many runs an arm has.
        arms: The settings of each arm, by name; baselines first.
        numbers: What was measured, by name: label, and whether less or more is better.
        values: By number and arm, one a seed; NaN where a run has none.
        decided: The claims, about each arm that has a baseline.
        shown: The arm whose decisions the table shows.
        sentences: The answer, in up to five sentences and an advice.
        missing: What failed or was not measured, by run; and why.
        notes: What every report on this data must say.
    """

    question: str
    task: str
    preset: str
    split: str
    seeds: int
    arms: Mapping[str, Mapping[str, Any]]
    numbers: Mapping[str, Number]
    values: Mapping[str, Mapping[str, tuple[float, ...]]]
    decided: tuple[Decided, ...]
    shown: str
    sentences: tuple[str, ...]
    missing: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def mean(self, number: str, arm: str) -> float:
        """Returns the mean over seeds; NaN where a run has no such number."""
        return statistics.fmean(self.values[number][arm])

    def reasons(self) -> dict[str, list[str]]:
        """Returns what is missing by the reason."""
        found: dict[str, list[str]] = {}
        for what, reason in self.missing.items():
            found.setdefault(reason, []).append(what)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as JSON can hold it; numbers that are not finite are `null`."""
        found = dataclasses.asdict(self)
        found["decided"] = [
            {
                **dataclasses.asdict(one.claim),
                "arm": one.arm,
                "baseline": one.baseline,
                "differences": one.differences,
                **dataclasses.asdict(one.decision),
            }
            for one in self.decided
        ]
        return {"schema": 1, **_finite(found)}

    def table(self) -> str:
        """Returns the means of each arm, then the decisions about the shown arm."""
        lines: list[str] = []
        names = list(self.arms)
        longest = max(len(heading(settings)) for settings in self.arms.values())
        column = min(max(_COLUMN, longest + 2), _WIDTH - _LABEL)
        at_once = (_WIDTH - _LABEL) // column
        head = f"{self.split}, {self.seeds} seed{'s' * (self.seeds != 1)}"
        for start in range(0, len(names), at_once):
            some = names[start : start + at_once]
            heads = (_cut(heading(self.arms[name]), column - 1) for name in some)
            lines.append(f"{head:{_LABEL}}" + "".join(f"{text:>{column}}" for text in heads))
            for name, number in self.numbers.items():
                cells = "".join(f"{_text(self.mean(name, arm)):>{column}}" for arm in some)
                lines.append(f"{_cut(number.label, _LABEL - 1):{_LABEL}}{cells}")
            lines.append("")
        about = [one for one in self.decided if one.arm == self.shown]
        if about:
            against = heading(self.arms[about[0].baseline])
            head = f"{heading(self.arms[self.shown])} − {against}"
            lines.append(_decision_line(head, "mean", "95 % interval", "verdict"))
        for one in about:
            decision = one.decision
            mean, interval = _signed(decision.mean), _interval(decision)
            lines.append(_decision_line(one.claim.name, mean, interval, decision.verdict))
        return "\n".join(lines).rstrip()


def heading(settings: Mapping[str, Any]) -> str:
    """Returns what an arm is called in a table: the values of its axes.

    Args:
        settings: By dotted key.

    Example:
    >>> heading({"training.alpha": 0.1}), heading({"training.alpha": 0.0, "data.examples": 100})
    ('α 0.1', 'hard, examples 100')
    """
    parts = []
    for key, value in settings.items():
        end = key.rpartition(".")[2]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        text = f"{value:g}" if number else str(value)
        if key == "training.alpha":
            parts.append("hard" if value == 0 else f"α {text}")
        elif key == "training.smoothing":
            parts.append(text)
        else:
            parts.append(f"{end} {text}")
    return ", ".join(parts)


def evidence_text(decided: Decided, label: str) -> str:
    """Returns what a decision rests on, in one line.

    Args:
        decided: The decision.
        label: What its measure is called.

    Example:
    >>> claim = Claim("calibration", "It falls", "ece", "better", 0.01)
    >>> decision = Decision("holds", -0.1, -0.12, -0.08, 0.001)
    >>> evidence_text(Decided(claim, "a", "b", (-0.1, -0.1), decision), "ECE")
    'ECE -0.1, 95 % interval -0.12 … -0.08, 2 seeds'
    """
    decision, n = decided.decision, len(decided.differences)
    text = f"{label} {_signed(decision.mean)}"
    if not math.isnan(decision.low):
        text += f", 95 % interval {_signed(decision.low)} … {_signed(decision.high)}"
    text += f", {n} seed{'s' * (n != 1)}"
    if decided.claim.paper is not None:
        text += f"; the paper: {_signed(decided.claim.paper)}"
    if decision.verdict == "can't tell":
        text += f"; {decision.reason}"
        if decision.seeds is not None:
            text += f"; about {decision.seeds} seeds would tell"
    return text


def _decision_line(about: str, mean: str, interval: str, verdict: str) -> str:
    """Returns a line of at most 80 letters: the longest verdict has 26."""
    return f"{_cut(about, 21):21} {mean:>9} {interval:21} {verdict}"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4g}"


def _signed(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.3g}"


def _interval(decision: Decision) -> str:
    if math.isnan(decision.low):
        return "–"
    return f"{_signed(decision.low)} … {_signed(decision.high)}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
