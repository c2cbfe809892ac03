import time

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.settings.resolving import resolve_config
from lsk_image.data import load, load_source
from lsk_image.formats import image_store, tfds_images
from lsk_image.task import ImageTask

pytestmark = pytest.mark.tensorflow  # writing TFDS data needs TensorFlow


def prepare(folder, name, counts, *, shape=(6, 6, 3), labels=None, version="1.0.0", **options):
    """Writes random images under a TFDS name; their labels count up."""
    import tensorflow_datasets as tfds

    rng = np.random.default_rng(0)
    images = {s: rng.integers(0, 256, (n, *shape), dtype=np.uint8) for s, n in counts.items()}
    features = {
        "image": tfds.features.Image(shape=(None, None, shape[-1]), encoding_format="png"),
        "label": tfds.features.ClassLabel(num_classes=3),
    }
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version=version,
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            split: [
                (i, {"image": image, "label": -1 if split in (labels or ()) else i % 3})
                for i, image in enumerate(array)
            ]
            for split, array in images.items()
        },
        disable_shuffling=True,
        **{"file_format": "array_record", **options},
    )
    return images


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord"])
def test_prepared_data(tmp_path, file_format):
    images = prepare(tmp_path, "own", {"train": 7, "test": 4}, file_format=file_format)
    source = load_source("own", data_dir=tmp_path)
    assert source.notes == ("TFDS own/1.0.0",)
    assert list(source.class_names) == ["0", "1", "2"]
    assert source.splits["train"].labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    rows = np.array([3, 0])
    np.testing.assert_array_equal(source.splits["test"].pixels.gather(rows), images["test"][rows])


def test_rows_are_read_when_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(image_store, "IN_MEMORY", 0)
    images = prepare(tmp_path, "own", {"train": 7, "test": 4})
    source = load_source("own", data_dir=tmp_path)
    assert isinstance(source.splits["train"].pixels, image_store.EncodedPixels)
    rows = np.array([6, 2])
    np.testing.assert_array_equal(source.splits["train"].pixels.gather(rows), images["train"][rows])


def test_the_imagenet_preset_reads_its_data(tmp_path, monkeypatch):
    """The official name: its test split has no labels, its validation split is for testing."""
    import tensorflow_datasets as tfds

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    version = str(tfds.builder("imagenet2012", data_dir=tmp_path).version)
    counts = {"train": 8, "validation": 5, "test": 2}
    prepare(tmp_path, "imagenet2012", counts, shape=(20, 30, 3), labels=("test",), version=version)
    settings = {"data.validation": 3, "data.size": 12}
    data = load(resolve_config(ImageTask(), "imagenet-inception-v4", settings))
    assert {name: len(split) for name, split in data.splits.items()} == {
        "train": 5,
        "validation": 3,
        "test": 5,
    }
    inputs, labels = data.splits["test"].gather(np.array([4, 1]), None)
    assert inputs["image"].shape == (2, 12, 12, 3)
    assert inputs["image"].dtype == np.uint8
    assert labels.tolist() == [1, 1]


def test_a_large_set_without_random_access_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_images, "READ_AT_ONCE", 10)
    prepare(tmp_path, "own", {"train": 3, "test": 3}, file_format="tfrecord")
    with pytest.raises(InputError, match=r"tfds build own --file_format=array_record"):
        load_source("own", data_dir=tmp_path).splits["train"]


def test_data_without_images_are_told(tmp_path):
    import tensorflow_datasets as tfds

    tfds.dataset_builders.store_as_tfds_dataset(
        name="texts",
        version="1.0.0",
        data_dir=tmp_path,
        features=tfds.features.FeaturesDict({"text": tfds.features.Text()}),
        split_datasets={"train": [(0, {"text": "a"})]},
        file_format="array_record",
    )
    with pytest.raises(InputError, match="a feature 'image' .*'texts'.*Received: text"):
        load_source("texts", data_dir=tmp_path)


def test_data_without_a_train_split_are_told(tmp_path):
    prepare(tmp_path, "own", {"test": 3})
    with pytest.raises(InputError, match="a train split .*Received: test"):
        load_source("own", data_dir=tmp_path)


def test_known_but_not_prepared_fails_fast(tmp_path):
    start = time.monotonic()
    with pytest.raises(InputError, match=r"prepared in .*tfds build cifar100"):
        load_source("cifar100", data_dir=tmp_path)
    assert time.monotonic() - start < 30  # TFDS itself would try to download for minutes


def test_unknown_name_is_one_line_with_near_matches(tmp_path):
    with pytest.raises(InputError, match=r"did you mean .*cifar10") as caught:
        load_source("tfds:cifar11", data_dir=tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_version_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"cifar10:9.9.9") as caught:
        load_source("cifar10:9.9.9", data_dir=tmp_path)
    assert "\n" not in str(caught.value)
