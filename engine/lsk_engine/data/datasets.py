"""Batches as the data set that `fit`, `evaluate` and `predict` take on the current backend."""

import contextlib
from collections.abc import Iterator

from ls_base.errors import FileError, LsKerasError
from lsk_engine.data.batches import BatchSource


@contextlib.contextmanager
def explain_data_errors(source: BatchSource) -> Iterator[None]:
    """Tells why a batch could not be read: a framework that reads ahead hides it in its own error.

    Raises:
        FileError: If the system could not read what a batch needs.
        LsKerasError: What the task said.
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

    Returns:
        On TensorFlow a `tf.data.Dataset`, elsewhere a `keras.utils.PyDataset` (pass
        `shuffle=False` to `fit`), of `(inputs, labels, sample_weight)`, in order, however many are
        gathered at a time (`Examples.workers`).
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
    # Every worker would see every batch: sharding by data, never by file.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    workers = source.examples.workers
    parallel = {"num_parallel_calls": workers, "deterministic": True} if workers > 1 else {}
    dataset = tf.data.Dataset.range(start, stop).map(element, **parallel)
    return dataset.with_options(options).prefetch(2)
