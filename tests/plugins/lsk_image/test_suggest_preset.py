import numpy as np
import pytest
from PIL import ExifTags, Image

from ls_base.errors import InputError
from lsk_engine.settings.resolving import resolve_config, restore_config
from lsk_image.data import load, load_source
from lsk_image.suggest_preset import suggest, survey
from lsk_image.task import ImageTask
from pictures import write_pictures as write


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "cat", [(12, 9), (9, 12), (9, 9), (30, 20)], gray={3})
    write(tmp_path / "dog", [(9, 9)] * 8)
    return tmp_path


def resolved(folder, preset=None, **given):
    said = []
    settings = {"data.source": str(folder), **given}
    return resolve_config(ImageTask(), preset, settings, said.append), said


def test_one_gray_picture_and_other_sizes_are_brought_to_one_shape(folder):
    config, said = resolved(folder)
    assert (config.preset, config.data.size, config.data.channels) == ("few-pictures", 9, 3)
    assert said == [
        "Found 2 classes, 12 pictures of 4 sizes, 1 of them gray; resized to 9 × 9 (data.size=9); "
        "gray ones converted to color (data.channels=3); preset few-pictures (choose another with "
        "--preset)"
    ]
    data = load(config)
    assert data.splits["train"].shape == (9, 9, 3)
    assert sum(map(len, data.splits.values())) == 12
    assert data.notes[:2] == (
        f"{folder}: 3 images resized to 9 × 9",
        f"{folder}: 1 images converted to color",
    )
    gray = load_source(str(folder), size=9, channels=3).splits["train"].pixels.gather(np.array([3]))
    assert np.unique(gray).tolist() == [3]


def test_the_choice_is_part_of_the_configuration(folder):
    config, _ = resolved(folder)
    assert restore_config(ImageTask(), config.to_dict()) == config


def test_what_the_user_says_goes_before(folder):
    config, said = resolved(folder, "digits-mlp", **{"data.size": "8", "data.channels": 1})
    assert (config.preset, config.data.size, config.data.channels) == ("digits-mlp", 8, 1)
    assert said == []
    config, said = resolved(folder, "digits-mlp")
    assert (config.preset, config.data.size, config.data.channels) == ("digits-mlp", 9, 3)
    assert "preset" not in said[0]
    config, _ = resolved(folder, **{"data.size": 7})
    assert (config.preset, config.data.size) == ("few-pictures", 7)


def test_large_pictures_are_made_small_for_the_chosen_preset_only(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, [(200, 100)] * 2)
    assert suggest(tmp_path, None, {}).settings["data.size"] == 64
    assert "data.size" not in suggest(tmp_path, "cifar10-resnet56", {}).settings


def test_small_gray_pictures_and_many_have_presets_of_their_own(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write(tmp_path / "gray" / name, [(8, 8)] * 2, gray={0, 1})
        write(tmp_path / "color" / name, [(8, 8)] * 2)
    chosen = suggest(tmp_path / "gray", None, {})
    assert (chosen.preset, chosen.settings) == ("gray-pictures", {})
    assert "all gray" in chosen.notes[0]
    monkeypatch.setattr("lsk_image.suggest_preset.FEW", 4)
    assert suggest(tmp_path / "color", None, {}).preset == "many-pictures"


@pytest.mark.parametrize("kind", ["jpeg", "images", "file"])
def test_npz_files_are_surveyed_in_all_their_splits(tmp_path, kind, folder):
    files = sorted(folder.glob("*/*.png"))
    contents = [file.read_bytes() for file in files]
    if kind == "jpeg":
        half = {"jpeg": np.frombuffer(b"".join(contents), np.uint8)}
        half["offsets"] = np.cumsum([0, *map(len, contents)]).astype(np.uint32)
        for split in ("train", "val"):
            np.savez(tmp_path / f"{split}_jpeg.npz", **half, labels=np.arange(12) % 2)
        found = survey(tmp_path)
        assert (found.total, found.gray, len(found.sizes)) == (24, 2, 4)
    elif kind == "images":
        np.savez(tmp_path / "train.npz", images=np.zeros((5, 4, 6, 3), np.uint8))
        np.savez(tmp_path / "test.npz", images=np.zeros((2, 4, 6), np.uint8))
        found = survey(tmp_path)
        assert (found.sizes, found.gray) == ({(6, 4): 7}, 2)
    else:
        arrays = {f"x_{s}": np.zeros((3, 4, 4), np.uint8) for s in ("train", "test")}
        np.savez(tmp_path / "all.npz", **arrays)
        found = survey(tmp_path / "all.npz")
        assert (found.sizes, found.gray) == ({(4, 4): 6}, 6)


def test_the_values_of_arrays_are_not_read(tmp_path, folder, monkeypatch):
    contents = [file.read_bytes() for file in sorted(folder.glob("*/*.png"))]
    ends = np.cumsum([0, *map(len, contents)])
    jpeg = np.frombuffer(b"".join(contents), np.uint8)
    np.savez(tmp_path / "jpeg.npz", jpeg=jpeg, offsets=ends)
    np.savez(tmp_path / "images.npz", images=np.zeros((5, 4, 6), np.uint8))

    def refuse(*arguments):
        raise AssertionError

    monkeypatch.setattr("numpy.lib.format.read_array", refuse)
    monkeypatch.setattr("ls_base.npz._MAPPED", 0)
    assert survey(tmp_path / "images.npz").sizes == {(6, 4): 5}
    assert survey(tmp_path / "jpeg.npz").total == 12


def test_a_picture_on_its_side_has_the_size_it_is_shown_in(tmp_path):
    for kind in ("png", "jpg", "tiff", "webp"):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        (tmp_path / kind).mkdir()
        Image.new("RGB", (6, 9)).save(tmp_path / kind / f"a.{kind}", exif=exif)
    assert survey(tmp_path).sizes == {(9, 6): 4}
    train = load_source(str(tmp_path)).splits["train"].pixels
    assert train.gather(np.arange(4)).shape == (4, 6, 9, 3)


def test_a_file_that_is_no_picture_is_told_at_the_start(folder):
    (folder / "dog" / "03.png").write_bytes(b"none")
    with pytest.raises(
        InputError, match=r"1 picture: .*dog/03.png: not a picture in a known format"
    ):
        resolved(folder)


def test_a_validation_file_of_another_spelling_is_not_lost(tmp_path):
    images = np.zeros((4, 4, 4), np.uint8)
    for name in ("train", "val_pictures", "test"):
        np.savez(tmp_path / f"{name}.npz", images=images, labels=np.arange(4) % 2)
    np.savez(tmp_path / "more.npz", images=images)
    source = load_source(str(tmp_path))
    assert sorted(source.splits) == ["test", "train", "validation"]
    assert source.notes == ("files that name no split are not read: more.npz",)
    np.savez(tmp_path / "dev.npz", images=images, labels=np.arange(4) % 2)
    with pytest.raises(
        InputError, match=r"validation\*.npz .* Received: dev.npz, val_pictures.npz"
    ):
        load_source(str(tmp_path))


def test_folders_of_splits_have_the_same_names(tmp_path):
    for split in ("Training", "dev", "extra"):
        for name in ("a", "b"):
            write(tmp_path / split / name, [(4, 4)])
    source = load_source(str(tmp_path))
    assert sorted(source.splits) == ["train", "validation"]
    assert source.notes == ("folders that name no split are not read: extra",)
    write(tmp_path / "val" / "a", [(4, 4)])
    with pytest.raises(InputError, match="split validation in .*Received: dev and val"):
        load_source(str(tmp_path))


def test_arrays_of_one_file_have_the_same_names(tmp_path):
    images, labels = np.zeros((4, 4, 4), np.uint8), np.arange(4) % 2
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_val=images, y_val=labels)
    source = load_source(str(tmp_path / "a.npz"))
    assert sorted(source.splits) == ["train", "validation"]
