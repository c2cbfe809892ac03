"""The story of an experiment: train, then evaluate. The file to read first.

`train` goes: configuration → data → model, loss and optimizer under the strategy → `fit`, epoch
by epoch, with checkpoints → the saved model → `evaluate`, which loads that model as anybody else
would. All that outlives the process is in the run directory.
"""

import contextlib
import dataclasses
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from ls_keras import strategy
from ls_keras.batches import BatchSource, as_dataset, bucket_boundaries
from ls_keras.calibration import Accuracy, NegativeLogLikelihood
from ls_keras.checkpoints import CheckpointEvery, Checkpoints
from ls_keras.config import Config
from ls_keras.distilling import build_learner, teacher_artifacts, with_teacher_logits
from ls_keras.errors import LsKerasError
from ls_keras.evaluation import Scorer
from ls_keras.losses import SmoothedCE, Unigram, smoothing
from ls_keras.optimization import build_optimizer
from ls_keras.plots import reliability_diagram, reliability_rows
from ls_keras.plots import save as save_figure
from ls_keras.progress import Reporter, duration
from ls_keras.run_directory import SCHEMA, RunDirectory, read_json, write_json
from ls_keras.task import Examples, Task, TaskData
from ls_keras.training_log import TrainingLog
from ls_keras.weight_averaging import average_checkpoints, averaged_steps


def train(
    task: Task, config: Config, run: RunDirectory, reporter: Reporter, *, resume: bool = False
) -> dict[str, Any]:
    """Trains a model, with `config.distillation` under its teacher, and evaluates it.

    Args:
        task: The task.
        config: What to do; `resume` needs the configuration that the run was started with.
        run: Where everything goes.
        reporter: Who is told.
        resume: Whether to go on from the run's newest checkpoint.

    Returns:
        The final scores, as in the run's `metrics.json`.

    Raises:
        Interrupted: After Ctrl-C or SIGTERM; the run can be resumed.
        LsKerasError: If something that the user passed can't be used, or training diverges.
    """
    options = config.training
    start = time.monotonic()
    keras.utils.set_random_seed(options.seed)
    data = task.load_data(config, run.read_artifacts() if resume else teacher_artifacts(config))
    run.write_artifacts(data.artifacts)
    data = with_teacher_logits(task, config, data, reporter)
    source = training_source(config, data)
    total = options.steps or (options.epochs or 1) * source.steps_per_epoch
    averaged = averaged_steps(total, options.checkpoint_every, options.average_last)
    checkpoints = Checkpoints(
        run.checkpoints, options.checkpoints_kept, options.checkpoints_kept_every, averaged
    )
    for note in data.notes:
        reporter.message(f"Note: {note}")

    with precision(options.precision), strategy.scope(options.strategy, options.devices):
        model = task.build_model(config, data)
        loss = build_loss(config, data, reduction="sum")  # the weights hold the denominator
        learner = build_learner(model, loss, task, config, data)  # the model, or its distiller
        learner.compile(
            optimizer=build_optimizer(config.optimizer, total),
            loss=loss if learner is model else None,
            jit_compile=jit_compile(config),
        )
        validator = build_validator(model, config, data)
        reporter.message(
            f"{len(source.examples):,} training examples, {data.num_classes:,} classes, "
            f"{model.count_params():,} parameters, {total:,} steps"
        )
        step, restored = 0, None
        if resume and checkpoints.steps():
            restored = checkpoints.restore(learner)
            step = int(restored["step"])
            reporter.message(f"Resuming after step {step:,}")
        run.truncate_history(step)
        validation = evaluation_source(config, data, "validation")
        log = TrainingLog(run, reporter, source, step, total, task.unit)
        with stop_on_signal() as stop_requested:
            saver = CheckpointEvery(
                checkpoints,
                options.checkpoint_every,
                step=step,
                total=total,
                steps_per_epoch=source.steps_per_epoch,
                stop_requested=stop_requested,
                restored=restored,
            )
            while step < total:
                epoch = step // source.steps_per_epoch
                end = min((epoch + 1) * source.steps_per_epoch, total)
                fitted = learner.fit(
                    as_dataset(source, step, end),
                    initial_epoch=epoch,
                    epochs=epoch + 1,
                    steps_per_epoch=end - step,
                    callbacks=[log, saver],
                    shuffle=False,  # the source has shuffled
                    verbose=0,
                )
                step = end
                scores = {}
                if step == total or (epoch + 1) % options.validate_every == 0:
                    scores = validator.evaluate(
                        as_dataset(validation, 0, validation.steps_per_epoch),
                        return_dict=True,
                        verbose=0,
                    )
                log.end_epoch(epoch, fitted.history["loss"][-1], scores)
                saver.end_epoch()  # after the history has its entry: neither is lost without both
        if config.optimizer.ema:
            learner.optimizer.average(learner.trainable_variables)
        if averaged:
            average_checkpoints(model, checkpoints, averaged)
            reporter.message(f"Averaged the weights of steps {', '.join(map(str, averaged))}")
        # Without the optimizer: its state is in the checkpoints, and loading needs none of it.
        run.save_model(keras.Model(model.inputs, model.outputs[0], name=model.name))
    trained = time.monotonic() - start
    reporter.message(f"Trained in {duration(trained)}")
    return evaluate(task, config, run, reporter, data=data, seconds=trained)


def evaluate(
    task: Task,
    config: Config,
    run: RunDirectory,
    reporter: Reporter,
    *,
    data: TaskData | None = None,
    seconds: float = 0.0,
    calibrated: bool = False,
) -> dict[str, Any]:
    """Scores a run's saved model on every split but the training split.

    Writes `metrics.json`, the decoded outputs and, for each split, the reliability curve, its
    diagram, the statistics that both are made of, and what pictures the task draws.

    Args:
        task: The task.
        config: The run's configuration.
        run: The run.
        reporter: Who is told.
        data: The run's data, where it is loaded already.
        seconds: What training took, to be reported.
        calibrated: Whether to score the model that `lsk calibrate` saved instead.

    Returns:
        What `metrics.json` holds.
    """
    start = time.monotonic()
    task.import_layers()
    model = run.load_model(calibrated=calibrated)
    data = data or task.load_data(config, run.read_artifacts())
    check_contract(model, data)
    results: dict[str, Any] = {
        "schema": SCHEMA,
        "run": str(run.path),
        "task": config.task,
        "preset": config.preset,
        "alpha": config.training.alpha,
        "smoothing": config.training.smoothing,
        "seed": config.training.seed,
        "calibrated": calibrated,
        "notes": list(data.notes),
        "labels": {},
        "signatures": {},
    }
    if config.distillation:
        results["distillation"] = dataclasses.asdict(config.distillation)
    scorer = build_scorer(model, config, data)
    temperature = read_json(run.calibration_file).get("temperature") if calibrated else None
    for split in (name for name in data.splits if name != "train"):
        examples = data.splits[split]
        predictions = scorer.predict(
            evaluation_source(config, data, split),
            reporter.counter(f"{split}: scoring", "examples"),
        )
        progress = reporter.counter(f"{split}: decoding", "examples")
        outputs = task.decode(model, examples, config, data, progress)
        scores = task.score(examples, outputs)
        if not calibrated:
            write_json(run.outputs / f"{split}.json", outputs)
            pictures = task.illustrate(model, examples, outputs, config, data)
            for name, (figure, rows) in pictures.items():
                save_figure(figure, run.picture_file(name, split), rows)
        results[split] = {**scores.flat(), **predictions.metrics()}
        predictions.save(run.statistics_file(split, calibrated=calibrated))
        curve = predictions.curve(temperature=temperature)
        title = f"{config.task}, {split}, α = {config.training.alpha:g}"
        figure = reliability_diagram(curve, title=title)
        file = run.reliability_file(split, calibrated=calibrated)
        save_figure(figure, file, reliability_rows(curve))
        results["labels"].update(scores.labels)
        results["signatures"].update(scores.signatures)
    results["seconds"] = round(seconds + time.monotonic() - start, 2)
    write_json(run.calibrated_metrics_file if calibrated else run.metrics_file, results)
    return results


def training_source(config: Config, data: TaskData) -> BatchSource:
    """Returns the shuffled batches of the training split."""
    examples = data.splits["train"]
    return BatchSource(
        examples,
        config.training.batch_size,
        ignore_class=data.ignore_class,
        boundaries=_boundaries(config, data, examples),
        shuffle=True,
        seed=config.training.seed,
    )


def evaluation_source(config: Config, data: TaskData, split: str) -> BatchSource:
    """Returns the batches of a split in its order, weighted over the whole split."""
    examples = data.splits[split]
    return BatchSource(
        examples,
        min(config.training.batch_size, len(examples)),
        ignore_class=data.ignore_class,
        boundaries=_boundaries(config, data, examples),
        whole_split=True,
    )


def build_loss(config: Config, data: TaskData, reduction: str = "sum_over_batch_size"):
    """Returns the smoothed cross-entropy that `config` asks for."""
    options = config.training
    exclude = () if options.smooth_unused else data.unused_classes
    if options.smoothing == "unigram":
        distribution: Any = Unigram(data.class_counts, exclude=exclude)
    elif options.smoothing == "uniform":
        distribution = smoothing.Uniform(exclude=exclude)
    else:
        distribution = options.smoothing
    return SmoothedCE(
        options.alpha,
        smoothing=distribution,
        from_logits=True,
        ignore_class=data.ignore_class,
        reduction=reduction,
    )


def build_validator(model: keras.Model, config: Config, data: TaskData) -> keras.Model:
    """Returns the same model, compiled to be evaluated.

    Apart, so that training does not pay for metrics: on a CPU, NLL and accuracy of a vocabulary
    of 4,000 would add half to the time of a step.
    """
    validator = keras.Model(model.inputs, model.outputs[0])
    validator.compile(
        loss=build_loss(config, data, reduction="sum"),
        weighted_metrics=[  # by the weights: rows that fill a batch must not count
            NegativeLogLikelihood(from_logits=True, ignore_class=data.ignore_class, name="nll"),
            Accuracy(ignore_class=data.ignore_class),
        ],
        jit_compile=jit_compile(config),
    )
    return validator


def build_scorer(model: keras.Model, config: Config, data: TaskData) -> Scorer:
    """Returns what runs a model over splits, with the loss that `config` asks for."""
    _, labels = data.splits["train"].gather(np.arange(1), None)
    return Scorer(
        model,
        build_loss(config, data),
        data.ignore_class,
        label_rank=labels.ndim - 1,
        jit_compile=jit_compile(config),
    )


def check_contract(model: keras.Model, data: TaskData) -> None:
    """Refuses a model that breaks the tensor contract, or belongs to another vocabulary."""
    names = [layer.name for layer in model.layers]
    if "logits" not in names or model.output_shape[-1] != data.num_classes:
        raise LsKerasError(
            f"Expected a model with a layer 'logits' over {data.num_classes} classes. "
            f"Received: output shape {model.output_shape}, last layer {names[-1]!r}"
        )


def jit_compile(config: Config) -> bool | str:
    """Returns what to pass to `compile`: Keras decides unless the configuration does."""
    chosen = config.training.jit_compile
    if keras.config.backend() == "torch":
        return bool(chosen)
    if strategy.num_replicas() > 1:  # fails in TensorFlow: variables of another device
        return False
    return "auto" if chosen is None else chosen


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Sets the global dtype policy, and sets it back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Any]:
    """Yields a function that tells whether Ctrl-C or SIGTERM came; the second one acts at once."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested.is_set  # only the main thread may handle signals
        return

    def request(signum, frame):
        requested.set()
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {n: signal.signal(n, request) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield requested.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _boundaries(config: Config, data: TaskData, examples: Examples) -> tuple[int, ...] | None:
    """The training split's buckets, and one more where a split has longer examples."""
    sizes = data.splits["train"].sizes
    if sizes is None or examples.sizes is None:
        return None
    boundaries = bucket_boundaries(sizes, config.training.buckets)
    longest = int(np.max(examples.sizes))
    return boundaries if longest <= boundaries[-1] else (*boundaries, longest)
