import gzip
import io

import numpy as np
import pytest
from PIL import Image

from ls_base.errors import InputError
from lsk_image.data import load_source
from lsk_image.formats.array_files import read_idx


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path, rng):
    """Training files packed, test files plain, one of them under its other name."""
    images = rng.integers(0, 256, (7, 4, 5))
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.arange(7) % 3)))
    (tmp_path / "t10k-images.idx3-ubyte").write_bytes(idx(images[:2]))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([1, 2])))
    return tmp_path


def test_the_files_of_a_folder(folder, rng):
    source = load_source(str(folder))
    assert sorted(source.splits) == ["test", "train"]
    train = source.splits["train"]
    assert train.pixels.shape == (4, 5, 1)
    assert train.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert source.splits["test"].labels.tolist() == [1, 2]
    rows = np.array([1, 0])
    np.testing.assert_array_equal(
        source.splits["test"].pixels.gather(rows), train.pixels.gather(rows)
    )
    np.testing.assert_array_equal(read_idx(folder / "t10k-images.idx3-ubyte", 3)[0].shape, (4, 5))


def test_a_missing_file_is_told(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte, plain or .gz.*t10k-images"):
        load_source(str(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(np.zeros((2, 4, 5)))[:-1], r"Expected 40 values .* Received: 39"),
        (idx(np.zeros(2)), "starts with 00 00 08 01"),
        (b"", "rank 3"),
    ],
    ids=["cut off", "labels", "empty"],
)
def test_a_damaged_file_is_told(folder, content, message):
    (folder / "t10k-images.idx3-ubyte").write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_source(str(folder))


def test_a_cut_off_gz_is_told(folder):
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"readable file .*train-images"):
        load_source(str(folder))


def test_labels_that_do_not_fit_are_told(folder):
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(np.array([1, 2, 0])))
    with pytest.raises(InputError, match="Received: 3 and 2 in .*t10k-labels"):
        load_source(str(folder))


def jpegs(images):
    contents = []
    for image in images:
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "jpeg", quality=95)
        contents.append(buffer.getvalue())
    return {
        "jpeg": np.frombuffer(b"".join(contents), np.uint8),
        "offsets": np.cumsum([0, *map(len, contents)]),
    }


@pytest.fixture
def images(rng):
    """Smooth, since JPEG is lossy."""
    corners = rng.integers(0, 256, (5, 2, 2, 3), dtype=np.uint8)
    return np.stack([np.asarray(Image.fromarray(c).resize((8, 8))) for c in corners])


def test_jpeg_bytes_with_offsets(tmp_path, images):
    names = np.array(["cat", "dog"])
    labels = np.array([0, 1, 1, 0, 1])
    np.savez(tmp_path / "train_jpeg.npz", **jpegs(images), labels=labels, class_names=names)
    np.savez(tmp_path / "test_jpeg.npz", **jpegs(images[:2]), labels=labels[:2])
    source = load_source(str(tmp_path))
    assert list(source.class_names) == ["cat", "dog"]
    assert "lossy" in source.notes[0]
    got = source.splits["train"].pixels.gather(np.array([3, 1])).astype(int)
    assert np.abs(got - images[[3, 1]]).mean() < 6
    assert source.splits["test"].labels.tolist() == [0, 1]


@pytest.mark.parametrize("new", [None, ["owl", "dog", "cat"]])
def test_class_names_are_those_of_training(tmp_path, images, new):
    def write(split, *names):
        named = {"class_names": np.array(names)} if names else {}
        np.savez(tmp_path / f"{split}.npz", images=images, labels=np.arange(5) % 2, **named)

    write("train", "cat", "dog")
    write("test")
    write("val", "cat", "dog")
    assert load_source(str(tmp_path), classes=new).class_names == ["cat", "dog"]
    for names, told in (
        (("dog", "cat"), "class 0 .*'cat' and 'dog'"),
        (("cat", "dog", "owl"), "class 2 .*None and 'owl'"),
        (("cat",), "class 1 .*'dog' and None"),
    ):
        write("test", *names)
        one, another = told.split(" .*")
        message = rf"{one} .* in .*/train.npz and .*/test.npz. Received: {another}"
        with pytest.raises(InputError, match=message):
            load_source(str(tmp_path), classes=new)
    write("train")
    write("val")
    assert load_source(str(tmp_path), classes=new).class_names == ["cat"]


def test_arrays_in_a_folder(tmp_path, images):
    for split, n in (("train", 5), ("validation", 2), ("test", 3)):
        np.savez(tmp_path / f"{split}.npz", images=images[:n], labels=np.arange(n))
    source = load_source(str(tmp_path))
    assert [len(source.splits[s].pixels) for s in ("train", "validation", "test")] == [5, 2, 3]
    assert source.notes == ()


def test_one_file_as_keras_has_it(tmp_path, images):
    labels = np.arange(5)[:, None]  # (n, 1), as in Keras's CIFAR
    file = tmp_path / "all.npz"
    np.savez(file, x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    source = load_source(str(file))
    assert source.splits["train"].labels.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(source.splits["test"].pixels.gather(np.arange(2)), images[:2])
    for one in (labels[:1], labels[:1, 0]):
        np.savez(file, x_train=images, y_train=labels, x_test=images[:1], y_test=one)
        assert load_source(str(file)).splits["test"].labels.tolist() == [0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"jpeg": None}, "an array 'jpeg' in .*train.npz. Received: labels, offsets"),
        ({"labels": None}, "an array 'labels'"),
        ({"offsets": np.array([0, 5])}, r"rise from 0 to \d+ .*Received: 0 … 5"),
        ({"offsets": np.zeros(0, int)}, r"rise from 0 to \d+ .*Received: none"),
        ({"labels": np.arange(4)}, "Received: 4 and 5 in .*train.npz"),
        ({"labels": np.arange(5.0)}, "integer labels.*float64"),
        ({"jpeg": np.zeros(5)}, "float64"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path, images, change, message):
    arrays = {**jpegs(images), "labels": np.arange(5), **change}
    np.savez(tmp_path / "train.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(InputError, match=message):
        load_source(str(tmp_path))


def test_a_cut_off_jpeg_is_told_by_file_and_row(tmp_path, images):
    arrays = jpegs(images)
    arrays["offsets"][3] -= 150  # the third image ends early
    np.savez(tmp_path / "train.npz", **arrays, labels=np.arange(5))
    pixels = load_source(str(tmp_path)).splits["train"].pixels
    with pytest.raises(InputError, match=r"image 2 of .*train.npz: .*[Tt]runcated"):
        pixels.keep(np.arange(5))


def test_a_file_that_is_none_is_told(tmp_path):
    (tmp_path / "train.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(InputError, match=r"readable file .*train.npz"):
        load_source(str(tmp_path))


def test_missing_and_double_files_are_told(tmp_path):
    np.savez(tmp_path / "test.npz", labels=np.arange(2))
    with pytest.raises(InputError, match=r"one train\*.npz in .* Received: test.npz"):
        load_source(str(tmp_path))
    for name in ("train_a", "train_b"):
        np.savez(tmp_path / f"{name}.npz", labels=np.arange(2))
    with pytest.raises(InputError, match=r"Received: train_a.npz, train_b.npz"):
        load_source(str(tmp_path))


def test_a_file_without_the_arrays_is_told(tmp_path):
    np.savez(tmp_path / "one.npz", images=np.zeros(3))
    with pytest.raises(InputError, match="x_train, y_train.*Received: images"):
        load_source(str(tmp_path / "one.npz"))
