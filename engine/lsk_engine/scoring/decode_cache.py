"""The scores of a run's searches, in a file of the run: no search is made twice."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from os.path import lexists
from typing import Any

import keras
import msgspec

from lsk_engine.progress import Reporter
from lsk_engine.runs.schemas import SweepPoint, SweepPoints
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.settings.config import Config
from lsk_engine.settings.protocols import has_search
from lsk_engine.settings.unsmoothing import unsmooth_alpha
from lsk_engine.tasks.contract import Scores, TaskData

# Of no matter to what is found, or kept by themselves.
_BESIDE = ("batch_size", "temperature", "beam_size", "unsmooth")
_TOLD_BY = ("elsewise", "temperature", "beam_size", "undone_alpha")


class SearchedPoints:
    """Decodes a split of a run in one way after another, or finds the scores of what was decoded.

    A point belongs to a model and to a way of searching; points of others stay where they are.

    Args:
        stored: The run.
        model: Its model.
        data: Its data.
        split: The split to decode.
        reporter: Who is told.
    """

    def __init__(
        self,
        stored: StoredRun,
        model: keras.Model,
        data: TaskData,
        split: str,
        reporter: Reporter,
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
        told: str,
        *,
        nll: float | None = None,
        ece: float | None = None,
    ) -> Scores:
        """Returns the scores of a search, which is made unless they are there.

        Args:
            config: The run's configuration; its `decoding` says how to search.
            temperature: T, in place of that of `config`.
            told: What stands before the progress.
            nll: Kept with the point, nats a label.
            ece: Kept with the point.
        """
        new = self._point(config, temperature)
        points = self._all()
        found = next((one for one in points if _same(one, new)), None)
        if found is None:
            scores = self._decode(config, temperature, told)
            points = self._all()
        else:
            scores = Scores(found.values, found.labels, intervals=found.intervals)
            nll, ece = (found.nll, found.ece) if nll is None else (nll, ece)
            if found.elsewise is not None and found.nll == nll:
                return scores
        new = msgspec.structs.replace(
            new,
            values=dict(scores.values),
            labels=dict(scores.labels),
            intervals=dict(scores.intervals),
            nll=nll,
            ece=ece,
        )
        others = [one for one in points if not _same(one, new)]
        self._run.write_json(self._file, SweepPoints(points=[*others, new]).to_dict())
        return scores

    def _point(self, config: Config, temperature: float) -> SweepPoint:
        """Returns what tells a point from others, without scores."""
        values = dataclasses.asdict(config.decoding)
        return SweepPoint(
            settings=self._of_model({**values, "temperature": None}),
            temperature=temperature,
            values={},
            labels={},
            intervals={},
            elsewise=self._of_model({k: v for k, v in values.items() if k not in _BESIDE}),
            beam_size=getattr(config.decoding, "beam_size", None),
            undone_alpha=unsmooth_alpha(config.training, config.decoding, config.distillation),
        )

    def _decode(self, config: Config, temperature: float, told: str) -> Scores:
        # A task whose outputs do not depend on T (the largest logit) has no such setting.
        if has_search(config.decoding):
            config = config.replace("decoding", temperature=temperature)
        examples = self._data.splits[self._split]
        progress = self._reporter.counter(told, "examples")
        outputs = self._task.decode(self._model, examples, config, self._data, progress)
        return self._task.score(examples, outputs)

    def _all(self) -> list[SweepPoint]:
        return self._run.read(self._file, SweepPoints).points if lexists(self._file) else []

    def _of_model(self, settings: Mapping[str, Any]) -> str:
        digest = self._digest.copy()
        digest.update(json.dumps(settings, sort_keys=True).encode())
        return digest.hexdigest()


def _same(one: SweepPoint, other: SweepPoint) -> bool:
    """Returns whether two points are of one search; those of earlier versions know less of it."""
    if one.elsewise is None:
        return (one.settings, one.temperature) == (other.settings, other.temperature)
    return all(getattr(one, name) == getattr(other, name) for name in _TOLD_BY)
