import time

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_translation.sources import load_source
from lsk_translation.tfds_text import read_tfds

PAIRS = {
    "train": [("one", "eins"), ("two ", "zwei"), ("", "leer"), ("Bär\nü", "bear")],
    "validation": [("three", "drei")],
    "test": [("four", "vier"), ("five", "fünf")],
}


def prepare(folder, name, *, splits=PAIRS, file_format="array_record", features=None, wrap=None):
    import tensorflow_datasets as tfds

    features = features or tfds.features.Translation(languages=("de", "en"))
    wrap = wrap or (lambda example: example)
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features) if isinstance(features, dict) else features,
        split_datasets={
            split: [(i, wrap({"en": en, "de": de})) for i, (en, de) in enumerate(pairs)]
            for split, pairs in splits.items()
        },
        file_format=file_format,
        disable_shuffling=True,
    )


pytestmark = pytest.mark.tensorflow  # writing TFDS data needs TensorFlow


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord"])
def test_prepared_data(tmp_path, file_format):
    prepare(tmp_path, "own_pairs", file_format=file_format)
    splits, notes = read_tfds("own_pairs", "en", "de", data_dir=tmp_path)
    assert splits["train"].source == ("one", "two", "Bär ü")
    assert splits["train"].target == ("eins", "zwei", "bear")
    assert splits["test"].target == ("vier", "fünf")
    assert notes == ["TFDS own_pairs/1.0.0", "train: 1 pairs with an empty side dropped"]


def test_environment_variable_is_read_at_the_call(tmp_path, monkeypatch):
    prepare(tmp_path, "own_pairs")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    corpus = load_source("tfds:own_pairs", source_language="de", target_language="en")
    assert corpus.splits["validation"].source == ("drei",)
    assert len(load_source("own_pairs").splits["test"]) == 2


def test_official_name_over_own_data(tmp_path):
    """A name with a config, as `wmt14_translate/de-en` has."""
    import tensorflow_datasets as tfds

    version = str(tfds.builder("wmt14_translate/de-en", data_dir=tmp_path).version)
    languages = tfds.features.Translation(languages=("de", "en"))
    tfds.dataset_builders.store_as_tfds_dataset(
        name="wmt14_translate",
        config="de-en",
        version=version,
        data_dir=tmp_path,
        features=languages,
        split_datasets={
            split: [(i, {"en": en, "de": de}) for i, (en, de) in enumerate(pairs)]
            for split, pairs in PAIRS.items()
        },
        file_format="array_record",
    )
    corpus = load_source("tfds:wmt14_translate/de-en", data_dir=tmp_path)
    assert sorted(corpus.splits["test"].source) == ["five", "four"]


def test_two_text_features_in_a_dictionary(tmp_path):
    import tensorflow_datasets as tfds

    text = tfds.features.Text()
    features = {"id": tfds.features.Scalar(np.int64), "texts": {"en": text, "de": text}}
    prepare(tmp_path, "nested", features=features, wrap=lambda e: {"id": 1, "texts": e})
    splits, _ = read_tfds("nested", "en", "de", data_dir=tmp_path)
    assert splits["test"].source == ("four", "five")


def test_wrong_languages(tmp_path):
    prepare(tmp_path, "own_pairs")
    with pytest.raises(InputError, match=r"'en' and 'fr' in the TFDS.*Received: 'de', 'en'"):
        read_tfds("own_pairs", "en", "fr", data_dir=tmp_path)


def test_missing_split(tmp_path):
    prepare(tmp_path, "own_pairs", splits={"train": PAIRS["train"], "test": PAIRS["test"]})
    with pytest.raises(InputError, match=r"a validation split.*Received: train, test"):
        read_tfds("own_pairs", "en", "de", data_dir=tmp_path)


def test_known_but_not_prepared_fails_fast(tmp_path):
    start = time.monotonic()
    with pytest.raises(InputError, match=r"prepared in .*tfds build wmt14_translate/de-en"):
        read_tfds("wmt14_translate/de-en", "en", "de", data_dir=tmp_path)
    assert time.monotonic() - start < 30  # TFDS itself would try to download for minutes


def test_unknown_name_is_one_line_with_near_matches(tmp_path):
    with pytest.raises(InputError, match=r"did you mean .*wmt14_translate") as caught:
        read_tfds("wmt14_tranlate/de-en", "en", "de", data_dir=tmp_path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300


def test_unknown_config_is_one_line(tmp_path):
    with pytest.raises(InputError, match="xx-yy") as caught:
        read_tfds("wmt14_translate/xx-yy", "en", "de", data_dir=tmp_path)
    assert "\n" not in str(caught.value)
