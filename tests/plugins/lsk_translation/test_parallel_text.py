import gzip

import pytest

from ls_base.errors import InputError
from lsk_engine.data.formats import text_lines
from lsk_translation.parallel_text import read_folder


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
    monkeypatch.setattr(text_lines, "ON_DISK", 0)
    found, same = read(tmp_path)
    assert isinstance(found["train"].source, text_lines.TextLines)
    assert same == notes
    for name, text in expected.items():
        assert list(found[name].source) == list(text.source)
        assert list(found[name].target) == list(text.target)
