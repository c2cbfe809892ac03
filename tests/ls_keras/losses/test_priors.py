import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_keras.losses import Uniform, Unigram


def test_priors_by_hand():
    np.testing.assert_allclose(Uniform(exclude=[0]).spread(None, None, 3).prior, [0, 0.5, 0.5])
    np.testing.assert_allclose(Unigram([2, 0]).spread(None, None, 2).prior, [0.75, 0.25])
    unsmoothed = Unigram([6, 2, 2], pseudo_count=0, exclude=[1]).spread(None, None, 3).prior
    np.testing.assert_allclose(unsmoothed, [0.75, 0, 0.25])


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=20))
def test_unigram_without_counts_is_uniform_and_keeps_order(counts):
    prior = Unigram(counts).spread(None, None, len(counts)).prior
    assert prior.sum() == pytest.approx(1)
    assert (prior > 0).all()
    assert (np.argsort(prior, kind="stable") == np.argsort(counts, kind="stable")).all()
