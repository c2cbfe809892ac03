"""What a run is called that nobody has named: after its data and its model."""

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from lsk_engine.settings.config import Config
from lsk_engine.settings.training import DEFAULT_LOSS
from lsk_engine.settings.user_code import NamedCode
from lsk_engine.tasks.contract import Task

_NAME = re.compile(r"step-(\d{8,})\.npz")


def checkpoint_file(directory: Path, step: int) -> Path:
    """Returns where the checkpoint of a step is, or would be."""
    return directory / f"step-{step:08d}.npz"


def checkpoint_steps(directory: Path) -> list[int]:
    """Returns the steps of the checkpoints that are there, ascending; other files don't count."""
    if not directory.is_dir():
        return []
    found = (_NAME.fullmatch(file.name) for file in directory.iterdir())
    return sorted(int(match[1]) for match in found if match)


def folder_names(paths: Sequence[Path]) -> list[str]:
    """Returns the names of folders, or, where two have the same one, their paths.

    Args:
        paths: The folders, all different.

    Example:
    >>> folder_names([Path("a/hard"), Path("a/smoothed")])
    ['hard', 'smoothed']
    >>> folder_names([Path("a/hard"), Path("b/hard")])
    ['a/hard', 'b/hard']
    """
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def unique_paths(path: Path) -> Iterator[Path]:
    """Yields `path`, then `path-2`, `path-3` and so on, those that are not there.

    Example:
    >>> next(unique_paths(Path("no/such/run"))).name
    'run'
    """
    names = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return (one for one in itertools.chain([path], names) if not one.exists())


# Letters of each part, so that a name has about 100 at most.
_DATA, _MODEL, _TEACHER = 28, 24, 40
_ELSEWHERE = re.compile(r"[^A-Za-z0-9._-]+")


def run_name(task: Task, config: Config) -> str:
    """Returns `TASK-DATA-MODEL-LOSS-alphaA-seedS`; for a student, teacher, T and β follow.

    The data are called as their source is, or as their folder or file; the model has a part where
    the task has several, the loss where it is not smoothed cross-entropy. What can't be in the name
    of a file anywhere becomes `-`.

    Args:
        task: The task.
        config: The run's configuration.

    Example:
    >>> from lsk_engine.settings.resolving import resolve_config
    >>> from lsk_engine.tasks.registry import load_task
    >>> settings = {"data.source": "/photos/flowers", "model.name": "resnet20"}
    >>> task = load_task("image")
    >>> run_name(task, resolve_config(task, None, {**settings, "training.alpha": 0.1}))
    'image-flowers-resnet20-alpha0.1-seed0'
    """
    parts = [task.name, _short(_source(config.data.source), _DATA) or "data"]
    model = str(getattr(config.model, "name", ""))
    if len(task.models) > 1 and model:
        parts.append(_short(_source(model), _MODEL) or "model")
    if config.training.loss != DEFAULT_LOSS:
        parts.append(_short(config.training.loss, _MODEL) or "loss")
    parts += [f"alpha{config.training.alpha:g}", f"seed{config.training.seed}"]
    taught = config.distillation
    if taught:
        teacher = PurePath(taught.teacher).name.removeprefix(f"{task.name}-")
        parts += ["student-of", _short(teacher, _TEACHER) or "teacher"]
        parts += [f"T{taught.teacher_temperature:g}", f"beta{taught.beta:g}"]
    return "-".join(parts)


def free_run_path(task: Task, config: Config) -> Path:
    """Returns a path below `runs` with the run's name that no other run has now."""
    return next(unique_paths(Path("runs") / run_name(task, config)))


def _source(text: str) -> str:
    """Returns what data or code are called, without the folders that they lie in."""
    named = NamedCode.read(text)
    if named is not None:
        module = PurePath(named.module).stem if named.is_file else named.module
        return f"{module}-{named.function}"
    path = PurePath(text.removeprefix("tfds:"))
    if not path.is_absolute():  # `wmt14_translate/de-en` of TFDS
        return "-".join(path.parts)
    return path.stem if path.suffix in _FILES else path.name


_FILES = (".npz", ".tsv", ".csv", ".json")


def _short(text: str, most: int) -> str:
    """Returns what of a text can be in the name of a file, and no more of it than `most` letters.

    The end is kept: that is where the names of versions, seeds and folders differ.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _ELSEWHERE.sub("-", plain).strip(".-")[-most:].strip(".-")
