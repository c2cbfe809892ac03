"""Names of runs, their folders and checkpoints."""

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from lsk_engine.settings.config import Config
from lsk_engine.settings.training import DEFAULT_LOSS
from lsk_engine.settings.user_code import NamedCode
from lsk_engine.tasks.contract import Task

_CHECKPOINT = re.compile(r"step-(\d{8,})\.npz")
# The most letters of each part: a run's name has about 100 at most.
_DATA, _MODEL, _TEACHER = 28, 24, 40
_NO_FILE_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_FILES = (".npz", ".tsv", ".csv", ".json")


def checkpoint_file(directory: Path, step: int) -> Path:
    """Returns the path of a step's checkpoint."""
    return directory / f"step-{step:08d}.npz"


def checkpoint_steps(directory: Path) -> list[int]:
    """Returns the steps of the checkpoints in a folder, ascending; other files are ignored."""
    if not directory.is_dir():
        return []
    found = (_CHECKPOINT.fullmatch(file.name) for file in directory.iterdir())
    return sorted(int(match[1]) for match in found if match)


def folder_names(paths: Sequence[Path]) -> list[str]:
    """Returns the names of folders, or their paths if two have the same name.

    Args:
        paths: Different folders.

    Example:
    >>> folder_names([Path("a/hard"), Path("a/smoothed")])
    ['hard', 'smoothed']
    >>> folder_names([Path("a/hard"), Path("b/hard")])
    ['a/hard', 'b/hard']
    """
    names = [path.name for path in paths]
    return names if len(set(names)) == len(names) else [str(path) for path in paths]


def unique_paths(path: Path) -> Iterator[Path]:
    """Yields those of `path`, `path-2`, `path-3` and so on that don't exist.

    Example:
    >>> next(unique_paths(Path("no/such/run"))).name
    'run'
    """
    names = (path.with_name(f"{path.name}-{number}") for number in itertools.count(2))
    return (one for one in itertools.chain([path], names) if not one.exists())


def run_name(task: Task, config: Config) -> str:
    """Returns the default name of a run: `TASK-DATA-MODEL-LOSS-alphaA-seedS`.

    A student's name continues with its teacher, T and β. The data part is the name of the source,
    its folder or file; the model part is present if the task has several models, and the loss part
    if the loss is not smoothed cross-entropy. Characters that a
    file's name can't have become `-`.

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
    parts = [task.name, _shorten(_base_name(config.data.source), _DATA) or "data"]
    model = str(getattr(config.model, "name", ""))
    if len(task.models) > 1 and model:
        parts.append(_shorten(_base_name(model), _MODEL) or "model")
    if config.training.loss != DEFAULT_LOSS:
        parts.append(_shorten(config.training.loss, _MODEL) or "loss")
    parts += [f"alpha{config.training.alpha:g}", f"seed{config.training.seed}"]
    distillation = config.distillation
    if distillation:
        teacher = PurePath(distillation.teacher).name.removeprefix(f"{task.name}-")
        parts += ["student-of", _shorten(teacher, _TEACHER) or "teacher"]
        parts += [f"T{distillation.teacher_temperature:g}", f"beta{distillation.beta:g}"]
    return "-".join(parts)


def free_run_path(task: Task, config: Config) -> Path:
    """Returns a path below `runs` with the run's name that no other run has now."""
    return next(unique_paths(Path("runs") / run_name(task, config)))


def _base_name(text: str) -> str:
    """Returns the name of data or code without its folders."""
    named = NamedCode.read(text)
    if named is not None:
        module = PurePath(named.module).stem if named.is_file else named.module
        return f"{module}-{named.function}"
    path = PurePath(text.removeprefix("tfds:"))
    if not path.is_absolute():  # `wmt14_translate/de-en` of TFDS
        return "-".join(path.parts)
    return path.stem if path.suffix in _FILES else path.name


def _shorten(text: str, length: int) -> str:
    """Returns at most `length` letters from the end of a text, all valid in a file's name.

    The end is where the names of versions, seeds and folders differ.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _NO_FILE_NAME.sub("-", plain).strip(".-")[-length:].strip(".-")


def name_by_alpha(runs: Sequence[Path], alphas: Sequence[float]) -> list[str]:
    """Returns a name for each run: its α, with its folder if others have the same α.

    Args:
        runs: The run directories.
        alphas: Their label smoothings.

    Example:
    >>> name_by_alpha([Path("a"), Path("b"), Path("c")], [0.0, 0.1, 0.1])
    ['α = 0', 'α = 0.1 (b)', 'α = 0.1 (c)']
    """
    return [
        f"α = {alpha:g}" + f" ({folder})" * (alphas.count(alpha) > 1)
        for folder, alpha in zip(folder_names(list(runs)), alphas, strict=True)
    ]
