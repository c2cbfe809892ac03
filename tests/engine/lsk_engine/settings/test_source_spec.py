from pathlib import Path

import pytest

from ls_base.errors import InputError
from lsk_engine.settings.source_spec import check_near_paths, path_or_name


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A working folder with `mnist` in it, and a home folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "mnist").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", ["cifar10", "wmt14_translate/de-en:1.0.0", "photos.npz"])
def test_names(name):
    assert path_or_name(name) == name


@pytest.mark.parametrize("name", ["mnist", "./photos", "../photos", "/photos/of/mine"])
def test_paths(name):
    assert path_or_name(name) == Path(name)


def test_a_folder_of_ones_own(here):
    assert path_or_name("~/photos") == here / "home" / "photos"


def test_after_the_prefix_comes_a_name():
    assert path_or_name("tfds:mnist") == "mnist"


def test_a_misspelled_path_is_refused_unless_a_data_set_has_its_name(here, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(here / "tfds"))
    with pytest.raises(InputError, match=r"Near matches: mnist\. Received: 'minst'"):
        check_near_paths("minst")
    for source in ("mnist", "tfds:minst", "cifar10", "nowhere/at/all"):
        check_near_paths(source)
    (here / "tfds" / "minst").mkdir(parents=True)
    check_near_paths("minst")
