"""An experiment, to be read first: load → train → evaluate.

Data move forward: outside `lsk_engine.devices`, which patches models for a strategy, nothing is set
on an object after it was built. All that outlives the process is in the run directory, which is
the interface between the stages: each can be repeated alone, in another process
(`lsk train --resume`, `lsk evaluate`).

| stage | where | what it leaves in the run directory |
|---|---|---|
| settings | `lsk_engine.settings.resolving.resolve_config` | `config.json`, `environment.json` |
| load | `Task.load_data`, of the plugin | `artifacts/`, `data.json` |
| train | `lsk_engine.training.train` | `checkpoints/`, `history.jsonl`, `model.keras` |
| evaluate | `lsk_engine.scoring.evaluate` | `metrics.json`, `outputs/`, `evaluation/` |

`train_new_run` and `train_run` are what `lsk train` and `lsk distill` call: they create, lock and
log the run around `run_experiment`.
"""

import time
from pathlib import Path
from typing import Any

from ls_base.errors import FileError, InputError, MissingExtraError, shell_command
from lsk_engine.devices.framework_errors import explain_peer_loss
from lsk_engine.devices.process_env import find_process
from lsk_engine.devices.processes import join, wait_for_all
from lsk_engine.devices.strategy import configure_cpu_devices
from lsk_engine.progress import Reporter, duration
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.locking import locks_run
from lsk_engine.runs.naming import free_run_path
from lsk_engine.runs.resuming import (
    check_resumption,
    record_resumption,
    remove_on_failed_start,
    seconds_before,
)
from lsk_engine.runs.run_data import NewData, reload_data
from lsk_engine.runs.run_directory import RunDirectory, private_copy
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task, TaskData
from lsk_engine.tasks.loss import check_loss
from lsk_engine.training.checkpointing import Interrupted
from lsk_engine.training.distillation import teacher_artifacts
from lsk_engine.training.init_from import init_from_artifacts
from lsk_engine.training.tensorboard import add_pictures, continues_tensorboard
from lsk_engine.training.train import train


def train_new_run(
    task: Task,
    config: Config,
    path: Path | None,
    reporter: Reporter,
    *,
    tensorboard: bool = False,
) -> dict[str, Any]:
    """Reads the data, creates a run, trains and evaluates it.

    The data come first, so that an error in them leaves nothing behind. Where several processes
    train together, the chief does so, and the others need the path.

    Args:
        task: The task.
        config: The configuration.
        path: The run directory; `None`: one below `runs` with the run's name.
        reporter: Receives messages and progress.
        tensorboard: Whether to write for TensorBoard, too.

    Returns:
        The final scores, as `run_experiment`.

    Raises:
        LsKerasError: As `run_experiment`.
    """
    process = find_process()
    if path is None and process.count > 1:
        raise InputError("Expected --run-dir with the same path for all processes. Received: none")
    if path is not None and process.index:
        return train_run(task, config, RunDirectory(path), reporter)
    data = read_data(task, config, reporter)
    run = create_run(task, config, path)
    return train_run(task, config, run, reporter, data=data, tensorboard=tensorboard)


def train_run(
    task: Task,
    config: Config,
    run: RunDirectory,
    reporter: Reporter,
    *,
    data: NewData | None = None,
    resume: bool = False,
    tensorboard: bool = False,
) -> dict[str, Any]:
    """Locks a run, starts its log, then trains and evaluates it; see `run_experiment`.

    A new run is removed if it fails before anything was trained. Processes other than the chief
    are silent. After an interruption, a message says how to resume.
    """
    if find_process().index:
        return run_experiment(task, config, run, Reporter(verbosity=-1), resume=resume)
    reporter = reporter.with_log(run.log_file)
    reporter.message(f"Run: {run.path}")
    corrigible = (InputError, MissingExtraError)  # the same command can be given again
    try:
        with run.lock(), remove_on_failed_start(run.path, new=not resume, on=corrigible):
            return run_experiment(
                task, config, run, reporter, data=data, resume=resume, tensorboard=tensorboard
            )
    except Interrupted as stop:
        command = shell_command("lsk", "train", "--resume", run.path)
        reporter.warning(f"{stop}; resume with: {command}")
        raise


def create_run(task: Task, config: Config, path: Path | None) -> RunDirectory:
    """Creates the directory of a new run: `path`, or a free one below `runs` with the run's name.

    Args:
        task: The task.
        config: The configuration.
        path: The directory; `None`: see `lsk_engine.runs.naming.run_name`; a number is added if
            the name is taken.
    """
    if path is not None:
        return RunDirectory.create(path, config.to_dict())
    while True:
        free = free_run_path(task, config)
        try:
            return RunDirectory.create(free, config.to_dict())
        except FileError:
            if not (free / "config.json").exists():  # an error, not taken by another process
                raise


def run_experiment(
    task: Task,
    config: Config,
    run: RunDirectory,
    reporter: Reporter,
    *,
    data: NewData | None = None,
    resume: bool = False,
    tensorboard: bool = False,
) -> dict[str, Any]:
    """Trains a model, with `config.distillation` under its teacher, and evaluates it.

    Args:
        task: The task.
        config: The configuration; with `resume`, that of the run except for the settings
            `runs.resuming.CHANGEABLE`.
        run: The run directory.
        reporter: Receives messages and progress.
        data: The result of `read_data`; `None`: the data are read here.
        resume: Whether to continue from the run's newest checkpoint.
        tensorboard: Whether to write for TensorBoard, too; a resumed run continues to do so.

    Where several processes train together, each calls this with the same arguments; the first is
    the chief, and only it writes to the run (see `lsk_engine.devices.process_env`).

    Returns:
        The final scores, as in the run's `metrics.json`; empty if the process is not the chief.

    Raises:
        Interrupted: After Ctrl-C or another signal to stop; the run can be resumed.
        InputError: If another process is at work in the run.
        DivergenceError: If the loss or the state is not finite; no checkpoint has such a state.
        LsKerasError: If something that the user passed can't be used.
    """
    # Before anything is computed:
    configure_cpu_devices(config.training.strategy, config.training.devices)
    here = join()
    try:
        with explain_peer_loss():
            if here.index:
                return _follow(task, config, run, reporter, stored=resume)
            return _run(
                *(task, config, run, reporter), data=data, resume=resume, tensorboard=tensorboard
            )
    finally:
        reporter.end_stage()


def read_data(task: Task, config: Config, reporter: Reporter, cache: Path | None = None) -> NewData:
    """Reads the data of a new run, before the run is created.

    A student uses the vocabulary of its teacher, and a run that starts from the weights of another
    uses that of the other.
    """
    # Before anything is computed:
    configure_cpu_devices(config.training.strategy, config.training.devices)
    join()
    check_loss(config.training)
    reporter.start_stage("loading the data")
    artifacts = teacher_artifacts(config) or init_from_artifacts(config)
    return NewData.read(task, config, artifacts, cache)


def _follow(
    task: Task, config: Config, run: RunDirectory, reporter: Reporter, *, stored: bool
) -> dict[str, Any]:
    """Trains along with the chief, which reads the data and writes to the run.

    `stored`: whether the configuration comes from a run that is resumed.
    """
    wait_for_all()  # until the chief has loaded the data and written the artifacts
    with private_copy(run) as copy:
        data = reload_data(task, config, copy)
        train(task, config, data, copy, reporter, resume=True, stored=stored)
    wait_for_all()
    return {}


@locks_run
def _run(
    task: Task,
    config: Config,
    run: RunDirectory,
    reporter: Reporter,
    *,
    data: NewData | None,
    resume: bool,
    tensorboard: bool,
) -> dict[str, Any]:
    start = time.monotonic() - (data.seconds if data else 0)
    tensorboard = continues_tensorboard(run, reporter, wanted=tensorboard)
    if resume:
        check_resumption(task, config, run)
    found = _data(task, config, run, reporter, data, resume=resume)
    wait_for_all()  # the other processes read what was written
    for note in found.notes:
        reporter.detail(f"Note: {note}")  # with the scores, it is always shown

    def on_begin() -> None:
        if resume:
            for consequence in record_resumption(task, config, run):
                reporter.warning(consequence)

    train(
        *(task, config, found, run, reporter),
        resume=resume,
        tensorboard=tensorboard,
        on_begin=on_begin,
    )
    before = seconds_before(run) if resume else 0.0
    seconds = before + time.monotonic() - start
    reporter.message(f"Trained in {duration(seconds)}")
    reporter.start_stage("loading the saved model")
    results = evaluate(task, config, run, reporter, data=found, seconds=seconds)
    if tensorboard:
        add_pictures(run)
    wait_for_all()  # a framework ends all processes when one ends
    return results


def _data(
    task: Task,
    config: Config,
    run: RunDirectory,
    reporter: Reporter,
    new: NewData | None,
    *,
    resume: bool,
) -> TaskData:
    """Returns the run's data; those of a new run are saved as far as they belong to the model.

    A run with a checkpoint has its vocabulary already; one that was killed before may have half of
    it, and starts again.
    """
    if resume and Checkpoints(run.checkpoints).steps():
        reporter.start_stage("loading the data")
        return reload_data(task, config, run, whole=True)
    return (new or read_data(task, config, reporter, run.read_cache())).save_to(run)
