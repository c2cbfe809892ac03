import numpy as np
import pytest
import soundfile

import speech_files
from ls_base.errors import InputError
from lsk_speech.config import DataConfig
from lsk_speech.corpora import recordings
from lsk_speech.corpora.own_files import read_manifest
from lsk_speech.corpora.recordings import Recordings
from lsk_speech.data import load_source
from lsk_speech.features import Sound, StreamedFeatures


def options(manifest, **more):
    return DataConfig(**{"source": str(manifest), "sample_rate": 8000, **more})


def everything(source):
    """Reads every recording; those that memory does not hold are not read before."""
    return [[split.rows[i] for i in range(len(split))] for split in source.splits.values()]


def test_recordings_come_in_their_splits_with_normalized_text(tmp_path):
    manifest = speech_files.write_manifest(tmp_path)
    source = load_source(options(manifest))
    assert {name: len(split) for name, split in source.splits.items()} == {
        "train": 12,
        "validation": 4,
        "test": 5,
    }
    lines = [line.split("\t") for line in manifest.read_text().splitlines()[1:]]
    train = source.splits["train"]
    assert train.texts == [line[1].lower().rstrip("!") for line in lines[:12]]
    assert train.speakers == [line[2] for line in lines[:12]]
    samples, _ = soundfile.read(tmp_path / "3.wav", dtype="int16")
    np.testing.assert_array_equal(train.rows[3], samples)
    assert source.notes == ()


def test_a_folder_with_a_manifest_will_do_and_rates_are_changed(tmp_path):
    speech_files.write_manifest(tmp_path, rate=8000)
    source = load_source(options(tmp_path, sample_rate=16000))
    samples, _ = soundfile.read(tmp_path / "0.wav")
    assert len(source.splits["train"].rows[0]) == 2 * len(samples)
    assert source.sample_rate == 16000


def test_without_splits_speakers_are_held_out(tmp_path):
    rows = []
    for i in range(40):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(800), 8000)
        rows.append(f"{i}.wav\tword\tspeaker{i % 10}")
    manifest = tmp_path / "own.tsv"
    manifest.write_text("\n".join(["file\ttext\tspeaker", *rows, ""]))
    source = read_manifest(manifest, options(manifest))
    heard = {name: set(split.speakers) for name, split in source.splits.items()}
    assert [len(source.splits[name]) for name in ("train", "validation", "test")] == [32, 4, 4]
    assert not heard["train"] & (heard["validation"] | heard["test"])
    assert not heard["validation"] & heard["test"]
    assert source.notes[0] == (
        "validation: 4 utterances (1 speakers, not in training) held out of training"
    )
    again = read_manifest(manifest, options(manifest, split_seed=1))
    assert {name: set(split.speakers) for name, split in again.splits.items()} != heard


def test_without_speakers_utterances_are_held_out(tmp_path):
    rows = [[f"{i}.wav", "word"] for i in range(20)]
    for name, _ in rows:
        soundfile.write(tmp_path / name, np.zeros(800), 8000)
    source = load_source(options(speech_files.write_manifest(tmp_path, rows=rows)))
    assert [len(source.splits[name]) for name in ("train", "validation", "test")] == [16, 2, 2]


STEREO, TEXT = np.zeros((9, 2)), b"hello there"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"Expected a recording. Received: .*6\.wav \(row 7 of .*manifest.tsv\): no such"),
        (STEREO, r"mono recording. Received: .*6\.wav \(row 7 of .*\), with 2 channels"),
        ("PCM_U8", r"16 bits or more. Received: .*6\.wav \(row 7 of .*\), with 8-bit samples"),
        (TEXT, r"WAV or FLAC recording. Received: .*6\.wav \(row 7 of .*\): Format not"),
        (np.zeros(0), r"at least one sample. Received: .*6\.wav \(row 7 of .*, with 0 samples"),
        (np.full(9, np.nan), r"finite samples. Received: .*6\.wav \(row 7 of .*, with nan"),
    ],
    ids=["missing", "stereo", "8 bits", "text", "0 samples", "NaN"],
)
def test_unusable_recordings_are_told_with_their_row(content, message, tmp_path):
    rows = [[f"{i}.wav", "word"] for i in range(1, 21)]  # 1.wav in row 2
    for name, _ in rows:
        soundfile.write(tmp_path / name, np.zeros(80), 8000)
    file = tmp_path / "6.wav"
    file.unlink()
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif isinstance(content, str):
        soundfile.write(file, np.zeros(80), 8000, subtype=content)
    elif content is not None:
        soundfile.write(file, content, 8000, subtype="FLOAT")
    with pytest.raises(InputError, match=message):
        everything(load_source(options(speech_files.write_manifest(tmp_path, rows=rows))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected recordings in a manifest"),
        ("file\ttext\n", "Expected recordings in a manifest"),
        ("path\ttext\na.wav\tone\n", r"columns file, text .* Received: 'path, text' in row 1"),
        ("file,text\na.wav,one\n", r"columns file, text .* Received: 'file,text' in row 1"),
        ("file\ttext\na.wav\tone\nb.wav\n", "Expected 2 columns. Received: 1 in row 3"),
        ("file\ttext\na.wav\t…!\n", "a transcript with a word. Received: '…!' in row 2"),
        ("file\ttext\tsplit\na.wav\tone\tdemo\n", "Received: 'demo' in row 2"),
        ("file\ttext\tsplit\na.wav\tone\ttest/../../x\n", "'test/../../x' in row 2"),
        ("file\ttext\tsplit\na.wav\tone\ttest\n", "utterances for training. Received: test"),
        ("file\ttext\na.wav\tone\n", "at least 9 utterances to draw validation, test from"),
    ],
)
def test_unusable_manifests_are_told(text, message, tmp_path):
    (tmp_path / "manifest.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        load_source(options(tmp_path))


def test_bytes_that_are_no_text_are_told(tmp_path):
    (tmp_path / "manifest.tsv").write_bytes(b"\xef\xbb\xbffile\ttext\r\na.wav\tone\r\nb\t\xff\r\n")
    with pytest.raises(InputError, match=r"UTF-8 text. Received: .* in row 3 of"):
        load_source(options(tmp_path))


@pytest.mark.parametrize("name", ["none.tsv", "."])
def test_a_path_with_no_data_is_told(name, tmp_path):
    with pytest.raises(InputError, match=r"Expected a manifest \(.tsv\), a folder with"):
        load_source(options(tmp_path / name))


@pytest.mark.parametrize("name", ["../1.wav", "/etc/passwd", "~/1.wav", "link/1.wav", "circle"])
def test_recordings_lie_in_the_manifests_folder(tmp_path, name):
    (tmp_path / "data").mkdir()
    soundfile.write(tmp_path / "1.wav", np.zeros(80), 8000)
    (tmp_path / "data" / "link").symlink_to(tmp_path)
    (tmp_path / "data" / "circle").symlink_to("circle")
    rows = [["0.wav", "word"]] * 19 + [[name, "word"]]
    soundfile.write(tmp_path / "data" / "0.wav", np.zeros(80), 8000)
    manifest = speech_files.write_manifest(tmp_path / "data", rows=rows)
    expected = "a file inside|a recording" if name == "~/1.wav" else "a file inside"
    with pytest.raises(InputError, match=f"Expected (the name of )?({expected}).*row 21 of"):
        everything(load_source(options(manifest)))


def test_of_new_data_nothing_is_held_out(tmp_path):
    manifest = speech_files.write_manifest(tmp_path)
    lines = [line.rsplit("\t", 1)[0] for line in manifest.read_text().splitlines()]
    manifest.write_text("\n".join(lines) + "\n")
    source = load_source(options(manifest), new=True)
    assert {name: len(split) for name, split in source.splits.items()} == {"train": 21}
    assert source.notes == ()
    assert len(load_source(options(manifest)).splits["train"]) < 21


def test_who_is_held_out_of_a_manifest_says_the_manifest(tmp_path):
    held_out = options(speech_files.write_manifest(tmp_path), held_out_speaker="ann")
    with pytest.raises(InputError, match="column split of their manifest. Received: 'ann' with"):
        load_source(held_out)
    assert load_source(held_out, new=True).splits


def test_what_memory_does_not_hold_is_decoded_when_a_batch_has_it(tmp_path, monkeypatch):
    manifest = speech_files.write_manifest(tmp_path)
    options_ = options(manifest, sample_rate=16000)
    kept = load_source(options_).splits["train"].rows
    monkeypatch.setattr(recordings, "IN_MEMORY", 0)
    streamed = load_source(options_).splits["train"].rows
    assert isinstance(streamed, Recordings)
    assert not isinstance(kept, Recordings)
    np.testing.assert_array_equal(streamed.lengths, kept.lengths)  # of headers
    chosen, size = np.array([7, 0, 7]), int(kept.lengths.max())
    for rows in (streamed, streamed.take(np.arange(12)[::-1]).take(np.arange(12)[::-1])):
        np.testing.assert_array_equal(
            rows.padded(chosen, size, np.float32), kept.padded(chosen, size, np.float32)
        )
        np.testing.assert_array_equal(rows[3], kept[3])
    streamed.save(tmp_path / "values.npy", tmp_path / "offsets.npy")
    kept.save(tmp_path / "values2.npy", tmp_path / "offsets2.npy")
    for name in ("values", "offsets"):
        assert (tmp_path / f"{name}.npy").read_bytes() == (tmp_path / f"{name}2.npy").read_bytes()


def test_a_recording_that_is_cut_off_later_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "IN_MEMORY", 0)
    source = load_source(options(speech_files.write_manifest(tmp_path)))
    rows = source.splits["train"].rows
    soundfile.write(tmp_path / "3.wav", np.zeros(80), 8000)
    with pytest.raises(InputError, match=r"samples, as when .* Received: .*3.wav.*row 5.*with 80"):
        rows.padded(np.array([2, 3]), 10**6)


def test_the_features_of_what_memory_does_not_hold_are_the_same(tmp_path, monkeypatch):
    manifest = speech_files.write_manifest(tmp_path)
    monkeypatch.setattr(recordings, "IN_MEMORY", 0)
    speech = load_source(options(manifest)).splits["train"]
    sound = Sound.from_options(options(manifest, input="log-mel", num_mel_bins=8), 8000)
    features = {}
    for memory in (0, 1 << 30):
        monkeypatch.setattr("lsk_speech.features.IN_MEMORY", memory)
        features[memory] = sound.hear(speech).rows
    streamed, kept = features.values()
    assert isinstance(streamed, StreamedFeatures)
    np.testing.assert_array_equal(streamed.lengths, kept.lengths)
    rows, size = np.array([5, 1, 11]), int(kept.lengths.max())
    found = streamed.take(np.arange(12)).padded(rows, size, np.float32)
    # The sizes of batches differ, and with them, perhaps, a last bit of 16.
    np.testing.assert_allclose(found, kept.padded(rows, size, np.float32), rtol=2e-3, atol=1e-3)
    kept_of = []

    def in_order(self, rows, make=Recordings.make):
        kept_of.append(rows)
        return make(self, rows)

    # As files that are read in order alone ask.
    monkeypatch.setattr(Recordings, "make", in_order)
    sound.hear(speech)
    (asked,) = kept_of
    assert (np.diff(asked) > 0).all()
    by_speaker = Sound.from_options(
        options(manifest, input="log-mel", normalization="speaker"), 8000
    )
    monkeypatch.setattr("lsk_speech.features.IN_MEMORY", 0)
    with pytest.raises(InputError, match="data.normalization=utterance or none of recordings"):
        by_speaker.hear(speech)


def arrays(**changed):
    frames = [3] * 30
    return {
        "feats": np.arange(270, dtype=np.float32).reshape(90, 3),
        "offsets": np.cumsum([0, *frames]),
        "ids": np.array([f"u{i}" for i in range(30)]),
        "split": np.array(["train"] * 27 + ["test"] * 3),
        "speaker": np.array([f"s{i // 3}" for i in range(30)]),
        "text": np.array(["Yes.", "no", "rub out"] * 10),
    } | changed


def load(folder, **changed):
    kept = {k: v for k, v in arrays(**changed).items() if v is not None}
    np.savez(folder / "features.npz", **kept)
    return load_source(DataConfig(source=str(folder / "features.npz")))


def test_validation_speakers_are_held_out_of_training(tmp_path):
    source = load(tmp_path)
    assert source.sample_rate is None
    train, validation, test = (source.splits[n] for n in ("train", "validation", "test"))
    assert (len(train), len(validation), len(test)) == (24, 3, 3)
    assert not set(train.speakers) & set(validation.speakers)
    assert list(test.speakers) == ["s9"] * 3
    assert list(test.texts) == ["yes", "no", "rub out"]
    np.testing.assert_array_equal(test.rows[0], arrays()["feats"][81:84])


def test_a_split_that_is_there_is_taken(tmp_path):
    split = np.array(["train"] * 20 + ["dev"] * 4 + ["test"] * 3 + ["test_noisy"] * 3)
    source = load(tmp_path, split=split, speaker=None, ids=None)
    assert {name: len(x) for name, x in source.splits.items()} == {
        "train": 20,
        "validation": 4,
        "test": 3,
        "test_noisy": 3,
    }
    assert source.notes == ()


def spoiled():
    feats = arrays()["feats"].copy()
    feats[13, 1] = np.nan
    return feats


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"text": None}, "Expected an array 'text' in .*Received: feats, offsets, ids"),
        ({"offsets": np.arange(31)}, r"offsets \(n \+ 1,\).* with feats float32 \(90, 3\)"),
        ({"split": np.array(["train"])}, r"n of text and split.* split <U5 \(1,\)"),
        ({"offsets": np.array([0, 10**9, *range(6, 91, 3)])}, "rise from 0 to 90 in offsets of"),
        ({"feats": spoiled()}, r"of finite numbers. Received: utterance u4 \(row 4\) of "),
        ({"text": np.array(["yes"] * 29 + ["!"])}, r"with a word. .*'!' in utterance u29 \(row 29"),
        ({"split": np.array(["train"] * 29 + ["x"])}, "'x' in utterance u29"),
        (
            {"offsets": np.array([0, 0, *range(6, 91, 3)])},
            r"with at least one frame. Received: utterance u0 \(row 0\)",
        ),
    ],
)
def test_unusable_features_are_told(changed, message, tmp_path):
    with pytest.raises(InputError, match=message):
        load(tmp_path, **changed)


def test_another_file_is_told(tmp_path):
    (tmp_path / "features.npz").write_text("text")
    with pytest.raises(
        InputError, match=r"a readable file .*features.npz. Received: File is not a zip"
    ):
        load_source(DataConfig(source=str(tmp_path / "features.npz")))
