import io
import zipfile

import numpy as np
import pytest

from ls_base.errors import FileError, InputError
from ls_base.npz_schema import ArraySpec, npz_names, open_npy, read_npz
from stored_arrays import arrays_of

KNOWN = {
    "a": ArraySpec("f", (None, 3), finite=True),
    "n": ArraySpec("iu", (4,)),
    "t": ArraySpec("U"),
}


@pytest.fixture
def file(tmp_path, rng):
    path = tmp_path / "x.npz"
    np.savez(path, a=rng.normal(size=(5, 3)), n=np.arange(4), t=np.array(["b", "cd"]))
    return path


def rewritten(file, name, content):
    """Puts other bytes in a member's place; the archive's checksum is of these."""
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
def test_arrays_are_those_that_numpy_reads(tmp_path, save, rng):
    arrays = {
        "a": np.asfortranarray(rng.normal(size=(5, 3))),
        "n": np.arange(4),
        "t": np.array(["b", "cd"]),
        "0d": np.float32(3),
        "empty": np.zeros((0, 2), np.uint8),
        "flags": np.array([True, False]),
    }
    save(tmp_path / "x.npz", **arrays)
    found = read_npz(tmp_path / "x.npz", dict.fromkeys(arrays, ArraySpec()))
    assert list(found) == list(arrays)
    for name, array in arrays_of(tmp_path / "x.npz").items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_arrays_that_nobody_expects_are_left_alone(file):
    rewritten(file, "t", saved(np.array([{}], object), allow_pickle=True))
    assert list(read_npz(file, {"n": KNOWN["n"], "z": ArraySpec()}, optional=["z"])) == ["n"]
    assert npz_names(file) == ["a", "n", "t"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a",
            saved(np.zeros((5, 4))),
            r"a in .* to be floats of shape \(n, 3\). Received: fl",
        ),
        ("a", saved(np.zeros((5, 3), int)), "to be floats of .*Received: int64 of shape"),
        ("a", saved(np.zeros((5, 3), complex)), "to be floats of .*Received: complex128"),
        ("a", saved(np.full((5, 3), np.inf)), "finite numbers in a in .*x.npz. Received: inf"),
        ("n", saved(np.arange(5)), r"n in .* of shape \(4,\). Received: int64 of shape \(5,\)"),
        ("n", saved(np.array([{}], object), allow_pickle=True), "Received: pickled objects"),
        ("a", header((10**12, 3)), "Expected 24,000,000,000,000 bytes .* in a in .*Received: 0"),
        ("a", header((2**62, 3)), "bytes of float64 .*Received: 0"),
        ("a", saved(np.zeros((5, 3)))[:-1], "Expected 120 bytes .* Received: 119"),
        ("a", saved(np.zeros((5, 3))) + b"x", "Expected 120 bytes .* Received: 121"),
        ("a", b"", "a in .*x.npz to be an array that NumPy saved"),
        ("a", b"\x93NUMPY\x09\x00", "a in .*x.npz to be an array that NumPy saved"),
        ("a", header((-1, 3)), "to be floats of shape"),
        ("a", b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16, "to be an array that NumPy saved"),
    ],
    ids=range(14),
)
def test_arrays_that_are_not_what_they_should_be_are_told(file, name, content, message):
    rewritten(file, name, content)
    with pytest.raises(FileError, match=message):
        read_npz(file, KNOWN)


def test_damaged_archives_are_told(file, tmp_path):
    content = bytearray(file.read_bytes())
    content[200] ^= 1  # within the values of `a`: zipfile compares the sum
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"Expected .*x.npz.* Received: Bad CRC-32"):
        read_npz(file, KNOWN, error=InputError)
    for damaged in (b"", b"PK\x03\x04", bytes(content[:-40])):
        file.write_bytes(damaged)
        with pytest.raises(FileError, match=r"readable .npz file .*x.npz. Received: "):
            read_npz(file, KNOWN)
        with pytest.raises(FileError, match=r"readable .npz file .*x.npz. Received: "):
            npz_names(file)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_missing_and_a_double_member_are_told(file):
    with pytest.raises(FileError, match="an array 'z' in .*x.npz. Received: a, n, t"):
        read_npz(file, {"z": ArraySpec()})
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("a.npy", saved(np.ones((5, 3))))
    with pytest.raises(FileError, match="Expected a.npy once in .*x.npz"):
        read_npz(file, KNOWN)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
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
def test_one_array_is_that_of_numpy(tmp_path, mapped, rng):
    values = rng.normal(size=(4, 3)).T
    np.save(tmp_path / "x.npy", values)
    found = open_npy(tmp_path / "x.npy", ArraySpec("f", (3, None)), mapped=mapped)
    np.testing.assert_array_equal(found, values)
    assert isinstance(found, np.memmap) == mapped


@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header((10**12,)), "bytes of float64 .*Received: 0"),
        (saved(np.zeros(3))[:-1], "Expected 24 bytes .* in .*x.npy. Received: 23"),
        (saved(np.zeros(3)) + b"x", "Expected 24 bytes .* in .*x.npy. Received: 25"),
        (saved(np.array([{}], object), allow_pickle=True), "pickled objects"),
        (saved(np.zeros(3, np.float32)), "to be float64. Received: float32"),
        (b"", "to be an array that NumPy saved"),
    ],
)
def test_one_array_that_is_not_what_it_should_be_is_told(tmp_path, content, message, mapped):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(FileError, match=message):
        open_npy(tmp_path / "x.npy", ArraySpec(dtype="float64"), mapped=mapped)


def test_numbers_that_are_read_are_finite_where_it_is_promised(tmp_path):
    np.save(tmp_path / "x.npy", np.array([1, np.nan]))
    with pytest.raises(FileError, match="finite numbers in .*x.npy. Received: nan"):
        open_npy(tmp_path / "x.npy", ArraySpec("f", finite=True), mapped=False)


@pytest.mark.parametrize("code", [0x110000, 0xD800, 2**32 - 1])
@pytest.mark.parametrize("order", ["<", ">"])
def test_codes_that_are_no_characters_are_told(file, code, order):
    """Python itself ends with a SystemError when somebody changes the case of such text."""
    codes = np.array([0x62, code], np.dtype(np.uint32).newbyteorder(order))
    rewritten(file, "t", header((2,), f"{order}U1") + codes.tobytes())
    with pytest.raises(FileError, match="text in t in .*x.npz. Received: codes that are no char"):
        read_npz(file, KNOWN)
