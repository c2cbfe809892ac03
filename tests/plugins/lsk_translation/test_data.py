import gzip

import numpy as np
import pytest

import small_translation
from ls_base.errors import InputError
from lsk_engine.settings.resolving import resolve_config
from lsk_translation.data import load, load_new, load_source
from lsk_translation.parallel_text import ParallelText
from lsk_translation.task import TranslationTask


@pytest.fixture
def folder(tmp_path):
    for name, lines in {"train": 6, "val": 2, "test": 2}.items():
        for language in ("en", "de"):
            text = "".join(f"{language} {name} {i}\n" for i in range(lines))
            (tmp_path / f"{name}.{language}.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path


def test_cldr():
    corpus = load_source("cldr", max_train_examples=300)
    assert (corpus.name, corpus.source_language, corpus.target_language) == ("cldr", "en", "de")
    assert {name: len(split) for name, split in corpus.splits.items()} == {
        "train": 300,
        "validation": 1000,
        "test": 1000,
    }
    assert corpus.notes[0].startswith("synthetic")


def test_cldr_in_the_other_direction():
    forward = load_source("cldr", max_train_examples=20).splits
    back = load_source(
        "cldr", max_train_examples=20, source_language="de", target_language="en"
    ).splits
    for name in forward:
        assert back[name] == ParallelText(forward[name].target, forward[name].source)


def test_folder(folder):
    corpus = load_source(str(folder))
    assert corpus.splits["train"].source == tuple(f"en train {i}" for i in range(6))
    assert corpus.splits["validation"].target == ("de val 0", "de val 1")
    assert len(corpus.splits["test"]) == 2


def test_relative_paths_and_names_without_a_separator(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert len(load_source(folder.name).splits["train"]) == 6
    assert len(load_source(f"./{folder.name}").splits["train"]) == 6


def test_fewer_pairs_of_a_folder_are_drawn_by_seed_in_order(folder):
    few = load_source(str(folder), max_train_examples=3, seed=1)
    numbers = [int(line.split()[-1]) for line in few.splits["train"].source]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 3
    assert [line.split()[-1] for line in few.splits["train"].target] == list(map(str, numbers))
    assert "3 of 6 pairs, drawn with seed 1" in few.notes[-1]
    draws = {
        load_source(str(folder), max_train_examples=3, seed=s).splits["train"].source
        for s in range(8)
    }
    assert len(draws) > 1
    assert few.splits["train"].source in draws


def test_languages_name_the_sides(folder):
    corpus = load_source(str(folder), source_language="de", target_language="en")
    assert corpus.splits["train"].source[0] == "de train 0"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data": "cldr", "target_language": "en"}, "two different languages"),
        ({"data": "cldr", "target_language": "fr"}, "en and de for cldr. Received: 'en' and 'fr'"),
        ({"data": "./nowhere"}, "a folder with parallel text. Received: nowhere"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(InputError, match=message):
        load_source(**options)


def test_more_pairs_than_a_folder_has(folder):
    with pytest.raises(InputError, match=r"data.max_train_examples of at most 6. Received: 7"):
        load_source(str(folder), max_train_examples=7).splits["train"]


def test_unequal_sides():
    with pytest.raises(InputError, match="1 source and 2 target lines"):
        ParallelText(("a",), ("b", "c"))


def test_other_text_is_read_whole_in_the_sub_words_of_the_run(tmp_path):
    config = resolve_config(
        TranslationTask(),
        None,
        small_translation.settings(tmp_path),
    )
    run = load(config, None)
    other = tmp_path / "other"
    other.mkdir()
    (other / "test.en").write_text("abc d\n\nbb\n")
    (other / "test.de").write_text("cba dx\nx\nbbx\n")
    changed = resolve_config(
        TranslationTask(),
        None,
        {**small_translation.SETTINGS, "data.source": str(other)},
    )
    data = load_new(changed, run.artifacts)
    assert data.class_names == run.class_names
    assert data.artifacts == run.artifacts
    assert len(data.splits["test"]) == 3  # an empty line is a line
    assert data.splits["train"] is data.splits["test"]
    np.testing.assert_array_equal(data.splits["test"].references, ["cba dx", "x", "bbx"])
