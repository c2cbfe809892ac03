import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_base.errors import InputError
from lsk_speech.source_data import hold_out


@given(st.lists(st.sampled_from("abcdefghij"), min_size=20, max_size=60), st.integers(0, 5))
def test_every_utterance_is_in_one_split(speakers, seed):
    found = hold_out(speakers, ["validation", "test"], seed)
    rows = np.sort(np.concatenate(list(found.values())))
    assert rows.tolist() == list(range(len(speakers)))
    assert all(len(found[split]) >= 0.1 * len(speakers) for split in ("validation", "test"))
    assert 2 * len(found["train"]) >= len(speakers)
    largest = max(map(speakers.count, speakers))
    if len(set(speakers)) >= 6 and largest <= 0.15 * len(speakers):
        heard = [{speakers[i] for i in found[split]} for split in found]
        assert sum(map(len, heard)) == len(set(speakers))


@pytest.mark.parametrize("seed", range(4))
def test_of_one_speaker_s_utterances_a_tenth_is_drawn(seed):
    """Five others have a line each: whole speakers would leave nothing, or next to nothing."""
    found = hold_out(["most"] * 95 + list("abcde"), ["validation", "test"], seed)
    assert {split: len(rows) for split, rows in found.items()} == {
        "validation": 10,
        "test": 10,
        "train": 80,
    }


def test_few_speakers_are_in_all_splits():
    found = hold_out(["a", "b"] * 50, ["test"], 0)
    assert len(found["test"]) == 10


def test_nothing_left_is_told():
    with pytest.raises(InputError, match="at least 6 utterances to draw test from. Received: 5"):
        hold_out(list("abcde"), ["test"], 0)
