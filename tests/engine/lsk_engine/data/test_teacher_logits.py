import numpy as np
import pytest
from scipy.special import log_softmax

from ls_base.errors import InputError
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.teacher_logits import (
    WithTeacherLogits,
    compute_teacher_logits,
    open_teacher_logits,
    read_examples,
)
from tiny_task import NUM_CLASSES, PADDING, Letters


class Teacher:
    """A model, as far as computing logits goes."""

    name = "teacher"

    def predict_on_batch(self, inputs):
        return letters_logits(inputs)

    def get_weights(self):
        return [np.zeros(3)]


def letters_logits(inputs):
    """Logits that tell the letter and its place apart."""
    letters = inputs["letters"]
    place = np.arange(letters.shape[1])[None, :, None]
    return letters[..., None] + 0.25 * place + np.arange(NUM_CLASSES)


@pytest.mark.parametrize("top_k", [None, 3])
def test_sequences_are_kept_without_their_padding(tmp_path, top_k):
    letters = Letters(20, 0)
    options = {"ignore_class": PADDING, "top_k": top_k, "batch_size": 8}
    cache = compute_teacher_logits(tmp_path / "c", Teacher(), letters, **options)
    assert len(cache._logits) == letters.sizes.sum()
    rows = np.array([7, 2])
    inputs, labels = letters.gather(rows, 8)
    logits = cache.gather(rows, labels)
    assert logits.shape == (2, 8, NUM_CLASSES)
    counted = labels != PADDING
    expected = letters_logits(inputs)[counted]
    if top_k is None:
        np.testing.assert_allclose(logits[counted], expected, rtol=2**-11)
    else:
        top = log_softmax(expected, -1)[:, -top_k:]
        np.testing.assert_allclose(logits[counted][:, -top_k:], top, rtol=1e-3)
    assert not logits[~counted].any()


def test_a_tasks_examples_bring_their_logits_along(tmp_path):
    letters = Letters(20, 0)
    options = {"ignore_class": PADDING, "dtype": "float32"}
    cache = compute_teacher_logits(tmp_path / "c", Teacher(), letters, **options)
    examples = WithTeacherLogits(letters, cache)
    source = BatchSource(examples, 6, ignore_class=PADDING, boundaries=(4, 8), shuffle=True, seed=1)
    plain = BatchSource(letters, 6, ignore_class=PADDING, boundaries=(4, 8), shuffle=True, seed=1)
    for step in range(source.steps_per_epoch):
        batch, expected = source.batch(step), plain.batch(step)
        np.testing.assert_array_equal(batch.inputs["letters"], expected.inputs["letters"])
        counted = batch.labels != PADDING
        logits = letters_logits(batch.inputs)
        np.testing.assert_array_equal(batch.inputs["teacher_logits"][counted], logits[counted])
    assert examples.inputs is letters.inputs  # what a task's own examples have besides


def test_labels_that_do_not_fit_the_logits_are_refused(tmp_path):
    letters = Letters(20, 0)
    options = {"ignore_class": PADDING}
    cache = compute_teacher_logits(tmp_path / "c", Teacher(), letters, **options)
    with pytest.raises(InputError, match="Expected labels, which mark padding"):
        cache.gather([0, 1])
    with pytest.raises(InputError, match="positions that count.*Received: 1 with 8"):
        cache.gather([int(np.argmin(letters.sizes))], np.ones((1, 8), int))


def test_stale_logits_are_refused(tmp_path):
    letters, options = Letters(20, 0), {"ignore_class": PADDING, "teacher_id": "run 7"}
    compute_teacher_logits(tmp_path / "c", Teacher(), letters, **options)
    assert len(open_teacher_logits(tmp_path / "c", letters, "run 7")) == 20
    with pytest.raises(InputError, match="Received: another teacher, run 8"):
        open_teacher_logits(tmp_path / "c", letters, "run 8")
    with pytest.raises(InputError, match="Received: 20 examples that are not the same"):
        open_teacher_logits(tmp_path / "c", Letters(20, 1), "run 7")


def test_examples_of_unequal_length_need_the_label_of_padding(tmp_path):
    with pytest.raises(InputError, match="ignore_class for examples of different sizes"):
        compute_teacher_logits(tmp_path / "c", Teacher(), Letters(20, 0))


def test_examples_of_unequal_length_are_hashed_without_their_padding():
    letters = Letters(20, 0)
    np.testing.assert_array_equal(read_examples(letters, 0).counts, letters.sizes)
