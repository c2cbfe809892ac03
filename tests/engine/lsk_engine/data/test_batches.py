import itertools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_base.errors import InputError
from lsk_engine.data.batches import PADDING_ID, BatchSource, bucket_boundaries
from lsk_engine.data.datasets import as_dataset
from lsk_engine.tasks.contract import Examples


class Words(Examples):
    """Example i is the sequence i+1, i+1, … of its size; labels are the same."""

    def __init__(self, sizes):
        self.sizes = np.asarray(sizes)

    def __len__(self):
        return len(self.sizes)

    def gather(self, rows, size):
        inside = np.arange(size)[None, :] < self.sizes[rows][:, None]
        x = np.where(inside, rows[:, None] + 1, 0).astype(np.int32)
        return {"tokens": x}, x

    def label_counts(self):
        return self.sizes


class Points(Examples):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def gather(self, rows, size):
        return {"x": rows[:, None].astype(np.float32)}, rows % 3


sizes_lists = st.lists(st.integers(1, 9), min_size=1, max_size=40)


def source_of(sizes, batch_size=4, **options):
    boundaries = bucket_boundaries(np.asarray(sizes), options.pop("buckets", 3))
    return BatchSource(Words(sizes), batch_size, ignore_class=0, boundaries=boundaries, **options)


@given(sizes=sizes_lists, seed=st.integers(0, 5), shuffle=st.booleans())
def test_an_epoch_holds_every_example_once(sizes, seed, shuffle):
    source = source_of(sizes, seed=seed, shuffle=shuffle)
    for epoch in (0, 3):
        steps = range(epoch * source.steps_per_epoch, (epoch + 1) * source.steps_per_epoch)
        ids = np.concatenate([source.batch(step).ids for step in steps])
        assert sorted(ids[ids != PADDING_ID]) == list(range(len(sizes)))


@given(sizes=sizes_lists, seed=st.integers(0, 5), shuffle=st.booleans())
def test_on_request_partial_batches_are_left_out(sizes, seed, shuffle):
    options = {"seed": seed, "shuffle": shuffle, "drop_remainder": True}
    boundaries = np.asarray(bucket_boundaries(np.asarray(sizes)))
    whole = sum(np.bincount(np.searchsorted(boundaries, sizes)) // 4)
    if not whole:
        with pytest.raises(InputError, match="at least one whole batch"):
            source_of(sizes, **options)
        return
    source = source_of(sizes, **options)
    assert source.steps_per_epoch == whole
    ids = np.concatenate([source.batch(step).ids for step in range(whole)])
    assert len(set(ids)) == len(ids) == 4 * whole
    assert PADDING_ID not in ids


@pytest.mark.parametrize(("replicas", "rows"), [(1, 7), (2, 8), (3, 9), (8, 8)])
def test_a_batch_divides_among_replicas(replicas, rows):
    one = BatchSource(Points(24), 7, shuffle=True)
    source = BatchSource(Points(24), 7, shuffle=True, replicas=replicas)
    assert source.steps_per_epoch == 4
    for step in range(8):
        batch = source.batch(step)
        assert len(batch.labels) == len(batch.inputs["x"]) == rows
        assert np.array_equal(batch.ids[:7], one.batch(step).ids)
        assert batch.sample_weight.sum() == pytest.approx(1)
        assert not batch.sample_weight[batch.ids == PADDING_ID].any()


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_batch_is_filled_up_with_other_examples(shuffle):
    """Copies of its own few would stand for the data in BatchNormalization's statistics."""
    source = BatchSource(Points(154), 149, shuffle=shuffle)
    seen = set()
    for step in range(1, 8, 2):
        rows = source.batch(step).inputs["x"][:, 0]
        assert len(set(rows)) == 149
        seen.add(tuple(rows[:5]))
    assert len(seen) == (4 if shuffle else 1)
    few = BatchSource(Points(3), 8).batch(0)
    assert np.bincount(few.inputs["x"][:, 0].astype(int)).tolist() == [3, 3, 2]


@given(sizes=sizes_lists)
def test_batches_have_the_bucket_sizes_only(sizes):
    source = source_of(sizes)
    shapes = {source.batch(step).labels.shape for step in range(source.steps_per_epoch)}
    assert len(shapes) <= 3
    assert all(rows == 4 and size in source.boundaries for rows, size in shapes)


@given(sizes=sizes_lists)
def test_training_weights_of_a_batch_sum_to_one_over_what_counts(sizes):
    source = source_of(sizes, shuffle=True)
    for step in range(source.steps_per_epoch):
        batch = source.batch(step)
        assert batch.sample_weight.sum() == pytest.approx(1, rel=1e-5)
        real = (batch.ids != PADDING_ID)[:, None] & (batch.labels != 0)
        assert np.array_equal(batch.sample_weight > 0, real)


@given(sizes=sizes_lists)
def test_whole_split_weights_make_the_mean_over_batches_the_mean_over_positions(sizes):
    source = source_of(sizes, whole_split=True)
    batches = [source.batch(step) for step in range(source.steps_per_epoch)]
    values = np.mean([(b.sample_weight * b.labels).sum() for b in batches])
    expected = np.average(np.arange(len(sizes)) + 1, weights=sizes)
    assert values == pytest.approx(expected, rel=1e-5)


def test_a_long_example_alone_is_scored_alone():
    source = source_of([3] * 9 + [3000], whole_split=True)
    shapes = [source.batch(step).labels.shape for step in range(source.steps_per_epoch)]
    assert shapes == [(4, 3), (4, 3), (4, 3), (1, 3000)]
    assert source.rows_vary
    dataset = as_dataset(source, 0, 4)
    batches = dataset if hasattr(dataset, "element_spec") else [dataset[i] for i in range(4)]
    assert [tuple(labels.shape) for _, labels, _ in batches] == shapes


def test_any_step_can_be_had_without_those_before():
    sizes = np.random.default_rng(0).integers(1, 10, 57)
    first, second = source_of(sizes, shuffle=True), source_of(sizes, shuffle=True)
    walked = [first.batch(step) for step in range(3 * first.steps_per_epoch)]
    for step in (40, 3, 17):
        for a, b in zip(walked[step], second.batch(step), strict=True):
            np.testing.assert_equal(a, b)


def test_order_depends_on_seed_and_epoch():
    order = {}
    for seed, epoch in itertools.product((0, 1), (0, 1)):
        source = BatchSource(Points(50), 50, shuffle=True, seed=seed)
        order[seed, epoch] = tuple(source.batch(epoch).ids)
    assert len(set(order.values())) == 4


def test_filling_rows_weigh_nothing():
    source = BatchSource(Points(5), 4)
    last = source.batch(1)
    assert last.ids.tolist() == [4, PADDING_ID, PADDING_ID, PADDING_ID]
    assert last.sample_weight.tolist() == [1, 0, 0, 0]


@given(sizes=sizes_lists, buckets=st.integers(1, 4))
def test_boundaries_waste_the_least(sizes, buckets):
    sizes = np.asarray(sizes)

    def waste(boundaries):
        boundaries = np.asarray(boundaries)
        return (boundaries[np.searchsorted(boundaries, sizes)] - sizes).sum()

    found = bucket_boundaries(sizes, buckets)
    *below, largest = np.unique(sizes).tolist()
    best = min(
        waste((*inner, largest))
        for count in range(buckets)
        for inner in itertools.combinations(below, count)
    )
    assert len(found) <= buckets
    assert waste(found) == best


def test_a_dataset_gives_the_batches_of_its_steps():
    source = source_of([3, 1, 2, 5, 5, 2, 1, 1, 4], shuffle=True)
    dataset = as_dataset(source, 2, 7)
    items = (
        [dataset[i] for i in range(len(dataset))] if hasattr(dataset, "__getitem__") else dataset
    )
    for step, (inputs, labels, weight) in zip(range(2, 7), items, strict=True):
        expected = source.batch(step)
        np.testing.assert_equal(
            keras.ops.convert_to_numpy(inputs["tokens"]), expected.inputs["tokens"]
        )
        np.testing.assert_equal(keras.ops.convert_to_numpy(labels), expected.labels)
        np.testing.assert_equal(keras.ops.convert_to_numpy(weight), expected.sample_weight)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BatchSource(Points(0), 4), "at least one example"),
        (lambda: BatchSource(Points(3), 0), "batch size of at least 1"),
        (lambda: BatchSource(Words([3]), 4), "boundaries"),
        (lambda: BatchSource(Words([3]), 4, boundaries=(2,)), "size at most 2"),
        (lambda: bucket_boundaries(np.array([], int)), "Received: 0 sizes"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


@given(
    sizes=sizes_lists, tokens=st.integers(1, 40), replicas=st.integers(1, 3), seed=st.integers(0, 3)
)
def test_batches_of_so_many_positions(sizes, tokens, replicas, seed):
    source = source_of(sizes, tokens=tokens, replicas=replicas, shuffle=True, seed=seed)
    ids = []
    shapes = set()
    for step in range(source.steps_per_epoch):
        batch = source.batch(step)
        rows, size = batch.labels.shape
        assert rows % replicas == 0
        assert rows * size <= max(tokens, replicas * size)
        assert (
            rows == replicas or (rows + replicas) * size > tokens
        )  # as many as there is place for
        assert batch.sample_weight.sum() == pytest.approx(1)
        shapes.add((rows, size))
        ids += batch.ids[batch.ids != PADDING_ID].tolist()
    assert sorted(ids) == list(range(len(sizes)))
    assert len(shapes) <= 3  # a program each


def test_positions_are_counted_of_sequences_only():
    with pytest.raises(
        InputError, match="training.tokens_per_batch for examples of unequal length"
    ):
        BatchSource(Points(4), 2, tokens=100)


@given(sizes=sizes_lists, count=st.integers(1, 3), each=st.integers(1, 2))
def test_shards_are_the_rows_of_the_batch(sizes, count, each):
    options = {"shuffle": True, "replicas": count * each}
    whole = source_of(sizes, **options)
    parts = [source_of(sizes, shard=(index, count), **options) for index in range(count)]
    for step in range(whole.steps_per_epoch):
        batches = [part.batch(step) for part in parts]
        expected = whole.batch(step)
        assert {len(batch.ids) for batch in batches} == {len(expected.ids) // count}
        for name in ("labels", "sample_weight", "ids"):
            joined = np.concatenate([getattr(batch, name) for batch in batches])
            np.testing.assert_array_equal(joined, getattr(expected, name))


@pytest.mark.tensorflow
def test_a_data_set_of_so_many_positions_has_batches_of_several_heights():
    source = source_of([2, 2, 2, 2, 9, 9, 9], tokens=18, buckets=2)
    found = [labels.shape for _, labels, _ in as_dataset(source, 0, source.steps_per_epoch)]
    assert sorted(set(map(tuple, found))) == [(2, 9), (9, 2)]
