import numpy as np
import pytest
from PIL import Image

from ls_base.errors import InputError
from lsk_engine.settings.resolving import resolve_config
from lsk_image.data import load, load_source
from lsk_image.task import ImageTask


def write(folder, values, size=(4, 4)):
    folder.mkdir(parents=True)
    for i, value in enumerate(values):
        Image.fromarray(np.full(size, value, np.uint8)).save(folder / f"{i}.png")


def test_class_folders(tmp_path):
    write(tmp_path / "cat", [10, 11])
    write(tmp_path / "dog", [20])
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    source = load_source(str(tmp_path))
    assert list(source.splits) == ["train"]
    assert source.class_names == ["cat", "dog"]
    assert source.splits["train"].labels.tolist() == [0, 0, 1]
    assert source.splits["train"].pixels.gather(np.arange(3))[:, 0, 0, 0].tolist() == [10, 11, 20]


def test_splits_of_class_folders(tmp_path):
    for split in ("train", "val", "test"):
        write(tmp_path / split / "b", [2])
        write(tmp_path / split / "a", [1, 1])
    source = load_source(str(tmp_path))
    assert sorted(source.splits) == ["test", "train", "validation"]
    assert source.splits["test"].labels.tolist() == [0, 0, 1]


def test_a_class_without_training_images_is_told(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / "train" / name, [1])
        write(tmp_path / "test" / name, [1])
    write(tmp_path / "test" / "c", [1])
    with pytest.raises(InputError, match=r"a, b. Received: .*test/c"):
        load_source(str(tmp_path))


def test_an_empty_class_is_told(tmp_path):
    write(tmp_path / "a", [1])
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match=r"images in .*b. Received: none"):
        load_source(str(tmp_path))


def test_one_class_or_none_is_told(tmp_path):
    with pytest.raises(InputError, match="at least two class folders.*Received: no folders"):
        load_source(str(tmp_path))
    write(tmp_path / "a", [1])
    with pytest.raises(InputError, match="Received: a"):
        load_source(str(tmp_path))


def test_a_damaged_image_is_told_by_its_file(tmp_path):
    write(tmp_path / "a", [1])
    write(tmp_path / "b", [1])
    (tmp_path / "b" / "0.png").write_bytes(b"")
    (tmp_path / "a" / "1.png").write_text("no picture")
    with pytest.raises(
        InputError, match=r"decode 2 pictures: .*a/1.png: .*; .*b/0.png: .*skip_unreadable"
    ) as told:
        load_source(str(tmp_path)).splits["train"].pixels.keep(np.array([0, 1]))
    assert "Buffered" not in str(told.value)


def test_unreadable_images_are_left_out_where_the_user_asks_for_it(tmp_path):
    write(tmp_path / "a", [1] * 6)
    write(tmp_path / "b", [2] * 6)
    damaged = tmp_path / "b" / "0.png"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    settings = {"data.source": str(tmp_path), "data.skip_unreadable": True}
    data = load(resolve_config(ImageTask(), None, settings))
    assert sum(map(len, data.splits.values())) == 11
    assert f"1 unreadable pictures left out: {damaged}" in data.notes


def test_a_path_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match=r"a folder or an .npz file.*nowhere"):
        load_source(str(tmp_path / "nowhere"))
