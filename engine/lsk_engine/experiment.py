"""The story of an experiment, to be read first: load → train → evaluate.

Data move forward, and nothing is set later on an object that was built earlier. All that outlives
the process is in the run directory, which is the interface between the stages: each can be done
again alone, in another process (`lsk train --resume`, `lsk evaluate`).

| stage | where it is told | what it leaves in the run directory |
|---|---|---|
| settings | `lsk_engine.data.resolve_config` | `config.json`, `environment.json` |
| load | `Task.load_data`, of the plugin | `artifacts/`, `data.json` |
| train | `lsk_engine.training.train` | `checkpoints/`, `history.jsonl`, `model.keras` |
| evaluate | `lsk_engine.scoring.evaluate` | `metrics.json`, `outputs/`, `evaluation/` |
"""

import time
from pathlib import Path
from typing import Any

from lsk_engine.devices.framework_errors import explain_peer_loss
from lsk_engine.devices.processes import join, wait_for_all
from lsk_engine.devices.strategy import configure_cpu_devices
from lsk_engine.progress import Reporter, duration
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.locking import locks_run
from lsk_engine.runs.resuming import check_resumption, record_resumption, seconds_before
from lsk_engine.runs.run_data import NewData, reload_data
from lsk_engine.runs.run_directory import RunDirectory, private_copy
from lsk_engine.scoring.evaluate import evaluate
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task, TaskData
from lsk_engine.tasks.loss import check_loss
from lsk_engine.training.distillation import teacher_artifacts
from lsk_engine.training.event_file import add_pictures, writes_events
from lsk_engine.training.init_from import first_artifacts
from lsk_engine.training.train import train


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
        config: What to do; with `resume` as the run was started, `runs.resuming.CHANGEABLE` apart.
        run: Where everything goes.
        reporter: Who is told.
        data: From `read_data`, if they were read before the run was made; `None`: it is done here.
        resume: Whether to go on from the run's newest checkpoint.
        tensorboard: Whether to write for TensorBoard, too; a run that has begun so goes on so.

    Where several processes train together, each calls this with the same arguments; the first is
    the chief, and only it writes the run. They find one another by
    `lsk_engine.devices.process_env`.

    Returns:
        The final scores, as in the run's `metrics.json`; of a process that is no chief, nothing.

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
    """Reads what a new run is to be trained on; where that fails, no run need have been made.

    A student takes the vocabulary of its teacher, and what starts from the weights of another run
    takes that one's.
    """
    # Before anything is computed:
    configure_cpu_devices(config.training.strategy, config.training.devices)
    join()
    check_loss(config.training)
    reporter.start_stage("loading the data")
    artifacts = teacher_artifacts(config) or first_artifacts(config)
    return NewData.read(task, config, artifacts, cache)


def _follow(
    task: Task, config: Config, run: RunDirectory, reporter: Reporter, *, stored: bool
) -> dict[str, Any]:
    """Trains along with the chief, which has the data and writes the run.

    `stored`: whether the command goes on with a run, so that the configuration is that one's.
    """
    wait_for_all()  # until the chief has loaded the data, and written what belongs to the model
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
    start = time.monotonic() - (data.seconds if data else 0)  # whoever has read them
    tensorboard = writes_events(run, reporter, wanted=tensorboard)
    if resume:
        check_resumption(task, config, run)
    found = _data(task, config, run, reporter, data, resume=resume)
    wait_for_all()  # those who follow read what was written
    for note in found.notes:
        reporter.detail(f"Note: {note}")  # the scores say so to everybody

    def begins() -> None:
        if resume:
            for consequence in record_resumption(task, config, run):
                reporter.warning(consequence)

    train(
        *(task, config, found, run, reporter),
        resume=resume,
        tensorboard=tensorboard,
        begins=begins,
    )
    before = seconds_before(run) if resume else 0.0
    seconds = before + time.monotonic() - start
    reporter.message(f"Trained in {duration(seconds)}")
    reporter.start_stage("loading the saved model")
    results = evaluate(task, config, run, reporter, data=found, seconds=seconds)
    if tensorboard:
        add_pictures(run)
    wait_for_all()  # a framework ends all where one has ended
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
    """Returns the run's data, and keeps of new ones what belongs to the model.

    A run that has a checkpoint has its vocabulary already; one that was killed before may have
    half of it, and starts anew.
    """
    if resume and Checkpoints(run.checkpoints).steps():
        reporter.start_stage("loading the data")
        return reload_data(task, config, run, whole=True)
    return (new or read_data(task, config, reporter, run.read_cache())).save_to(run)
