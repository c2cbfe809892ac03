import io
import zipfile

import numpy as np
import pytest

from ls_base import npz
from ls_base.errors import FileError, InputError
from ls_base.npz import ArraySpec, npz_names, open_npy, open_npz, read_npz

EXPECTED = {"a": ArraySpec("f", (None, 3)), "n": ArraySpec("iu", (4,)), "t": ArraySpec("U")}
VALUES = {
    "a": np.asfortranarray(np.random.default_rng(0).normal(size=(5, 3))),
    "n": np.arange(4),
    "t": np.array(["b", "cd"]),
    "0d": np.float32(3),
    "empty": np.zeros((0, 2), np.uint8),
    "flags": np.array([True, False]),
}


@pytest.fixture
def file(tmp_path):
    np.savez(tmp_path / "x.npz", **VALUES)
    return tmp_path / "x.npz"


def rewrite(file, name, content):
    """Replaces a member's content; the archive's checksum is of the new content."""
    with zipfile.ZipFile(file) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(file, "w") as archive:
        for member, before in members.items():
            archive.writestr(member, content if member == f"{name}.npy" else before)


def saved(array, **options):
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def header(shape, dtype="<f8"):
    out = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, described)
    return out.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("read", [read_npz, open_npz])
@pytest.mark.parametrize("mapped", [0, 1 << 26])
def test_arrays_equal_those_that_numpy_saved(tmp_path, save, read, mapped, monkeypatch):
    monkeypatch.setattr(npz, "_MAPPED", mapped)
    save(tmp_path / "x.npz", **VALUES)
    found = read(tmp_path / "x.npz", dict.fromkeys(VALUES, ArraySpec()))
    assert list(found) == list(VALUES)
    for name, values in VALUES.items():
        assert (found[name].dtype, found[name].shape) == (values.dtype, values.shape)
        assert found[name].ndim == values.ndim
        np.testing.assert_array_equal(np.asarray(found[name]), values)
    if read is open_npz:
        assert found["n"].mapped is (save is np.savez and mapped == 0)
        assert isinstance(found["n"].read(), np.memmap) is found["n"].mapped
        np.testing.assert_array_equal(found["n"][np.array([3, 0])], [3, 0])
        assert len(found["a"]) == 5


@pytest.mark.parametrize("read", [read_npz, open_npz])
def test_other_arrays_are_not_read(file, read):
    rewrite(file, "t", saved(np.array([{}], object), allow_pickle=True))
    assert list(read(file, {"n": EXPECTED["n"], "z": ArraySpec()}, optional=["z"])) == ["n"]
    assert npz_names(file) == list(VALUES)
    with pytest.raises(InputError, match="an array 'z' in .*x.npz. Received: a, n, t"):
        read(file, {"z": ArraySpec()}, error=InputError)


BAD_ARRAYS = [
    (
        "a",
        saved(np.zeros((5, 4))),
        r"to be floats of shape \(n, 3\). Received: float64",
    ),
    ("a", saved(np.zeros((5, 3), int)), "to be floats .*Received: int64"),
    ("a", saved(np.zeros((5, 3), complex)), "Received: complex128"),
    ("n", saved(np.arange(5)), r"of shape \(4,\). Received: int64 of shape \(5,\)"),
    ("n", saved(np.array([{}], object), allow_pickle=True), "Received: [Oo]bject"),
    ("a", header((10**12, 3)), "Received: "),
    ("a", header((2**62, 3)), "Received: "),
    ("a", header((-1, 3)), "Received: "),
    ("a", saved(np.zeros((5, 3)))[:-1], "Received: "),
    ("a", saved(np.zeros((5, 3))) + b"x", "a with .* bytes"),
    ("a", b"", "Received: "),
    ("a", b"\x93NUMPY\x09\x00", "Received: "),
    ("a", b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16, "Received: "),
]


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize(("name", "content", "message"), BAD_ARRAYS, ids=range(len(BAD_ARRAYS)))
@pytest.mark.parametrize("read", [read_npz, open_npz])
def test_other_arrays_than_expected_are_refused(file, name, content, message, read):
    rewrite(file, name, content)
    with pytest.raises(FileError, match=f"x.npz.*{message}") as refused:
        read(file, EXPECTED)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", [0x110000, 0xD800, 2**32 - 1])
def test_codes_that_are_no_characters_are_refused(file, code, order):
    """Python raises a SystemError when such text changes its case."""
    codes = np.array([0x62, code], np.dtype(np.uint32).newbyteorder(order))
    rewrite(file, "t", header((2,), f"{order}U1") + codes.tobytes())
    with pytest.raises(FileError, match="x.npz. Received: t, whose text holds codes that are no"):
        read_npz(file, EXPECTED)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_damaged_archives_are_refused(tmp_path, save):
    file = tmp_path / "x.npz"
    save(file, **VALUES)
    content = bytearray(file.read_bytes())
    content[200 if save is np.savez else 100] ^= 1  # within the values of `a`
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"readable file .*x.npz. Received: "):
        read_npz(file, {"a": ArraySpec()}, error=InputError)
    for damaged in (b"", b"PK\x03\x04", bytes(content[:-40])):
        file.write_bytes(damaged)
        for read in (lambda f: read_npz(f, EXPECTED), lambda f: open_npz(f, EXPECTED), npz_names):
            with pytest.raises(FileError, match=r"readable file .*x.npz. Received: "):
                read(file)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    """An honest header, and 3 GiB of zeros in 3 MB."""
    with (
        zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.npy", "w", force_zip64=True) as out,
    ):
        out.write(header((3 << 27, 1)))
        for _ in range(192):
            out.write(bytes(1 << 24))
    with pytest.raises(FileError, match="to hold at most .* bytes unpacked"):
        read_npz(tmp_path / "x.npz", {"a": ArraySpec()})


@pytest.mark.parametrize("mapped", [True, False])
def test_npy_files_equal_those_that_numpy_saved(tmp_path, mapped, rng):
    values = rng.normal(size=(4, 3)).T
    np.save(tmp_path / "x.npy", values)
    found = open_npy(tmp_path / "x.npy", ArraySpec("f", (3, None)), mapped=mapped)
    np.testing.assert_array_equal(found, values)
    assert isinstance(found, np.memmap) == mapped


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        header((10**12,)),
        saved(np.zeros(3))[:-1],
        saved(np.zeros(3)) + b"x",
        saved(np.array([{}], object), allow_pickle=True),
        saved(np.zeros(3, int)),
        b"",
    ],
    ids=range(6),
)
def test_damaged_npy_files_are_refused(tmp_path, content, mapped):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(FileError, match=r"x.npy.* Received: \S"):
        open_npy(tmp_path / "x.npy", ArraySpec("f"), mapped=mapped)
