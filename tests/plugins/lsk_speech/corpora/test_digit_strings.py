import zipfile

import numpy as np
import pytest
import soundfile

from ls_base.errors import InputError
from lsk_speech.config import DataConfig
from lsk_speech.data import load_source

SPEAKERS, NUMBERS, RATE = ("ann", "bo"), range(12), 8000


def value(digit, speaker, number):
    """The one value of a recording's samples, which tells it among all."""
    return 100 * (1 + digit + 10 * number) + SPEAKERS.index(speaker)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    for digit in range(10):
        for speaker in SPEAKERS:
            for number in NUMBERS:
                samples = np.full(80 + digit, value(digit, speaker, number), np.int16)
                soundfile.write(folder / f"{digit}_{speaker}_{number}.wav", samples, RATE)
    return folder


def load(folder, **options):
    given = {"source": str(folder), "sample_rate": RATE, "max_train_examples": 200, **options}
    return load_source(DataConfig(**given))


def recordings(split, row):
    """Returns the values of a string's recordings in order; gaps are zeros."""
    samples = split.rows[row]
    runs = np.flatnonzero(np.diff(samples, prepend=0))
    return [int(samples[i]) for i in runs if samples[i]]


def used(split):
    return {value for row in range(len(split)) for value in recordings(split, row)}


def test_strings_are_recordings_of_one_speaker_as_the_transcript_says(folder):
    train = load(folder).splits["train"]
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    assert len(train) == 200
    assert set(train.speakers) == set(SPEAKERS)
    assert {len(text.split()) for text in train.texts} == {2, 3, 4, 5}
    for row in range(len(train)):
        values = recordings(train, row)
        assert [words[(v // 100 - 1) % 10] for v in values] == train.texts[row].split()
        assert {SPEAKERS[v % 100] for v in values} == {train.speakers[row]}


def test_a_table_of_transcripts_beside_digits_is_not_passed_over_silently(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "transcripts.tsv").write_text("file\ttext\n0_ann_0.wav\tzero\n")
    assert any("not read: transcripts.tsv" in note for note in load(tmp_path).notes)
    rows = [f"{file.name}\tword" for file in sorted(folder.glob("0_*.wav"))]
    (tmp_path / "manifest.tsv").write_text("\n".join(["file\ttext", *rows]))
    assert set(load(tmp_path).splits["train"].texts) == {"word"}


def test_no_recording_is_in_two_splits_and_each_is_used_as_often(folder):
    source = load(folder, max_train_examples=400)
    by_split = {name: used(split) for name, split in source.splits.items()}
    numbers = {name: {(v // 100 - 1) // 10 for v in values} for name, values in by_split.items()}
    assert numbers == {"train": {10, 11}, "validation": {5, 6, 7, 8, 9}, "test": {0, 1, 2, 3, 4}}
    train = source.splits["train"]
    counts = {}
    for row in range(len(train)):
        for found in recordings(train, row):
            counts[found] = counts.get(found, 0) + 1
    for speaker in range(2):
        of_speaker = [count for v, count in counts.items() if v % 100 == speaker]
        assert len(of_speaker) == 20
        assert max(of_speaker) - min(of_speaker) <= 1


def test_a_held_out_speaker_is_in_the_test_split_alone(folder):
    splits = load(folder, held_out_speaker="bo").splits
    assert set(splits["test"].speakers) == {"bo"}
    assert len(used(splits["test"])) == 120
    assert set(splits["train"].speakers) == set(splits["validation"].speakers) == {"ann"}
    assert not used(splits["train"]) & used(splits["validation"])
    with pytest.raises(InputError, match="held_out_speaker to be one of ann, bo. Received: 'cy'"):
        load(folder, held_out_speaker="cy")


def test_an_archive_gives_the_same(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "audio.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"wav/{file.name}")
    first, second = load(folder).splits["test"], load(tmp_path).splits["test"]
    assert list(first.texts) == list(second.texts)
    np.testing.assert_array_equal(first.rows[7], second.rows[7])


def test_seeds_give_other_strings(folder):
    assert load(folder).splits["test"].texts == load(folder).splits["test"].texts
    assert load(folder).splits["test"].texts != load(folder, split_seed=1).splits["test"].texts


def test_unusable_recordings_are_told(tmp_path):
    soundfile.write(tmp_path / "0_ann_0.wav", np.zeros((9, 2)), RATE)
    with pytest.raises(InputError, match=r"mono recording. Received: .*0_ann_0.wav"):
        load(tmp_path)
    soundfile.write(tmp_path / "0_ann_0.wav", np.zeros(9), RATE)
    with pytest.raises(InputError, match=r"recordings for the train split .* Received: none in"):
        load(tmp_path)
    (tmp_path / "0_ann_0.wav").unlink()
    (tmp_path / "audio.zip").write_text("no archive")
    with pytest.raises(InputError, match=r"a .zip of recordings. Received: .*audio.zip"):
        load(tmp_path)
