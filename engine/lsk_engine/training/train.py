"""Training: prepare, `fit` epoch by epoch with callbacks, and finish with the saved model."""

import contextlib
from collections.abc import Callable

import keras

from ls_base.errors import FileError
from ls_base.safe_open import is_regular
from lsk_engine.data.datasets import as_dataset, explain_data_errors
from lsk_engine.devices.framework_errors import explain_oom, explain_peer_loss
from lsk_engine.devices.precision import precision
from lsk_engine.devices.replicas import distribute_dataset
from lsk_engine.devices.strategy import choose_strategy
from lsk_engine.progress import Reporter
from lsk_engine.runs.checkpoints import restore_metrics
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task, TaskData
from lsk_engine.training.checkpointing import CheckpointEvery
from lsk_engine.training.distillation import with_teacher_logits
from lsk_engine.training.divergence import DivergenceMonitor
from lsk_engine.training.optimizers import apply_ema
from lsk_engine.training.preparation import Training, prepare_training
from lsk_engine.training.signals import StopRequest, stop_on_signal
from lsk_engine.training.tensorboard import TensorBoardLog
from lsk_engine.training.training_log import TrainingLog, draw_learning_curves
from lsk_engine.training.validation import Validation
from lsk_engine.training.weight_averaging import average_checkpoints

Callbacks = list[keras.callbacks.Callback]


def train(
    task: Task,
    config: Config,
    data: TaskData,
    run: RunDirectory,
    reporter: Reporter,
    *,
    resume: bool = False,
    stored: bool | None = None,
    tensorboard: bool = False,
    on_begin: Callable[[], None] = lambda: None,
) -> None:
    """Trains a model, with `config.distillation` under its teacher, and saves it in the run.

    Args:
        task: The task.
        config: The configuration.
        data: The task's data; their artifacts are in the run already.
        run: The run, to which checkpoints, history and model are written.
        reporter: Receives messages and progress.
        resume: Whether to continue from the run's newest checkpoint.
        stored: Whether the configuration comes from a run, not from the present command; default:
            `resume`.
        tensorboard: Whether to write for TensorBoard, too.
        on_begin: Called when everything is checked, before anything is written.

    Raises:
        Interrupted: After Ctrl-C or another signal to stop; the run can be resumed.
        DivergenceError: If the loss or the state is not finite; no checkpoint has such a state.
        LsKerasError: If something that the user passed can't be used.
    """
    options = config.training
    keras.utils.set_random_seed(options.seed)
    stored = resume if stored is None else stored
    data = with_teacher_logits(task, config, data, run, reporter, stored=stored)
    chosen = choose_strategy(options.strategy, options.devices)
    with precision(options.precision), explain_peer_loss(), chosen.scope:
        training = prepare_training(task, config, data, run, reporter, resume=resume)
        reporter.message(f"Strategy {chosen.name}: {chosen.devices}")
        on_begin()
        run.write_history(training.history)
        num_classes = None if config.distillation else data.num_classes
        monitor = DivergenceMonitor(run, training.checkpoints, num_classes)
        log = TrainingLog(
            *(run, reporter, training.source, training.start, training.total),
            *(task.unit, monitor, training.validation.steps_per_epoch),
        )
        with stop_on_signal() as stop_requested, contextlib.ExitStack() as closing:
            closing.callback(training.checkpoints.wait)
            callbacks = _callbacks(training, config, log, monitor, stop_requested)
            if tensorboard:
                board = TensorBoardLog(run, config, training.start, training.total)
                closing.callback(board.close)
                callbacks.insert(2, board)  # after the validation
            step = _fit(training, config, callbacks)
        _finish(training, config, run, reporter, step)
    draw_learning_curves(run, config)


def _callbacks(
    training: Training,
    config: Config,
    log: TrainingLog,
    monitor: DivergenceMonitor,
    stop_requested: StopRequest,
) -> Callbacks:
    """Returns the callbacks in the order in which they act at the end of an epoch."""
    saver = CheckpointEvery(
        training.checkpoints,
        config.training.checkpoint_every,
        step=training.start,
        total=training.total,
        steps_per_epoch=training.source.steps_per_epoch,
        stop_requested=stop_requested,
        monitor=monitor,
        early_stopping=training.early_stopping,
        restored=training.restored,
    )
    every = config.training.validate_every
    validation = Validation(training.validator, training.validation, every, saver, [log])
    return [validation, log, training.early_stopping, saver]


def _fit(training: Training, config: Config, callbacks: Callbacks) -> int:
    """Trains epoch by epoch to the last step, or until early stopping; returns the step."""
    step, per_epoch = training.start, training.source.steps_per_epoch
    if training.pending_loss is not None:  # the epoch that ended before the run was stopped
        restore_metrics(training.learner, training.restored or {})
        ending = keras.callbacks.CallbackList(callbacks, model=training.learner)
        ending.on_epoch_end((step - 1) // per_epoch, {"loss": training.pending_loss})
    while step < training.total and not training.early_stopping.should_stop:
        start, epoch = step, step // per_epoch
        step = min((epoch + 1) * per_epoch, training.total)
        with explain_oom(config.training.batch_size), explain_data_errors(training.source):
            training.learner.fit(
                distribute_dataset(as_dataset(training.source, start, step)),
                initial_epoch=epoch,
                epochs=epoch + 1,
                steps_per_epoch=step - start,
                callbacks=callbacks,
                shuffle=False,  # the source has shuffled
                verbose=0,
            )
    return step


def _finish(
    training: Training, config: Config, run: RunDirectory, reporter: Reporter, step: int
) -> None:
    """Sets the final weights and saves the model, unless nothing was trained."""
    model, checkpoints, best = training.model, training.checkpoints, training.early_stopping
    if step == training.start and training.pending_loss is None and _has_valid_model(run):
        reporter.message(f"Nothing is left to train: {run.model_file} stays as it is")
        return
    reporter.start_stage("saving the model")
    if best.should_stop and step < training.total:
        reporter.message(f"Stopped after step {step:,} of {training.total:,}: {best.describe()}")
    if config.optimizer.ema_momentum:
        apply_ema(training.learner)
    if config.training.save_weights == "best" and best.step != step:
        best.restore(model, checkpoints)
        reporter.message(f"Kept the weights of step {best.step:,}: {best.describe()}")
    if training.averaged:
        average_checkpoints(model, checkpoints, training.averaged)
        reporter.message(f"Averaged the weights of steps {', '.join(map(str, training.averaged))}")
    # Without the optimizer: its state is in the checkpoints, and loading does not need it.
    run.save_model(keras.Model(model.inputs, model.outputs[0], name=model.name))


def _has_valid_model(run: RunDirectory) -> bool:
    """Returns whether the saved model is unchanged: other runs may refer to its digest."""
    if not is_regular(run.model_file):
        return False
    try:
        run.checksums.check(run.model_file)
    except FileError:
        return False
    return True
