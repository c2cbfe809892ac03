import keras
import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_speech.network.spec_augment import SpecAugment

LENGTH = np.array([40, 10, 25] * 40, np.int32)
ONES = np.ones((120, 40, 12), "float32")
VALID = (np.arange(40) < LENGTH[:, None])[..., None]


def hidden(layer):
    """Returns what is 0 and need not be, in training."""
    found = keras.ops.convert_to_numpy(layer(ONES * VALID, LENGTH, training=True))
    return (found == 0) & VALID


def runs(row):
    """Returns the lengths of the runs of `True`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def test_runs_of_frames_are_shares_of_each_utterance():
    frames = hidden(SpecAugment(num_time_masks=1, time_mask_ratio=0.4, seed=0))
    assert (frames == frames[:, :, :1]).all()  # all features of a frame
    lengths = {n: [runs(f[:n, 0]) for f in frames[n == LENGTH]] for n in (10, 25, 40)}
    for n, of_length in lengths.items():
        assert all(len(r) <= 1 for r in of_length)
        longest = max(r.max(initial=0) for r in of_length)
        assert 0.2 * n < longest <= 0.4 * n


def test_runs_begin_anywhere():
    frames = hidden(SpecAugment(num_time_masks=1, time_mask_ratio=0.5, seed=1))[LENGTH == 40, :, 0]
    often = frames.sum(0)
    assert often[:5].any()
    assert often[-5:].any()


def test_bands_are_hidden_in_all_groups_alike():
    bands = hidden(SpecAugment(num_freq_masks=2, freq_mask_ratio=0.5, groups=3, seed=0))[:, 0]
    np.testing.assert_array_equal(bands[:, :4], bands[:, 4:8])
    np.testing.assert_array_equal(bands[:, :4], bands[:, 8:])
    assert 0 < bands.mean() < 0.6
    assert max(runs(b[:4]).max(initial=0) for b in bands) <= 4


def test_bands_come_from_not_too_far_away_and_in_order():
    """Each band holds its number, so its value says where it comes from."""
    numbers = np.broadcast_to(np.tile(np.arange(20.0, dtype=np.float32), 2), (50, 3, 40))
    layer = SpecAugment(freq_warp=0.15, groups=2, seed=0)
    found = keras.ops.convert_to_numpy(layer(numbers, training=True))
    np.testing.assert_allclose(found[:, :, :20], found[:, :, 20:], rtol=1e-5)
    np.testing.assert_allclose(found, np.broadcast_to(found[:, :1], found.shape), rtol=1e-5)
    shifts = found[:, 0, :20] - np.arange(20)
    assert 2 < np.abs(shifts).max() <= 3
    assert (np.diff(found[:, 0, :20]) > -0.5).all()
    inner = np.diff(shifts, 2)[:, 3:5]  # linear between the anchors 0, 6⅓, 12⅔ and 19
    np.testing.assert_allclose(inner, 0, atol=1e-4)
    assert len(np.unique(shifts[:, 10])) == 50


def test_it_acts_in_training_only_and_anew_each_time():
    layer = SpecAugment(num_time_masks=2, num_freq_masks=1, seed=0)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(ONES)), ONES)
    assert (hidden(layer) != hidden(layer)).any()


def test_a_seed_and_its_state_give_the_same_again():
    first, second = (SpecAugment(num_time_masks=2, seed=5) for _ in range(2))
    hidden(first)
    second.seed_generator.state.assign(first.seed_generator.state)
    np.testing.assert_array_equal(hidden(first), hidden(second))
    assert any(v is first.seed_generator.state for v in first.variables)


def test_the_configuration_gives_the_same_layer():
    layer = SpecAugment(
        num_time_masks=2, time_mask_ratio=0.3, num_freq_masks=1, freq_warp=0.1, groups=2, seed=4
    )
    again = SpecAugment.from_config(layer.get_config())
    np.testing.assert_array_equal(hidden(layer), hidden(again))


def test_bad_options_are_told():
    with pytest.raises(InputError, match=r"fractions in \[0, 1\]. Received: 0 and 0, 1.5"):
        SpecAugment(time_mask_ratio=1.5)
    with pytest.raises(InputError, match="5 equal groups. Received: 12"):
        SpecAugment(groups=5)(ONES)
