import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_speech.config import DataConfig
from lsk_speech.corpora.tfds_speech import StreamedExamples, read_tfds
from lsk_speech.data import load_source

pytestmark = pytest.mark.tensorflow  # writing TFDS data needs TensorFlow

OPTIONS = DataConfig(sample_rate=8000)
SPLITS = {"train": ["One two", "three"], "validation": ["four."], "test": ["five", "six"]}


def sound(text):
    return (1000 * np.sin(np.arange(100 + 10 * len(text)))).astype(np.int64)


def prepare(folder, name, splits=SPLITS, *, features=None, example=None, **options):
    import tensorflow_datasets as tfds

    features = features or {
        "speech": tfds.features.Audio(sample_rate=8000),
        "text": tfds.features.Text(),
        "speaker_id": tfds.features.Scalar(np.int64),
    }
    example = example or (lambda text: {"speech": sound(text), "text": text, "speaker_id": 7})
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets={
            split: [(i, example(text)) for i, text in enumerate(texts)]
            for split, texts in splits.items()
        },
        disable_shuffling=True,
        **options,
    )


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord"])
def test_prepared_data(file_format, tmp_path, monkeypatch):
    prepare(tmp_path, "own_speech", file_format=file_format)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    source = load_source(DataConfig(source="own_speech", sample_rate=8000))
    train = source.splits["train"]
    assert train.texts == ["one two", "three"]
    assert train.speakers == ["7", "7"]
    np.testing.assert_array_equal(train.rows[1], sound("three"))
    assert [len(source.splits[name]) for name in ("validation", "test")] == [1, 2]
    assert source.notes == ("TFDS own_speech/1.0.0",)


def test_splits_with_the_names_of_librispeech(tmp_path):
    names = ("train_clean100", "train_other500", "dev_clean", "dev_other", "test_clean")
    splits = {name: [name.replace("_", " ")] for name in (*names, "test_other")}
    prepare(tmp_path, "libri_like", splits)
    source = read_tfds("libri_like", OPTIONS, data_dir=tmp_path)
    assert {name: list(split.texts) for name, split in source.splits.items()} == {
        "train": ["train clean100", "train other500"],
        "validation": ["dev clean"],
        "test": ["test clean"],
        "test_other": ["test other"],
    }


def test_labels_are_words_and_rates_are_changed(tmp_path):
    """As in speech_commands."""
    import tensorflow_datasets as tfds

    labels = ["down", "_silence_"]
    features = {
        "audio": tfds.features.Audio(sample_rate=16000),
        "label": tfds.features.ClassLabel(names=labels),
    }
    splits = {"train": labels, "validation": labels, "test": labels}
    prepare(
        tmp_path,
        "commands",
        splits,
        features=features,
        example=lambda text: {"audio": sound(text), "label": text},
    )
    test = read_tfds("commands", OPTIONS, data_dir=tmp_path).splits["test"]
    assert list(test.texts) == ["down", "silence"]
    assert test.rows.lengths.tolist() == [len(sound("down")) // 2, len(sound("_silence_")) // 2]


@pytest.mark.parametrize(
    ("text", "samples", "message"),
    [
        ("!", np.ones(9, np.int64), "with a word. Received: '!' in example 1 of test in own_sp"),
        ("six", np.ones(0, np.int64), "sample. Received: example 1 of test in own_.*, with 0"),
    ],
)
def test_unusable_examples_are_told(text, samples, message, tmp_path):
    def example(given):
        last = given == "six"
        return {
            "speech": samples if last else sound(given),
            "text": text if last else given,
            "speaker_id": 1,
        }

    prepare(tmp_path, "own_speech", example=example)
    with pytest.raises(InputError, match=message):
        read_tfds("own_speech", OPTIONS, data_dir=tmp_path).splits["test"]


def test_data_of_another_kind_are_told(tmp_path):
    import tensorflow_datasets as tfds

    prepare(
        tmp_path,
        "own_text",
        features={"text": tfds.features.Text()},
        example=lambda text: {"text": text},
    )
    with pytest.raises(InputError, match="features speech or audio .*'own_text'. Received: text"):
        read_tfds("own_text", OPTIONS, data_dir=tmp_path)


def test_a_missing_split_is_told(tmp_path):
    prepare(tmp_path, "own_speech", {"train": ["one"], "test": ["two"]})
    with pytest.raises(InputError, match="a validation split.*Received: train, test"):
        read_tfds("own_speech", OPTIONS, data_dir=tmp_path)


@pytest.mark.parametrize("name", ["librispeech", "speech_commands"])
def test_official_names_are_known(name, tmp_path):
    with pytest.raises(InputError, match=rf"tfds build {name}"):
        read_tfds(name, OPTIONS, data_dir=tmp_path)


@pytest.mark.parametrize("file_format", ["array_record", "tfrecord"])
def test_what_memory_does_not_hold_is_read_again(tmp_path, monkeypatch, file_format):
    prepare(tmp_path, "own_speech", file_format=file_format)
    kept = read_tfds("own_speech", OPTIONS, data_dir=tmp_path).splits["train"]
    monkeypatch.setattr("lsk_speech.corpora.tfds_speech.IN_MEMORY", 0)
    streamed = read_tfds("own_speech", OPTIONS, data_dir=tmp_path).splits["train"]
    assert isinstance(streamed.rows, StreamedExamples)
    assert streamed.texts == kept.texts
    np.testing.assert_array_equal(streamed.rows.lengths, kept.rows.lengths)
    every = np.arange(len(kept))
    for found, expected in zip(streamed.rows.make(every), map(kept.rows.__getitem__, every)):  # noqa: B905
        np.testing.assert_array_equal(found, expected)
    if file_format == "array_record":
        rows, size = every[::-1], int(kept.rows.lengths.max())
        np.testing.assert_array_equal(
            streamed.rows.take(rows).padded(every, size), kept.rows.padded(rows, size)
        )
    else:
        with pytest.raises(InputError, match="array_record files, which can be read row by row"):
            streamed.rows.padded(every[::-1], 10**6)
