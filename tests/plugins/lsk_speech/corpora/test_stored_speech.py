import numpy as np
import pytest

from lsk_engine.data.formats.ragged import Ragged
from lsk_speech.corpora.stored_speech import cache_folder, cached
from lsk_speech.source_data import Speech


class Maker:
    """Makes splits, and counts how often."""

    def __init__(self, fail=False):
        self.calls, self.fail = 0, fail

    def __call__(self):
        self.calls += 1
        if self.fail:
            raise RuntimeError("stopped")
        rows = Ragged.of([np.arange(3, dtype=np.int16), np.arange(5, dtype=np.int16)])
        return {"test": Speech(rows.take(np.array([1, 0])), ["one", "two é"], ["ann", "bo"])}


def check(splits):
    test = splits["test"]
    assert list(test.texts) == ["one", "two é"]
    assert list(test.speakers) == ["ann", "bo"]
    assert [test.rows[i].tolist() for i in range(2)] == [[0, 1, 2, 3, 4], [0, 1, 2]]


def test_it_is_made_once_and_read_from_the_disk(tmp_path):
    make = Maker()
    for _ in range(2):
        splits = cached(tmp_path / "cache", "words", {"seed": 0}, make)
        check(splits)
        assert isinstance(splits["test"].rows.values, np.memmap)
    assert make.calls == 1
    cached(tmp_path / "cache", "words", {"seed": 1}, make)
    assert make.calls == 2
    assert len(list((tmp_path / "cache").glob("words-*"))) == 2


def test_what_could_not_be_finished_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError):
        cached(tmp_path, "words", {}, Maker(fail=True))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_entry_is_made_anew(tmp_path):
    make = Maker()
    cached(tmp_path, "words", {}, make)
    (entry,) = tmp_path.glob("words-*")
    (entry / "test" / "rows.npy").write_bytes(b"")
    check(cached(tmp_path, "words", {}, make))
    assert make.calls == 2


def test_a_full_disk_is_a_warning(tmp_path, monkeypatch, capsys):
    def fail(speech, folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lsk_speech.corpora.stored_speech.write_speech", fail)
    check(cached(tmp_path, "words", {}, Maker()))
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == (
        "Warning: generated speech could not be cached. "
        f"Expected to be able to write {tmp_path}. Received: No space left on device\n"
    )


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    check(cached(tmp_path / "file" / "cache", "words", {}, Maker()))
    assert "Not a directory" in capsys.readouterr().err


def test_where_the_cache_is(monkeypatch, tmp_path):
    assert cache_folder("some/where").parts == ("some", "where")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder(None) == tmp_path / "ls-keras"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder(None) == tmp_path / ".cache" / "ls-keras"
