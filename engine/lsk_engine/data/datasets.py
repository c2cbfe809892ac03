"""The batches of a split, as the data set that Keras takes on the current backend."""

import contextlib
from collections.abc import Iterator

import numpy as np

from ls_base.errors import FileError, LsKerasError
from lsk_engine.data.batches import BatchSource, bucket_boundaries
from lsk_engine.devices.replicas import num_shards, process_shard
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Examples, TaskData


def training_source(config: Config, data: TaskData) -> BatchSource:
    """Returns the shuffled batches of the training split, for the replicas of the strategy."""
    examples, tokens = data.splits["train"], config.training.tokens_per_batch
    return BatchSource(
        examples,
        config.training.batch_size * config.training.gradient_accumulation_steps,
        ignore_class=data.ignore_class,
        boundaries=_boundaries(config, data, examples),
        shuffle=True,
        seed=config.training.seed,
        drop_remainder=config.training.drop_remainder,
        tokens=tokens and tokens * config.training.gradient_accumulation_steps,
        replicas=num_shards() * config.training.gradient_accumulation_steps,
        shard=process_shard(),
    )


def evaluation_source(config: Config, data: TaskData, split: str) -> BatchSource:
    """Returns the batches of a split in order, weighted over the whole split."""
    examples = data.splits[split]
    return BatchSource(
        examples,
        config.training.batch_size,
        ignore_class=data.ignore_class,
        boundaries=_boundaries(config, data, examples),
        whole_split=True,
        replicas=num_shards(),
        shard=process_shard(),
    )


def _boundaries(config: Config, data: TaskData, examples: Examples) -> tuple[int, ...] | None:
    """Returns the training split's buckets, and one more for a split with longer examples."""
    if examples.sizes is None:
        return None
    sizes = data.splits["train"].sizes if data.train_sizes is None else data.train_sizes
    if sizes is None:
        return None
    boundaries = bucket_boundaries(sizes, config.training.max_length_buckets)
    longest = int(np.max(examples.sizes))
    return boundaries if longest <= boundaries[-1] else (*boundaries, longest)


@contextlib.contextmanager
def explain_data_errors(source: BatchSource) -> Iterator[None]:
    """Raises the original error of a batch that can't be read; frameworks hide it in their own.

    Raises:
        FileError: If the system can't read the data.
        LsKerasError: If the task raised it.
    """
    source.failures.clear()
    try:
        yield
    except Exception:
        for failure in source.failures:
            if isinstance(failure, LsKerasError):
                raise failure from None
            if isinstance(failure, OSError):
                raise FileError(
                    f"Expected to be able to read the data. Received: {failure}"
                ) from failure
        raise


def as_dataset(source: BatchSource, start: int, stop: int):
    """Wraps the batches `start` … `stop − 1` for `fit`, `evaluate` and `predict`.

    Args:
        source: The batches.
        start: The first step.
        stop: The step after the last.

    Returns:
        On TensorFlow a `tf.data.Dataset`, elsewhere a `keras.utils.PyDataset` (pass
        `shuffle=False` to `fit`), of `(inputs, labels, sample_weight)`, in order, also if several
        batches are gathered at a time (`Examples.workers`).
    """
    import keras

    if keras.config.backend() == "tensorflow":
        return _as_tf_dataset(source, start, stop)

    workers = source.examples.workers

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return stop - start

        def __getitem__(self, index):
            return tuple(source.batch(start + index)[:3])

    return Batches(workers=workers, max_queue_size=max(10, 2 * workers))


def _as_tf_dataset(source: BatchSource, start: int, stop: int):
    import tensorflow as tf

    first = source.batch(start)
    names = sorted(first.inputs)
    arrays = [*(first.inputs[name] for name in names), first.labels, first.sample_weight]

    def load(step):
        inputs, labels, sample_weight, _ = source.batch(int(step))
        return [*(inputs[name] for name in names), labels, sample_weight]

    varies = source.boundaries is not None
    rows = None if source.rows_vary else first.labels.shape[0]
    shapes = [
        (rows, *(None if varies else size for size in a.shape[1:2]), *a.shape[2:]) for a in arrays
    ]

    def element(step):
        values = tf.numpy_function(load, [step], [a.dtype for a in arrays])
        for value, shape in zip(values, shapes, strict=True):
            value.set_shape(shape)
        return dict(zip(names, values, strict=False)), values[-2], values[-1]

    options = tf.data.Options()
    # Shard by data: there are no files to shard by.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    workers = source.examples.workers
    parallel = {"num_parallel_calls": workers, "deterministic": True} if workers > 1 else {}
    dataset = tf.data.Dataset.range(start, stop).map(element, **parallel)
    return dataset.with_options(options).prefetch(2)
