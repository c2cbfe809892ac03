from pathlib import Path

import pytest

from lsk_speech.corpora.espeak import _with_own_variants


@pytest.fixture
def data(tmp_path):
    """Data as the library has them, in small."""
    data = tmp_path / "data"
    for name in ("phondata", "lang/gmw/en-US", "voices/mb/mb-de1", "voices/!v/f3"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(name)
    return data


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("links", [True, False], ids=["linked", "copied"])
def test_own_variants_lie_beside_those_of_the_library(data, tmp_path, monkeypatch, links):
    """Where links can't be made, as for most users of Windows, copies do."""

    def refuse(*_, **__):
        raise OSError(1314, "A required privilege is not held by the client")

    if not links:
        monkeypatch.setattr(Path, "symlink_to", refuse)
    before = contents(data)
    folder = tmp_path / "own"
    folder.mkdir()
    variants = _with_own_variants(data, folder)
    assert (folder / "phondata").is_symlink() == links
    for name, text in before.items():
        assert (folder / name).read_text() == text
    (variants / "made0").write_text("pitch 80 117")
    assert contents(data) == before
