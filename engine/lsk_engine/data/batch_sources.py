"""Which batches a split is read in."""

import numpy as np

from lsk_engine.data.batches import BatchSource, bucket_boundaries
from lsk_engine.devices.replicas import num_shards, process_shard
from lsk_engine.settings.config import Config
from lsk_engine.tasks.contract import Examples, TaskData


def training_source(config: Config, data: TaskData) -> BatchSource:
    """Returns the shuffled batches of the training split, for the present strategy's replicas."""
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
    """Returns the batches of a split in its order, weighted over the whole split."""
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
    """The training split's buckets, and one more where a split has longer examples."""
    if examples.sizes is None:
        return None
    sizes = data.splits["train"].sizes if data.train_sizes is None else data.train_sizes
    if sizes is None:
        return None
    boundaries = bucket_boundaries(sizes, config.training.max_length_buckets)
    longest = int(np.max(examples.sizes))
    return boundaries if longest <= boundaries[-1] else (*boundaries, longest)
