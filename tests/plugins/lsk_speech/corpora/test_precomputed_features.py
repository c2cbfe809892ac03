import numpy as np
import pytest

from ls_base.errors import InputError
from lsk_speech.config import DataConfig
from lsk_speech.sources import load_source


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
