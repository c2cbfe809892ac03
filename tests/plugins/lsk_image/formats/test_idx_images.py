import gzip

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_image.formats.idx_images import read_idx
from lsk_image.sources import load_source


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
