"""Sweeps over temperatures and numbers of beams: decoded scores of finished runs.

Each decoded point is stored in its run, so that no search is made twice, and an interrupted sweep
continues with the next point.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from os.path import lexists
from pathlib import Path
from typing import Any, NamedTuple

import keras
import msgspec

from ls_base.errors import InputError, short_repr
from ls_keras.calibration import temperature_curve
from ls_keras.plots import save_plot, temperature_panels
from lsk_engine.data.datasets import as_dataset, evaluation_source, explain_data_errors
from lsk_engine.devices.distributed_predict import model_on_devices
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_data import announce_unsmoothing, load_trained
from lsk_engine.runs.schemas import SweepPoint, SweepPoints
from lsk_engine.runs.stored_run import StoredRun, check_runs
from lsk_engine.settings.config import Config
from lsk_engine.settings.protocols import has_search
from lsk_engine.settings.resolving import replace_decoding
from lsk_engine.settings.unsmoothing import FITTED, unsmooth_alpha
from lsk_engine.tasks.contract import Scores, TaskData

_Searches = Mapping[tuple[float, int], Config]  # by removed α and number of beams
# Settings that do not change the outputs, or that a point stores by themselves.
_NOT_HASHED = ("batch_size", "temperature", "beam_size", "unsmooth")
_IDENTITY = ("search", "temperature", "beam_size", "undone_alpha")


class BeamSweep(NamedTuple):
    """The result of `sweep_beams`.

    Attributes:
        rows: A row for each run, removed α and number of beams, in this order: `run`, `alpha`,
            `undone_alpha`, `beam_size`, and the scores with the ends of their 95 % intervals,
            `<score>_low` and `<score>_high`, where they are known.
        labels: Labels of the scores.
    """

    rows: list[dict[str, Any]]
    labels: dict[str, str]


def sweep_beams(
    runs: Sequence[StoredRun],
    beam_sizes: Sequence[int],
    unsmooth: Sequence[float | str | None],
    reporter: Reporter,
    *,
    split: str = "validation",
) -> BeamSweep:
    """Decodes and scores runs with each number of beams and each removed α.

    The other settings of a search are those of `config.decoding`.

    Args:
        runs: Finished runs of one task whose decoding is a search.
        beam_sizes: Numbers of live beams; 1 is greedy search.
        unsmooth: Values of `decoding.unsmooth`; `None`: the run's own. Values that mean the same
            for a run, such as 0 and `fitted` with α = 0, are decoded once.
        reporter: Receives messages and progress.
        split: The split to decode.

    Raises:
        FileError: If a run has no model, or it is damaged.
        InputError: If there is no run, the runs' tasks differ or have no search, a run has no such
            split, or its smoothing cannot be removed. What follows from the settings is checked
            before anything is decoded.
    """
    check_runs(runs)
    if not beam_sizes or not unsmooth:
        raise InputError(
            "Expected at least one number of beams and one α to remove (0: none). "
            f"Received: {short_repr(list(beam_sizes))} and {short_repr(list(unsmooth))}"
        )
    searches = [_searches(stored, beam_sizes, unsmooth) for stored in runs]
    hard = [stored.config for stored in runs if stored.config.training.alpha == 0]
    if FITTED in unsmooth and hard:
        announce_unsmoothing(replace_decoding(hard[0], {"unsmooth": FITTED}), reporter)
    sweep = BeamSweep([], {})
    for stored, of_run in zip(runs, searches, strict=True):
        run, _, config = stored
        with run.lock():
            points = _StoredPoints(stored, *_load(stored, split), split, reporter)
            for (alpha, beam_size), searched in of_run.items():
                name = f"{run.path.name}, beam {beam_size}" + f", α = {alpha:g} undone" * bool(
                    alpha
                )
                scores = points.scores(searched, searched.decoding.temperature, name)
                sweep.labels.update(scores.labels)
                row = {"run": str(run.path), "alpha": config.training.alpha}
                row |= {"undone_alpha": alpha, "beam_size": beam_size, **scores.flat()}
                sweep.rows.append(row)
                reporter.message(f"{name}:  {_text(scores)}")
    return sweep


def sweep_temperature(
    runs: Sequence[StoredRun],
    temperatures: Sequence[float],
    output: Path | None,
    reporter: Reporter,
    *,
    split: str = "validation",
) -> list[dict[str, Any]]:
    """Scores runs at each temperature and draws the curves: the paper's Figure 4.

    NLL and ECE of a run come from one teacher-forced pass for all temperatures. They are those of
    the model's own p, also if `decoding.unsmooth` removes smoothing in the search.

    Args:
        runs: Finished runs of one task; `config.decoding` has the settings of the search.
        temperatures: T > 0.
        output: The PNG to write, with the numbers beside it as CSV and JSON; `None`: none.
        reporter: Receives messages and progress.
        split: The split to decode.

    Returns:
        A row for each run and temperature: `run`, `alpha`, `temperature`, the task's scores with
        the ends of their 95 % intervals, `nll` (nats per label) and `ece`.

    Raises:
        InputError: If there is no run, the runs' tasks differ, or a run has no such split.
    """
    check_runs(runs)
    labels: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for stored in runs:
        with stored.directory.lock():
            rows += _sweep_run(stored, temperatures, split, reporter, labels)
    # A score may lack its interval for some points, such as a BLEU of 0.
    rows = [{name: row[name] for name in row if all(name in one for one in rows)} for row in rows]
    if output is not None:
        title = f"Scores by temperature, {split}"
        score = next(iter(labels))
        save_plot(temperature_panels, rows, output, score=score, labels=labels, title=title)
    return rows


def _sweep_run(
    stored: StoredRun,
    temperatures: Sequence[float],
    split: str,
    reporter: Reporter,
    labels: dict[str, str],
) -> Iterable[dict[str, Any]]:
    run, _, config = stored
    model, data = _load(stored, split)
    source = evaluation_source(config, data, split)
    announce_unsmoothing(config, reporter)
    if alpha := unsmooth_alpha(config.training, config.decoding, config.distillation):
        reporter.message(
            f"{run.path}: searching with the smoothing α = {alpha:g} undone; NLL and ECE are those "
            "of the model itself"
        )
    reporter.message(f"{run.path}: NLL and ECE on {len(source.examples):,} examples")
    with explain_data_errors(source):
        curve = temperature_curve(
            model_on_devices(model, config),
            as_dataset(source, 0, source.steps_per_epoch),
            temperatures,
            from_logits=True,
            ignore_class=data.ignore_class,
        )
    points = _StoredPoints(stored, model, data, split, reporter)
    for temperature, nll, ece in zip(curve.temperatures, curve.nll, curve.ece, strict=True):
        name = f"{run.path.name}, T = {temperature:g}"
        scores = points.scores(config, temperature, name, nll=nll, ece=ece)
        labels.update(scores.labels)
        row = {"run": str(run.path), "alpha": config.training.alpha, "temperature": temperature}
        yield {**row, **scores.flat(), "nll": nll, "ece": ece}
        reporter.message(f"  T = {temperature:g}  {_text(scores)}  NLL {nll:.4f}  ECE {ece:.4f}")


def _searches(
    stored: StoredRun, beam_sizes: Sequence[int], unsmooth: Sequence[float | str | None]
) -> _Searches:
    found: dict[tuple[float, int], Config] = {}
    for undone in unsmooth:
        for beam_size in beam_sizes:
            changes: dict[str, Any] = {"beam_size": beam_size}
            if undone or hasattr(stored.config.decoding, "unsmooth"):  # other tasks remove nothing
                changes["unsmooth"] = undone
            try:
                one = replace_decoding(stored.config, changes)
                alpha = unsmooth_alpha(one.training, one.decoding, one.distillation)
            except InputError as error:
                raise InputError(f"{stored.directory.path}: {error}") from None
            found.setdefault((alpha, beam_size), one)
    return found


def _load(stored: StoredRun, split: str) -> tuple[keras.Model, TaskData]:
    model, data = load_trained(stored.task, stored.config, stored.directory)
    if split not in data.splits:
        raise InputError(f"Expected a split of {', '.join(data.splits)}. Received: {split!r}")
    return model, data


def _text(scores: Scores) -> str:
    return "  ".join(f"{scores.labels[n]} {scores.values[n]:.2f}" for n in scores.labels)


class _StoredPoints:
    """Decodes a split of a run with several searches; reads the scores of earlier ones."""

    def __init__(
        self, stored: StoredRun, model: keras.Model, data: TaskData, split: str, reporter: Reporter
    ):
        self._run, self._task, _ = stored
        self._model, self._data, self._split = model, data, split
        self._reporter = reporter
        self._file = self._run.sweep_file(split)
        self._digest = hashlib.sha256(self._run.model_file.read_bytes())

    def scores(
        self,
        config: Config,
        temperature: float,
        name: str,
        *,
        nll: float | None = None,
        ece: float | None = None,
    ) -> Scores:
        """Returns the scores of a search, which is made unless they are stored.

        Args:
            config: The run's configuration; `decoding` has the settings of the search.
            temperature: T, instead of the one of `config`.
            name: Shown before the progress.
            nll: Stored with the point, in nats per label.
            ece: Stored with the point.
        """
        new = self._point(config, temperature)
        stored = self._stored()
        old = next((one for one in stored if _is_same(one, new)), None)
        if old is None:
            scores = self._decode(config, temperature, f"{name}:")
        else:
            scores = Scores(old.values, old.labels, intervals=old.intervals)
            if nll is None or old.nll == nll:
                return scores
        new = msgspec.structs.replace(
            new,
            values=dict(scores.values),
            labels=dict(scores.labels),
            intervals=dict(scores.intervals),
            nll=nll,
            ece=ece,
        )
        others = [one for one in stored if not _is_same(one, new)]
        self._run.write_json(self._file, SweepPoints(points=[*others, new]).to_dict())
        return scores

    def _point(self, config: Config, temperature: float) -> SweepPoint:
        """Returns the identity of a point, without scores."""
        values = dataclasses.asdict(config.decoding)
        settings = {k: v for k, v in values.items() if k not in _NOT_HASHED}
        digest = self._digest.copy()
        digest.update(json.dumps(settings, sort_keys=True).encode())
        return SweepPoint(
            search=digest.hexdigest(),
            temperature=temperature,
            values={},
            labels={},
            intervals={},
            beam_size=getattr(config.decoding, "beam_size", None),
            undone_alpha=unsmooth_alpha(config.training, config.decoding, config.distillation),
        )

    def _decode(self, config: Config, temperature: float, title: str) -> Scores:
        # A task whose outputs do not depend on T (the largest logit) has no such setting.
        if has_search(config.decoding):
            config = config.replace("decoding", temperature=temperature)
        examples = self._data.splits[self._split]
        progress = self._reporter.counter(title, "examples")
        outputs = self._task.decode(self._model, examples, config, self._data, progress)
        return self._task.score(examples, outputs)

    def _stored(self) -> list[SweepPoint]:
        return self._run.read(self._file, SweepPoints).points if lexists(self._file) else []


def _is_same(one: SweepPoint, other: SweepPoint) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _IDENTITY)
