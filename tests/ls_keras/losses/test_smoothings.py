import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from ls_base.errors import InputError
from ls_keras.losses import (
    Neighborhood,
    Prior,
    SmoothedCE,
    Smoothing,
    Uniform,
    Unigram,
    deserialize,
    get,
    serialize,
)
from ls_keras.losses.smoothings import get_smoothing

ALL = [
    Uniform(),
    Uniform(exclude=[3, 0]),
    Unigram(np.array([5, 0, 3, 2])),
    Unigram([5, 0, 3, 2], pseudo_count=0.5, exclude=np.array([1])),
    Prior([0.25, 0.25, 0.5, 0.0]),
    Neighborhood(),
    Neighborhood(weights=(3, 2, 1)),
]


@pytest.mark.parametrize("smoothing", ALL, ids=repr)
def test_survives_serialization(smoothing):
    again = deserialize(serialize(smoothing))
    assert again == smoothing
    assert type(again) is type(smoothing)
    assert get(serialize(smoothing)) == smoothing
    assert get(smoothing) is smoothing


@pytest.mark.parametrize("smoothing", ALL, ids=repr)
def test_is_a_distribution_at_every_position(smoothing):
    labels = ops.convert_to_tensor([[0, 1, 2, 2, 3], [3, 0, 0, 0, 1]])
    valid = ops.convert_to_tensor([[True] * 5, [True, False, False, False, True]])
    prior, ids, weights = smoothing.distribution(labels, valid, 4)
    assert (prior is None) == (ids is not None)
    mass = np.asarray(prior) if ids is None else ops.convert_to_numpy(weights)
    np.testing.assert_allclose(mass.sum(-1), 1, rtol=1e-6)
    assert (mass >= 0).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(exclude=[-1]),
        lambda: Uniform(exclude=[0.5]),
        lambda: Uniform(exclude=[0, 1]).distribution(None, None, 2),
        lambda: Unigram([1, -1]),
        lambda: Unigram([[1, 1]]),
        lambda: Unigram("ab"),
        lambda: Unigram([0, 0], pseudo_count=0),
        lambda: Unigram([1, 2], exclude=[2]),
        lambda: Unigram([1, 2], pseudo_count=-1),
        lambda: Unigram([1, 2]).distribution(None, None, 3),
        lambda: Prior([0.5, 0.6]),
        lambda: Prior([1.5, -0.5]),
        lambda: Prior([np.nan, 1]),
        lambda: Neighborhood(weights=()),
        lambda: Neighborhood(weights=(0, 0)),
        lambda: Neighborhood(weights=(5, -2)),
    ],
)
def test_wrong_arguments_are_refused(make):
    with pytest.raises(InputError, match=r"Expected .*Received"):
        make()


def test_the_base_class_has_no_distribution():
    with pytest.raises(NotImplementedError):
        Smoothing().distribution(None, None, 2)


def test_priors_by_hand():
    np.testing.assert_allclose(
        Uniform(exclude=[0]).distribution(None, None, 3).prior, [0, 0.5, 0.5]
    )
    np.testing.assert_allclose(Unigram([2, 0]).distribution(None, None, 2).prior, [0.75, 0.25])
    unsmoothed = Unigram([6, 2, 2], pseudo_count=0, exclude=[1]).distribution(None, None, 3).prior
    np.testing.assert_allclose(unsmoothed, [0.75, 0, 0.25])


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=20))
def test_unigram_without_counts_is_uniform_and_keeps_order(counts):
    prior = Unigram(counts).distribution(None, None, len(counts)).prior
    assert prior.sum() == pytest.approx(1)
    assert (prior > 0).all()
    assert (np.argsort(prior, kind="stable") == np.argsort(counts, kind="stable")).all()


def test_smoothings_by_name():
    assert get_smoothing("uniform") == Uniform()
    assert get_smoothing("neighborhood") == Neighborhood()
    for name, message in [
        ("unigram", r"ls_keras\.Unigram\(\.\.\.\)"),
        ("prior", "Prior"),
        ("no", "'uniform'"),
        ("max_sup", "'uniform'"),
    ]:
        with pytest.raises(InputError, match=message):
            get_smoothing(name)
    for wrong in (None, 3, Uniform, SmoothedCE()):
        with pytest.raises(InputError, match="Expected smoothing"):
            get_smoothing(wrong)
