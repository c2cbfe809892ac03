import numpy as np
import pytest

from ls_base import npz_arrays
from ls_base.errors import FileError, InputError
from ls_base.npz_arrays import open_npz
from ls_base.npz_schema import ArraySpec

EXPECTED = {"x": ArraySpec("u", (None, 3)), "y": ArraySpec("i", (None,))}


@pytest.fixture(params=[np.savez, np.savez_compressed], ids=["stored", "compressed"])
def file(request, tmp_path, monkeypatch):
    monkeypatch.setattr(npz_arrays, "_MAPPED", 0)
    x = np.arange(12, dtype=np.uint8).reshape(4, 3)
    request.param(tmp_path / "a.npz", x=x, y=np.arange(4), z=np.array(["text"]))
    return tmp_path / "a.npz"


def test_values_are_those_that_were_saved(file, request):
    found = open_npz(file, EXPECTED)
    assert list(found) == ["x", "y"]
    x = found["x"]
    assert (x.shape, x.dtype, x.ndim, len(x)) == ((4, 3), np.uint8, 2, 4)
    np.testing.assert_array_equal(x[np.array([3, 0])], [[9, 10, 11], [0, 1, 2]])
    np.testing.assert_array_equal(np.asarray(found["y"]), np.arange(4))
    assert isinstance(x.read(), np.memmap) is x.mapped
    assert x.mapped is ("stored" in request.node.name)


def test_small_arrays_are_read_and_compared_with_their_sums(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3000, dtype=np.uint8).reshape(1000, 3))
    found = open_npz(tmp_path / "a.npz", {"x": EXPECTED["x"]})["x"]
    assert not found.mapped
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[1500] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(FileError, match="CRC"):
        found.read()


def test_only_what_is_there_comes_back(file):
    assert list(open_npz(file, {**EXPECTED, "more": ArraySpec()}, optional=["more"])) == ["x", "y"]
    with pytest.raises(InputError, match="Expected an array 'more' in .*Received: x, y, z"):
        open_npz(file, {"more": ArraySpec()}, error=InputError)


def test_other_types_and_files_are_told_before_anything_is_read(file):
    with pytest.raises(FileError, match="Expected x in .* to be integers"):
        open_npz(file, {"x": ArraySpec("i")})
    np.savez(file, x=np.array([{}], object))
    with pytest.raises(FileError, match="Expected .*to be .*Received: pickled objects"):
        open_npz(file, {"x": ArraySpec()})
    file.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(FileError, match="Expected a readable .npz file"):
        open_npz(file, EXPECTED)


def test_a_file_that_ends_early_is_told(file):
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(FileError, match="Expected a readable .npz file"):
        open_npz(file, EXPECTED)
