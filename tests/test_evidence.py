"""The page about the paper's claims is what the kept results say."""

import importlib.util
import json
import shutil
import tomllib
from pathlib import Path

import pytest

from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.paper.paper_studies import SCALES, STUDIES
from lsk_engine.studies.paper.results import RESULTS

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
    for part in [found, *found.get("joined", [])]:
        assert "dirty" not in part["commit"]
        assert part["runs"] > 0
        assert part["seconds"] > 0
        assert part["machine"]["cores"]
    claims = {name for result in RESULTS.values() for name in result.claims}
    assert {one["name"] for one in found["claims"]} <= claims


@pytest.mark.parametrize("file", kept(), ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_what_does_not_show_is_explained(evidence, file):
    """And nothing else is."""
    found = json.loads(file.read_text())
    scale, study = file.parent.name, file.stem
    notes = tomllib.loads((evidence.EVIDENCE / evidence.NOTES).read_text())
    explained = {one["name"] for one in found["claims"] if one["verdict"] in evidence.EXPLAINED}
    assert set(notes.get(scale, {}).get(study, {})) == explained


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
    for one in found["claims"]:
        one["mean"] = 123.0
    file.write_text(json.dumps(found))
    assert "+123" in evidence.page(folder)
    assert evidence.page(folder) != evidence.page(evidence.EVIDENCE)


@pytest.fixture
def without_an_arm(evidence, tmp_path):
    """A kept study that lacks an arm, the folder of that arm's runs, and the whole study."""
    whole = json.loads((evidence.EVIDENCE / "demo" / "speech.json").read_text())
    arm, seeds = "alpha0.1-smoothing-neighborhood", whole["seeds"]
    values = {name: of_arms[arm] for name, of_arms in whole["values"].items()}
    for seed in range(seeds):
        path = tmp_path / "runs" / "speech" / "runs" / f"{arm}-seed{seed}"
        run = RunDirectory.create(path, {"task": "speech"})
        run.record_start(backend="tensorflow")
        about = {"schema": 1, "run": "r", "task": "speech", "preset": "p", "alpha": 0.1}
        scores = {name: by_seed[seed] for name, by_seed in values.items()}
        common = {"examples": 1, "tokens": 1, "loss": 0.5, "ece": 0.5, "brier": 0.5}
        metrics = {**about, "labels": {"wer": "WER %"}, "seconds": 60, "test": {**common, **scores}}
        run.write_json(run.metrics_file, metrics)
    kept = json.loads(json.dumps(whole))
    for of_arms in [kept["arms"], *kept["values"].values()]:
        del of_arms[arm]
    kept["claims"] = [one for one in kept["claims"] if one["arm"] != arm]
    file = tmp_path / "evidence" / "demo" / "speech.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(kept))
    return file, tmp_path / "runs", whole


def test_an_arm_that_is_added_is_decided_with_the_others(evidence, without_an_arm):
    """As if all had been trained together."""
    file, folder, whole = without_an_arm
    evidence.join(folder, "demo", "speech", file.parents[1])
    joined = json.loads(file.read_text())
    assert joined["values"] == whole["values"]
    assert joined["arms"] == whole["arms"]
    told = ("arm", "baseline", "differences", "verdict", "mean", "low", "high", "p")
    assert [{key: one[key] for key in told} for one in joined["claims"]] == [
        {key: one[key] for key in told} for one in whole["claims"]
    ]
    assert len(joined["sentences"]) == 2
    (part,) = joined["joined"]
    assert part["arms"] == ["alpha0.1-smoothing-neighborhood"]
    assert (part["runs"], part["seconds"]) == (3, 180)
    (row,) = (line for line in evidence._runs({"demo": {"speech": joined}}) if "`speech`" in line)
    assert f"| {whole['runs'] + 3} |" in row
    assert f"`{whole['commit']}`, `{part['commit']}`" in row


def test_nothing_is_added_unless_all_its_runs_are_finished(evidence, without_an_arm):
    file, folder, _ = without_an_arm
    next(folder.glob("speech/runs/*-seed2/metrics.json")).unlink()
    before = file.read_text()
    with pytest.raises(SystemExit, match="Expected 3 finished runs"):
        evidence.join(folder, "demo", "speech", file.parents[1])
    assert file.read_text() == before
