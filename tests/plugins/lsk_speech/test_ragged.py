import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lsk_speech.ragged import Ragged


@given(st.lists(st.lists(st.integers(1, 9)), min_size=1), st.data())
def test_rows_come_back_whichever_are_taken(rows, data):
    ragged = Ragged.of(np.array(row, np.int32) for row in rows)
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1))
    taken = ragged.take(np.array(chosen))
    assert [taken[i].tolist() for i in range(len(taken))] == [rows[i] for i in chosen]
    size = max(map(len, rows)) + 1
    padded = ragged.padded(np.array(chosen), size, np.float32)
    assert padded.dtype == np.float32
    assert padded.tolist() == [rows[i] + [0] * (size - len(rows[i])) for i in chosen]


def test_rows_of_frames():
    ragged = Ragged.of([np.ones((2, 3)), 2 * np.ones((1, 3))])
    assert ragged.padded(np.array([1, 0]), 2).tolist() == [
        [[2.0] * 3, [0.0] * 3],
        [[1.0] * 3, [1.0] * 3],
    ]
