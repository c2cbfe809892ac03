import numpy as np
import pytest

import speech_files
from ls_base.errors import InputError
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.data.prepared.prepared_data import prepare
from lsk_engine.settings.resolving import resolve_config
from lsk_speech.data import Utterances, encoded
from lsk_speech.source_data import Speech
from lsk_speech.task import SpeechTask
from lsk_speech.units import END_ID, PAD_ID, START_ID, UNKNOWN_ID, make_units

TEXTS = ["one", "two one", "one two one", "two"]


def utterances(sample_rate=1000):
    """Four utterances of 11, 25, 40 and 41 samples, 10 samples a frame."""
    rows = Ragged.of(np.full(n, n, np.int16) for n in (11, 25, 40, 41))
    speech = Speech(rows, TEXTS, ["a", "b", "a", "c"])
    return encoded(speech, make_units("words", TEXTS, 0), sample_rate)


def test_a_batch_by_hand():
    inputs, labels = utterances().gather(np.array([1, 0]), None)
    one, two = 4, 5
    assert labels.tolist() == [[two, one, END_ID], [one, END_ID, PAD_ID]]
    assert inputs["target"].tolist() == [[START_ID, two, one], [START_ID, one, PAD_ID]]
    assert inputs["length"].tolist() == [3, 2]
    assert inputs["audio"].shape == (2, 30)
    assert inputs["audio"].dtype == np.float32
    np.testing.assert_allclose(inputs["audio"][1], [11 / 32768] * 11 + [0] * 19)
    assert {k: v.dtype for k, v in inputs.items() if k != "audio"} == dict.fromkeys(
        ("target", "length"), np.dtype("int32")
    )


def test_labels_are_as_long_as_the_longest_of_any_utterance_up_to_the_size():
    split = utterances()
    assert split.sizes.tolist() == [2, 3, 4, 5]
    assert [split.target_length(size) for size in (1, 2, 3, 4, 5, 9)] == [2, 2, 3, 4, 4, 4]
    assert split.gather(np.array([3]), None)[1].tolist() == [[5, END_ID, PAD_ID, PAD_ID]]
    assert split.gather(np.array([0]), 3)[1].shape == (1, 3)


def test_taken_utterances_are_a_split_of_their_own():
    taken = utterances().take(np.array([3, 0]))
    assert list(taken.references) == ["two", "one"]
    assert list(taken.speakers) == ["c", "a"]
    assert taken.label_counts().tolist() == [2, 2]
    assert taken.target_length(5) == 2
    assert taken.gather(np.array([1]), None)[0]["length"].tolist() == [2]


def test_features_are_gathered_as_they_are():
    rows = Ragged.of([np.ones((2, 3), np.float16), np.full((1, 3), 2, np.float16)])
    split = Utterances(Speech(rows, ["a", "b"], ["", ""]), Ragged.of([[4], [5]]), None)
    inputs, _ = split.gather(np.array([1, 0]), 4)
    assert split.feature_size == 3
    assert inputs["features"].dtype == np.float32
    assert inputs["features"][0].tolist() == [[2.0] * 3] + [[0.0] * 3] * 3
    assert inputs["length"].tolist() == [1, 2]


def load(folder, artifacts=None, counts=None, **settings):
    if not (folder / "manifest.tsv").exists():
        speech_files.write_manifest(folder, counts)
    given = {f"data.{key}": value for key, value in settings.items()}
    task = SpeechTask()
    small = {"data.source": str(folder), "data.sample_rate": 8000, "data.num_mel_bins": 8}
    config = resolve_config(task, None, small | given)
    return task.load_data(config, artifacts)


@pytest.mark.parametrize("units", ["words", "characters", "subwords"])
def test_transcripts_in_units(units, tmp_path):
    data = load(tmp_path, units=units, vocabulary_size=16)
    for split in data.splits.values():
        for i, text in enumerate(split.references):
            assert data.class_names[:4] == ("<pad>", "<start>", "<end>", "<unknown>")
            pieces = [data.class_names[k] for k in split.tokens[i]]
            joined = (" " if units == "words" else "").join(pieces)
            assert joined.replace("▁", " ").strip() == text


def test_long_training_utterances_are_left_out(tmp_path):
    data = load(tmp_path, max_seconds=0.2)
    train = data.splits["train"]
    assert train.sizes.max() <= 20
    left_out = 12 - len(train)
    assert 0 < left_out < 12
    assert f"{left_out} training utterances over 0.2 s unused" in data.notes
    assert data.splits["test"].sizes.max() > 20
    with pytest.raises(InputError, match=r"data.max_seconds=0.02 s. Received: none, the shortest"):
        load(tmp_path, max_seconds=0.02)


def test_fewer_utterances_are_drawn(tmp_path):
    data = load(tmp_path, max_train_examples=5)
    assert len(data.splits["train"]) == 5
    assert "train: 5 of 12 utterances, drawn at random" in data.notes
    assert len(load(tmp_path, max_train_examples=50).splits["train"]) == 12


@pytest.mark.parametrize(("units", "count"), [("words", 1), ("characters", 2)])
def test_units_unknown_in_training_are_counted(units, count, tmp_path):
    manifest = speech_files.write_manifest(tmp_path)
    lines = manifest.read_text().splitlines()
    cells = lines[-1].split("\t")
    lines[-1] = "\t".join([cells[0], "low zz", *cells[2:]])
    manifest.write_text("\n".join(lines))
    data = load(tmp_path, units=units)
    assert f"test: {count} {units} that training doesn't have" in data.notes
    test = data.splits["test"]
    assert (test.tokens[len(test) - 1] == UNKNOWN_ID).sum() == count
    assert test.references[-1] == "low zz"
    again = load(tmp_path, data.artifacts, units=units)
    assert again.notes == data.notes


def test_normalization_by_speaker_needs_features(tmp_path):
    with pytest.raises(InputError, match=r"data.input=log-mel with .*Received: data.input=wave"):
        load(tmp_path, normalization="speaker", input="waveform")
    data = load(tmp_path, normalization="speaker", input="log-mel")
    train = data.splits["train"]
    assert train.feature_size == 24
    for speaker in set(train.speakers):
        frames = np.concatenate(
            [train.speech.rows[i] for i, who in enumerate(train.speakers) if who == speaker]
        ).astype(float)
        np.testing.assert_allclose(frames.mean(0), 0, atol=0.01)
        np.testing.assert_allclose(frames.std(0), 1, atol=0.01)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"sample_rate": 11025}, "a multiple of 100.* Received: 11025"),
        ({"max_words": 1}, "data.max_words of at least data.min_words=2. Received: 1"),
    ],
)
def test_bad_settings_are_told(setting, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load(tmp_path, **setting)


TASK = SpeechTask()


@pytest.mark.parametrize(
    "settings",
    [
        {"data.units": "characters"},
        {"data.input": "log-mel", "data.num_mel_bins": 6, "data.normalization": "speaker"},
        {"data.units": "subwords", "data.vocabulary_size": 16, "data.max_train_examples": 9},
    ],
)
def test_prepared_data_are_the_data(settings, tmp_path):
    speech_files.write_manifest(tmp_path / "own")
    made_with = {"data.source": str(tmp_path / "own"), "data.sample_rate": 8000, **settings}
    data = prepare(TASK, resolve_config(TASK, None, made_with), tmp_path / "data")
    config = resolve_config(TASK, None, {"data.source": str(tmp_path / "data")})
    assert config.data.sample_rate == 8000
    for artifacts in (None, data.artifacts):
        read = TASK.load_data(config, artifacts)
        assert list(read.splits) == list(data.splits)
        assert isinstance(read.splits["train"].speech.rows.values, np.memmap)
        for name in ("artifacts", "notes", "class_names", "num_classes"):
            assert getattr(read, name) == getattr(data, name), name
        np.testing.assert_array_equal(read.class_counts, data.class_counts)
        for name, examples in data.splits.items():
            again = read.splits[name]
            rows = np.random.default_rng(0).permutation(len(examples))
            for first, second in zip(
                examples.gather(rows, None), again.gather(rows, None), strict=True
            ):
                np.testing.assert_equal(first, second)
            assert list(again.references) == list(examples.references)
            assert list(again.speakers) == list(examples.speakers)


def test_data_of_another_run_are_told(tmp_path):
    speech_files.write_manifest(tmp_path / "own")
    given = {"data.source": str(tmp_path / "own"), "data.sample_rate": 8000}
    prepare(TASK, resolve_config(TASK, None, given), tmp_path / "data")
    other = TASK.load_data(resolve_config(TASK, None, {**given, "data.units": "characters"}))
    config = resolve_config(TASK, None, {"data.source": str(tmp_path / "data")})
    with pytest.raises(InputError, match="prepared with other units or features"):
        TASK.load_data(config, other.artifacts)
