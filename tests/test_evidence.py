"""The page about the paper's claims is what the kept results say."""

import importlib.util
import json
import shutil
import tomllib
from pathlib import Path

import pytest

from lsk_engine.studies.paper import RESULTS
from lsk_engine.studies.paper_studies import SCALES, STUDIES

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def evidence():
    """The script."""
    spec = importlib.util.spec_from_file_location("evidence", ROOT / "benchmarks" / "evidence.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def kept():
    return sorted((ROOT / "docs" / "evidence").glob("*/*.json"))


def test_the_page_is_made_of_what_is_kept(evidence):
    text = evidence.PAGE.read_text()
    assert text == evidence.page(evidence.EVIDENCE), "run: python benchmarks/evidence.py page"


def test_the_readme_has_the_verdicts_of_what_is_kept(evidence):
    (table,) = evidence.TABLE_OF_VERDICTS.findall(evidence.README.read_text())
    assert table.strip().splitlines() == [*evidence.verdicts(evidence.EVIDENCE)]
    assert all(f"| {name} |" in table for name in RESULTS)


@pytest.mark.parametrize("file", kept(), ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_what_is_kept_says_where_it_is_from(file):
    found = json.loads(file.read_text())
    assert file.parent.name in SCALES
    assert found["study"] == file.stem
    assert file.stem in STUDIES[file.parent.name]
    assert "dirty" not in found["commit"]
    assert found["runs"] > 0
    assert found["seconds"] > 0
    assert found["machine"]["cores"]
    claims = {name for result in RESULTS.values() for name in result.claims}
    assert {one["name"] for one in found["decided"]} <= claims


@pytest.mark.parametrize("file", kept(), ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_what_does_not_show_is_explained(evidence, file):
    """And nothing else is."""
    found = json.loads(file.read_text())
    scale, study = file.parent.name, file.stem
    notes = tomllib.loads((evidence.EVIDENCE / evidence.NOTES).read_text())
    to_tell = {one["name"] for one in found["decided"] if one["verdict"] in evidence.TOLD}
    assert set(notes.get(scale, {}).get(study, {})) == to_tell


@pytest.mark.parametrize("scale", SCALES)
def test_what_was_not_run_has_its_reason(evidence, scale):
    """And nothing else has."""
    notes = tomllib.loads((evidence.EVIDENCE / evidence.NOTES).read_text())
    reasons = notes[evidence.NOT_RUN].get(scale, {})
    there = {file.stem for file in kept() if file.parent.name == scale}
    missing = set(STUDIES[scale]) - there
    assert isinstance(reasons, str) or set(reasons) == missing
    table = evidence.PAGE.read_text().split("## Not run here")[1]
    assert all(f"| {scale} | `{name}` |" in table for name in missing)


def test_a_changed_number_changes_the_page(evidence, tmp_path):
    if not kept():
        pytest.skip("nothing is kept yet")
    folder = shutil.copytree(evidence.EVIDENCE, tmp_path / "evidence")
    file = folder / kept()[0].relative_to(evidence.EVIDENCE)
    found = json.loads(file.read_text())
    for one in found["decided"]:
        one["mean"] = 123.0
    file.write_text(json.dumps(found))
    assert "+123" in evidence.page(folder)
    assert evidence.page(folder) != evidence.page(evidence.EVIDENCE)
