import gzip
import time

import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_engine.data.formats import text_files
from lsk_translation.data import load_source
from lsk_translation.parallel_text import read_folder, read_tfds


def write(folder, **texts):
    for name, text in texts.items():
        content = text if isinstance(text, bytes) else text.encode()
        (folder / name.replace("__", ".")).write_bytes(content)
    return folder


COMPLETE = {
    "train__en": "a\nb\n",
    "train__de": "A\nB\n",
    "val__en": "c\n",
    "val__de": "C\n",
    "test__en": "d\n",
    "test__de": "D\n",
}


def read(folder):
    """Returns all splits, which are read for it, and the notes."""
    splits, notes = read_folder(folder, "en", "de")
    return dict(splits), notes


def test_plain_files(tmp_path):
    splits, notes = read(write(tmp_path, **COMPLETE))
    assert list(splits) == ["train", "validation", "test"]
    assert splits["train"].source == ("a", "b")
    assert splits["train"].target == ("A", "B")
    assert splits["validation"].source == ("c",)
    assert notes == []


def test_packed_and_plain_may_stand_side_by_side(tmp_path):
    texts = COMPLETE | {"train__de__gz": gzip.compress(b"A\nB\n")}
    del texts["train__de"]
    splits, _ = read(write(tmp_path, **texts))
    assert splits["train"].target == ("A", "B")


def test_validation_comes_before_val(tmp_path):
    splits, _ = read(write(tmp_path, **COMPLETE, validation__en="v\n", validation__de="V\n"))
    assert splits["validation"].source == ("v",)


def test_first_test_set_is_test(tmp_path):
    texts = {key: text for key, text in COMPLETE.items() if "test" not in key}
    more = {"test_2017__en": "x\n", "test_2017__de": "X\n"}
    more |= {"test_2016__en": "w\n", "test_2016__de": "W\n"}
    splits, notes = read(write(tmp_path, **texts, **more))
    assert list(splits) == ["train", "validation", "test", "test_2017"]
    assert splits["test"].source == ("w",)
    assert splits["test_2017"].source == ("x",)
    assert notes == ["test: test_2016"]


def test_other_languages_are_left_alone(tmp_path):
    splits, _ = read(write(tmp_path, **COMPLETE, train__fr="only one\n", test_x__fr="f\n"))
    assert list(splits) == ["train", "validation", "test"]


def test_pairs_with_an_empty_side_leave_training_only(tmp_path):
    texts = COMPLETE | {"train__en": "a\n\n\nb\n", "train__de": "A\nB\n \nC\n"}
    texts |= {"test__en": "d\n\n", "test__de": "D\nE\n"}
    splits, notes = read(write(tmp_path, **texts))
    assert splits["train"].target == ("A", "C")
    assert splits["test"].source == ("d", "")
    assert notes == ["train: 2 pairs with an empty side dropped"]


def test_line_separators_inside_a_line_windows_ends_and_a_byte_order_mark(tmp_path):
    texts = COMPLETE | {"train__en": "\ufeffa\u2028a\x0b\r\nb\r\n", "train__de": "A\nB"}
    splits, _ = read(write(tmp_path, **texts))
    assert splits["train"].source == ("a\u2028a", "b")
    assert splits["train"].target == ("A", "B")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_missing_split(tmp_path, split):
    write(tmp_path, **{key: text for key, text in COMPLETE.items() if split not in key})
    with pytest.raises(InputError, match=rf"Expected {split if split != 'val' else 'validation'}"):
        read(tmp_path)


def test_missing_language(tmp_path):
    texts = COMPLETE.copy()
    del texts["val__de"]
    with pytest.raises(InputError, match=r"Expected val.de or val.de.gz.*Received: neither"):
        read(write(tmp_path, **texts))


def test_both_plain_and_packed(tmp_path):
    packed = {"train__en__gz": gzip.compress(b"a\nb\n")}
    with pytest.raises(InputError, match=r"one of train.en and train.en.gz.*Received: both"):
        read(write(tmp_path, **COMPLETE, **packed))


def test_unequal_lines(tmp_path):
    with pytest.raises(InputError, match=r"train.en and train.de.*equally many.*Received: 2 and 3"):
        read(write(tmp_path, **COMPLETE | {"train__de": "A\nB\nC\n"}))


def test_not_utf8(tmp_path):
    with pytest.raises(InputError, match=r"byte 0xfc in line 2 of .*train\.de"):
        read(write(tmp_path, **COMPLETE | {"train__de": b"A\nB\xfc\n"}))


@pytest.mark.parametrize("name", ["train__en", "val__de", "test__en"])
def test_empty_file(tmp_path, name):
    with pytest.raises(InputError, match="Received: an empty file"):
        read(write(tmp_path, **COMPLETE | {name: ""}))


def test_empty_lines_only(tmp_path):
    with pytest.raises(InputError, match="empty lines only"):
        read(write(tmp_path, **COMPLETE | {"train__en": "\n\n"}))


@pytest.mark.parametrize(
    "damage", [b"not gzip", gzip.compress(b"a\nb\n")[:-9]], ids=["not gzip", "cut off"]
)
def test_damaged_archive(tmp_path, damage):
    texts = COMPLETE | {"train__de__gz": damage}
    del texts["train__de"]
    with pytest.raises(InputError, match=r"readable file .*train\.de\.gz"):
        read(write(tmp_path, **texts))


def test_no_folder_and_empty_folder(tmp_path):
    with pytest.raises(InputError, match="Expected a folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(InputError, match="Received: an empty folder"):
        read(tmp_path)


def test_a_split_that_nobody_asks_for_is_not_read(tmp_path):
    write(tmp_path, **COMPLETE | {"train__de": b"A\nB\xfc\n"})
    splits, _ = read_folder(tmp_path, "en", "de")
    assert splits["test"].source == ("d",)
    with pytest.raises(InputError, match="UTF-8"):
        splits["train"]


def test_text_that_stays_on_the_disk_is_the_same(tmp_path, monkeypatch):
    texts = COMPLETE | {"train__en": "a\n\n\nb\n", "train__de": "A\nB\n \nC\n"}
    expected, notes = read(write(tmp_path, **texts))
    monkeypatch.setattr(text_files, "ON_DISK", 0)
    found, same = read(tmp_path)
    assert isinstance(found["train"].source, text_files.TextLines)
    assert same == notes
    for name, text in expected.items():
        assert list(found[name].source) == list(text.source)
        assert list(found[name].target) == list(text.target)


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


def test_missing_tfds_split(tmp_path):
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
