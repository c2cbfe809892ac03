"""Training: `fit`, epoch by epoch, with checkpoints, up to the saved model."""

import contextlib
from collections.abc import Callable

import keras

from ls_base.errors import FileError
from ls_base.safe_open import is_regular
from lsk_engine.data.batch_sources import evaluation_source, training_source
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.datasets import as_dataset, explain_data_errors
from lsk_engine.devices import strategy
from lsk_engine.devices.framework_errors import explain_oom, explain_peer_loss
from lsk_engine.devices.keras_patches import patch_for_strategy, patch_layers
from lsk_engine.devices.precision import precision, with_loss_scaling
from lsk_engine.devices.replicas import distribute_dataset
from lsk_engine.devices.xla import compiles_replicas, jit_compile
from lsk_engine.progress import Reporter
from lsk_engine.runs.checkpoints import Checkpoints, restore_metrics
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Task, TaskData
from lsk_engine.tasks.loss import build_loss
from lsk_engine.training.checkpointing import CheckpointEvery, StopsValidation, owed_loss
from lsk_engine.training.curves import draw_learning_curves
from lsk_engine.training.distillation import build_learner, with_teacher_logits
from lsk_engine.training.divergence import FiniteWatch
from lsk_engine.training.early_stopping import BestValidation, history_until
from lsk_engine.training.init_from import start_from
from lsk_engine.training.optimizers import average_last, build_optimizer
from lsk_engine.training.signals import stop_on_signal
from lsk_engine.training.tensorboard_log import TensorBoardLog
from lsk_engine.training.training_log import TrainingLog
from lsk_engine.training.unused_settings import void_settings
from lsk_engine.training.validation import build_validator
from lsk_engine.training.weight_averaging import average_checkpoints, averaged_steps


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
    begins: Callable[[], None] = lambda: None,
) -> None:
    """Trains a model, with `config.distillation` under its teacher, and saves it in the run.

    Args:
        task: The task.
        config: What to do.
        data: The task's data; their artifacts are in the run already.
        run: Where checkpoints, history and model go.
        reporter: Who is told.
        resume: Whether to go on from the run's newest checkpoint.
        stored: Whether the configuration is a run's, and not what a command was told just now;
            default: `resume`.
        tensorboard: Whether to write for TensorBoard, too.
        begins: Called when all was looked at that can be refused, and nothing was written yet.

    Raises:
        Interrupted: After Ctrl-C or another signal to stop; the run can be resumed.
        DivergenceError: If the loss or the state is not finite; no checkpoint has such a state.
        LsKerasError: If something that the user passed can't be used.
    """
    options = config.training
    keras.utils.set_random_seed(options.seed)
    data = with_teacher_logits(
        task, config, data, run, reporter, stored=resume if stored is None else stored
    )
    chosen = strategy.choose_strategy(options.strategy, options.devices)
    with precision(options.precision), explain_peer_loss(), chosen.scope:
        source = training_source(config, data)
        total = options.steps or (options.epochs or 1) * source.steps_per_epoch
        averaged = averaged_steps(total, options.checkpoint_every, options.average_checkpoints)
        kept = set(averaged)
        checkpoints = Checkpoints(run.checkpoints, options.max_to_keep, options.keep_every, kept)
        reporter.start_stage("building the model")
        model = task.build_model(config, data)
        if model.compiled:
            reporter.message(
                "Note: the model was compiled before; the run's loss and optimizer replace its own"
            )
        varying = patch_layers(model, sync_batch_norm=options.sync_batch_norm)
        if varying:
            reporter.message(
                "Note: with another number of devices, the random numbers of these layers differ: "
                + ", ".join(varying)
            )
        loss = build_loss(config, data, reduction="sum")  # the weights hold the denominator
        learner = build_learner(model, loss, task, config, data)  # the model, or its distiller
        learner.compile(
            optimizer=with_loss_scaling(
                build_optimizer(config.optimizer, total, loss_weight=options.loss_weight)
            ),
            loss=loss if learner is model else None,
            jit_compile=jit_compile(config),
        )
        patch_for_strategy(
            learner, parts=options.gradient_accumulation_steps, xla=compiles_replicas(config)
        )
        # Else TensorFlow traces the first step twice: once to make the variables.
        learner.optimizer.build(learner.trainable_variables)
        validator = build_validator(model, config, data)
        reporter.end_stage()
        reporter.message(
            f"{len(source.examples):,} training examples, {data.num_classes:,} classes, "
            f"{model.count_params():,} parameters, {total:,} steps"
        )
        reporter.message(f"Strategy {chosen.name}: {chosen.devices}")
        for text in void_settings(task, config, total):
            reporter.warning(text)
        step, restored = 0, None
        if resume and checkpoints.steps():
            restored = checkpoints.restore(learner, warn=reporter.warning)
            step = int(restored["step"])
            if step > total:
                raise FileError(
                    f"Expected a checkpoint of one of the run's {total:,} steps in "
                    f"{run.checkpoints}. Received: step {step:,}"
                )
            reporter.message(f"Resuming after step {step:,}")
        elif options.init_from is not None:
            task.import_layers(config)
            start_from(model, config, data, reporter)
        validation = evaluation_source(config, data, "validation")
        first, owed = step, owed_loss(restored)
        ended = step == total or step % source.steps_per_epoch == 0
        history = history_until(
            run.read_history(), step, options, owed=owed is not None, ended=ended
        )
        best = BestValidation(options, history, kept)
        if restored is not None:
            best.check(checkpoints)
        begins()
        run.write_history(history)
        watch = FiniteWatch(
            run, checkpoints, guess=None if config.distillation else data.num_classes
        )
        log = TrainingLog(run, reporter, source, step, total, task.unit, watch)
        board = TensorBoardLog(run, config, step, total) if tensorboard else None
        with stop_on_signal() as stop_requested, contextlib.ExitStack() as at_last:
            at_last.callback(checkpoints.wait)
            if board:
                at_last.callback(board.close)
            saver = CheckpointEvery(
                checkpoints,
                options.checkpoint_every,
                step=step,
                total=total,
                steps_per_epoch=source.steps_per_epoch,
                stop_requested=stop_requested,
                watch=watch,
                restored=restored,
            )

            callbacks = [log, *([board] if board else []), saver]  # who saves may stop

            def end_epoch(loss_of_epoch: float) -> None:
                watch.check_loss(step, loss_of_epoch)  # before time is spent on validating NaN
                saver.stop_before_validation(loss_of_epoch)
                epoch, scores = (step - 1) // source.steps_per_epoch, {}
                if step == total or (epoch + 1) % options.validate_every == 0:
                    with explain_data_errors(validation), explain_oom(options.batch_size):
                        scores = validator.evaluate(
                            distribute_dataset(
                                as_dataset(validation, 0, validation.steps_per_epoch)
                            ),
                            callbacks=[
                                log.validating(validation.steps_per_epoch),
                                StopsValidation(saver, loss_of_epoch),
                            ],
                            return_dict=True,
                            verbose=0,
                        )
                for text in watch.risen(loss_of_epoch, scores):
                    reporter.warning(text)
                log.end_epoch(epoch, loss_of_epoch, scores)
                if board:
                    board.end_epoch(loss_of_epoch, scores)
                improved = bool(scores) and best.take(step, scores)
                # After the history has its entry: neither is lost without both.
                saver.end_epoch(
                    loss_of_epoch, due=best.over or (improved and options.save_weights == "best")
                )

            if owed is not None:
                saver.set_model(learner)
                restore_metrics(learner, restored or {})
                end_epoch(owed)
            while step < total and not best.over:
                start = step
                step = min((start // source.steps_per_epoch + 1) * source.steps_per_epoch, total)
                with explain_oom(options.batch_size):
                    loss_of_epoch = _fit(learner, source, start, step, callbacks)
                end_epoch(loss_of_epoch)
        if step == first and owed is None and _has_model(run):
            reporter.message(f"Nothing is left to be trained: {run.model_file} stays as it is")
        else:
            reporter.start_stage("saving the model")
            if best.over and step < total:
                reporter.message(f"Stopped after step {step:,} of {total:,}: {best.said()}")
            if config.optimizer.ema_momentum:
                average_last(learner)
            if options.save_weights == "best" and best.step != step:
                best.restore(model, checkpoints)
                reporter.message(f"Kept the weights of step {best.step:,}: {best.said()}")
            if averaged:
                average_checkpoints(model, checkpoints, averaged)
                reporter.message(f"Averaged the weights of steps {', '.join(map(str, averaged))}")
            # Without the optimizer: its state is in the checkpoints, and loading needs none of it.
            run.save_model(keras.Model(model.inputs, model.outputs[0], name=model.name))
    draw_learning_curves(run, config)


def _has_model(run: RunDirectory) -> bool:
    """Returns whether the run's model is there as it was saved: others may know it by its bytes."""
    if not is_regular(run.model_file):
        return False
    try:
        run.checksums.check(run.model_file)
    except FileError:
        return False
    return True


def _fit(
    learner: keras.Model,
    source: BatchSource,
    start: int,
    end: int,
    callbacks: list[keras.callbacks.Callback],
) -> float:
    """Trains for the steps `start` … `end − 1`, of one epoch; returns the epoch's mean loss."""
    epoch = start // source.steps_per_epoch
    with explain_data_errors(source):
        fitted = learner.fit(
            distribute_dataset(as_dataset(source, start, end)),
            initial_epoch=epoch,
            epochs=epoch + 1,
            steps_per_epoch=end - start,
            callbacks=callbacks,
            shuffle=False,  # the source has shuffled
            verbose=0,
        )
    return fitted.history["loss"][-1]
