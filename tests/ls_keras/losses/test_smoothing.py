import numpy as np
import pytest
from keras import ops

from ls_base.errors import InputError
from ls_keras.losses import (
    Neighborhood,
    Prior,
    Smoothing,
    Uniform,
    Unigram,
    deserialize,
    get,
    serialize,
)

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
    prior, ids, weights = smoothing.spread(labels, valid, 4)
    assert (prior is None) == (ids is not None)
    mass = np.asarray(prior) if ids is None else ops.convert_to_numpy(weights)
    np.testing.assert_allclose(mass.sum(-1), 1, rtol=1e-6)
    assert (mass >= 0).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Uniform(exclude=[-1]),
        lambda: Uniform(exclude=[0.5]),
        lambda: Uniform(exclude=[0, 1]).spread(None, None, 2),
        lambda: Unigram([1, -1]),
        lambda: Unigram([[1, 1]]),
        lambda: Unigram("ab"),
        lambda: Unigram([0, 0], pseudo_count=0),
        lambda: Unigram([1, 2], exclude=[2]),
        lambda: Unigram([1, 2], pseudo_count=-1),
        lambda: Unigram([1, 2]).spread(None, None, 3),
        lambda: Prior([0.5, 0.6]),
        lambda: Prior([1.5, -0.5]),
        lambda: Prior([np.nan, 1]),
        lambda: Neighborhood(weights=()),
        lambda: Neighborhood(weights=(0, 0)),
        lambda: Neighborhood(weights=(5, -2)),
    ],
)
def test_mistakes(make):
    with pytest.raises(InputError, match=r"Expected .*Received"):
        make()


def test_the_base_has_no_distribution():
    with pytest.raises(NotImplementedError):
        Smoothing().spread(None, None, 2)
