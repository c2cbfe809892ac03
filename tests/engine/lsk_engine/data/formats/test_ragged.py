import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ls_base.errors import InputError
from ls_base.npz import ArraySpec
from lsk_engine.data.formats import ragged
from lsk_engine.data.formats.ragged import Ragged, row_offsets
from lsk_engine.data.prepared.checksummed_files import CheckedFiles

ROWS = st.lists(st.lists(st.integers(1, 9)), min_size=1)


@pytest.fixture(params=[0, 256], ids=["row by row", "in one gather"])
def short(request, monkeypatch):
    """Both ways of padding, whatever the size."""
    monkeypatch.setattr(ragged, "_SHORT", request.param)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ragged")


def opened(folder):
    return CheckedFiles.of_folder(folder).ragged("values.npy", "offsets.npy", ArraySpec("iuf"))


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("end", [None, 10], ids=["as they are", "with an end"])
def test_rows_come_back_whichever_are_taken(end):
    @given(ROWS, st.data())
    def holds(rows, data):
        ragged = Ragged.of(np.array(row, np.int32) for row in rows)
        chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1))
        taken = ragged.take(np.array(chosen))
        assert [taken[i].tolist() for i in range(len(taken))] == [rows[i] for i in chosen]
        size = max(map(len, rows)) + 1
        padded = ragged.padded(np.array(chosen), size, np.float32, end=end)
        assert padded.dtype == np.float32
        ended = [rows[i] + [10] * (end is not None) for i in chosen]
        assert padded.tolist() == [row + [0] * (size - len(row)) for row in ended]
        values, ends = taken.flattened()
        assert values.tolist() == [value for i in chosen for value in rows[i]]
        assert ends.tolist() == np.cumsum([0, *(len(rows[i]) for i in chosen)]).tolist()

    holds()


@pytest.mark.usefixtures("short")
def test_rows_of_frames():
    ragged = Ragged.of([np.ones((2, 3)), 2 * np.ones((1, 3))])
    assert ragged.padded(np.array([1, 0]), 2).tolist() == [
        [[2.0] * 3, [0.0] * 3],
        [[1.0] * 3, [1.0] * 3],
    ]


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("end", "needed"), [(None, 3), (2, 4)], ids=["row", "row and end"])
def test_a_row_that_does_not_fit_is_refused(end, needed):
    ragged = Ragged.of([np.array([4]), np.array([5, 6, 7])])
    ragged.padded(np.array([0, 1]), needed, end=end)
    with pytest.raises(
        InputError, match=f"at least {needed} for these rows. Received: {needed - 1}"
    ):
        ragged.padded(np.array([0, 1]), needed - 1, end=end)


@settings(deadline=None)
@given(ROWS, st.data())
def test_saved_rows_are_those_taken_and_no_others(folder, rows, data):
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1)))
    taken = Ragged.of(np.array(row, np.int32) for row in rows).take(np.array(chosen, int))
    taken.save(folder / "values.npy", folder / "offsets.npy", np.uint16)
    read = opened(folder)
    assert isinstance(read.values, np.memmap)
    assert read.values.dtype == np.uint16
    assert read.values.tolist() == [value for i in chosen for value in rows[i]]
    assert [read[i].tolist() for i in range(len(read))] == [rows[i] for i in chosen]


def test_files_are_as_numpy_writes_them(folder, monkeypatch):
    """So that data which were prepared before can be compared, and read, byte by byte."""
    monkeypatch.setattr(ragged, "_CHUNK", 2)
    frames = np.arange(15, dtype=np.float32).reshape(5, 3)
    rows = Ragged(frames, np.array([0, 2, 5]))
    rows.save(folder / "values.npy", folder / "offsets.npy", np.float16)
    np.save(folder / "expected.npy", frames.astype(np.float16))
    assert (folder / "values.npy").read_bytes() == (folder / "expected.npy").read_bytes()
    np.save(folder / "expected.npy", np.array([0, 2, 5]))
    assert (folder / "offsets.npy").read_bytes() == (folder / "expected.npy").read_bytes()
    rows.save(folder / "values.npy", folder / "offsets.npy", version=(2, 0))
    with (folder / "values.npy").open("rb") as file:
        assert np.lib.format.read_magic(file) == (2, 0)
    np.testing.assert_array_equal(np.load(folder / "values.npy"), frames)


@pytest.mark.parametrize("lengths", [[], [3, 0, 1], np.array([2])], ids=["none", "list", "array"])
def test_offsets(lengths):
    found = row_offsets(lengths)
    assert found.dtype == np.int64
    assert found.tolist() == [sum(lengths[:i]) for i in range(len(lengths) + 1)]


@pytest.mark.parametrize("ends", [[], [1, 4], [0, 3], [0, 5], [0, 3, 2, 4], [0, -1, 4]], ids=str)
def test_offsets_that_cut_nothing_are_refused(tmp_path, ends):
    np.save(tmp_path / "values.npy", np.arange(4))
    np.save(tmp_path / "offsets.npy", np.array(ends, np.int64))
    with pytest.raises(InputError, match=r"rise from 0 to 4 in .*offsets.npy. Received: "):
        opened(tmp_path)
