import hashlib

import numpy as np
import pytest

from ls_base.errors import InputError
from ls_base.npz import ArraySpec
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.data.prepared import checksummed_files
from lsk_engine.data.prepared.checksummed_files import CheckedFiles, checksum_file

ROWS = 50


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Rows of 1 to 7 numbers in a file of many shards, and its files."""
    monkeypatch.setattr(checksummed_files, "SHARD", 64)
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 1000, n).astype(np.int32) for n in rng.integers(1, 8, ROWS)]
    Ragged.of(rows).save(tmp_path / "values.npy", tmp_path / "offsets.npy")
    known = {name: checksum_file(tmp_path / name) for name in ("values.npy", "offsets.npy")}
    return rows, tmp_path, CheckedFiles(tmp_path, known)


def opened(files, **options):
    return files.ragged("values.npy", "offsets.npy", ArraySpec("i", (None,)), **options)


def spoil(file, byte):
    content = bytearray(file.read_bytes())
    content[byte] ^= 1
    file.write_bytes(content)


def test_a_file_is_described_as_others_would(stored):
    _, folder, files = stored
    content = (folder / "values.npy").read_bytes()
    found = files.known["values.npy"]
    assert found.bytes == len(content)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    parts = [content[i : i + 64] for i in range(0, len(content), 64)]
    assert found.shards == [hashlib.sha256(part).hexdigest() for part in parts]
    (folder / "small").write_bytes(b"x" * 64)
    assert checksum_file(folder / "small").shards is None


def test_rows_are_what_they_were_however_they_are_read(stored):
    rows, _, files = stored
    for read in (opened(files), opened(files).take(np.arange(ROWS))):
        for i in np.random.default_rng(1).permutation(ROWS):
            np.testing.assert_array_equal(read[i], rows[i])
    padded = opened(files).padded(np.array([7, 3]), 9)
    np.testing.assert_array_equal(padded[0, : len(rows[7])], rows[7])
    values, _ = opened(files).flattened()
    np.testing.assert_array_equal(values, np.concatenate(rows))


@pytest.mark.parametrize("read", ["row", "padded", "flattened"])
def test_a_spoiled_shard_is_refused_when_it_is_read_and_not_before(stored, read):
    rows, folder, files = stored
    spoil(folder / "values.npy", -1)
    found = opened(files)
    np.testing.assert_array_equal(found[0], rows[0])  # of another shard
    ask = {
        "row": lambda: found[ROWS - 1],
        "padded": lambda: found.padded(np.array([0, ROWS - 1]), 9),
        "flattened": found.flattened,
    }[read]
    for _ in range(2):
        with pytest.raises(InputError, match=r"values.npy as it was prepared \(sha256 of shard \d"):
            ask()


def test_a_shard_is_read_once(stored, monkeypatch):
    _, _, files = stored
    hashed = []
    found = opened(files, validate=lambda values, file: hashed.append(len(values)))
    for _ in range(2):
        for i in range(ROWS):
            found[i]
    header = 128 // 64  # shards without values
    assert len(hashed) == len(files.known["values.npy"].shards) - header


def test_every_value_is_looked_at_before_it_is_read(stored):
    rows, _, files = stored
    seen = []
    found = opened(files, validate=lambda values, file: seen.append(values.copy()))
    found.flattened()
    assert set(np.concatenate(rows)) <= set(np.concatenate(seen))

    def refuse(values, file):
        raise InputError(f"Expected others in {file}. Received: these")

    with pytest.raises(InputError, match="Expected others in .*values.npy"):
        opened(files, validate=refuse)[3]


def test_a_small_file_is_compared_as_a_whole(stored):
    _, folder, files = stored
    spoil(folder / "offsets.npy", -1)
    with pytest.raises(InputError, match=r"offsets.npy as it was prepared \(sha256 [0-9a-f]{64}\)"):
        opened(files)


def test_sizes_are_compared_at_once(stored):
    _, folder, files = stored
    files.check_sizes()
    with (folder / "values.npy").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"values.npy as it was prepared \(bytes \d+\)"):
        files.check_sizes()
    (folder / "values.npy").unlink()
    with pytest.raises(InputError, match="Received: no file"):
        files.check_sizes()


def test_pieces_of_any_file_are_compared(stored):
    _, _, files = stored
    path, check = files.content("values.npy")
    check(np.array([0]), np.array([path.stat().st_size]))
    spoil(path, 200)
    _, check = files.content("values.npy")
    check(np.array([0]), np.array([64]))
    with pytest.raises(InputError, match="sha256 of shard 3"):
        check(np.array([190]), np.array([193]))
