"""`lsk reproduce`: in this process, the trainings in their own."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from ls_base.errors import InputError
from lsk.main import cli
from lsk.reproduce import RESULTS, SCALES
from lsk_engine.studies.paper.paper_studies import STUDIES

TINY = ("--seeds", 1, "--set", "training.steps=3", "--jobs", 2)


def call(*arguments):
    return CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)


def reproduce(*arguments):
    return call("reproduce", *arguments)


def test_the_list_has_all_with_cost_and_what_has_been_run(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert tuple(STUDIES) == SCALES
    for scale in SCALES:
        done = reproduce("--list", "--scale", scale, "--out", tmp_path)
        assert done.exit_code == 0
        lines = done.stdout.splitlines()
        begun = [line.split()[0] for line in lines if line and not line.startswith(" ")]
        expected = ["result", *RESULTS, "all", "study", *STUDIES[scale]]
        assert begun[-len(expected) :] == expected
        assert max(map(len, lines)) <= 100
    rows = json.loads(reproduce("--list", "--json", "--out", tmp_path).stdout)["results"]
    assert [row["result"] for row in rows] == [*RESULTS]
    assert {row["finished"] for row in rows} == {0}
    lines = reproduce("table1", "--list", "--only", "text", "--out", tmp_path).stdout.splitlines()
    begun = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    assert begun[-5:] == ["result", "table1", "all", "study", "text"]


def test_the_list_does_not_wait_for_keras(tmp_path):
    code = (
        "import sys; from lsk.main import cli; "
        f"cli.main(['reproduce', '--list', '--out', {str(tmp_path)!r}], standalone_mode=False); "
        "print(sorted({'keras', 'tensorflow', 'jax', 'matplotlib'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Expected one of table1, .* or all, or --list"),
        (["tabel1"], "Near matches: table1"),
        (["table1", "--seeds", "0"], "at least one seed"),
        (["table2", "--jobs", "0"], "at least one job"),
        (["table1", "--only", "voices"], "Known: images, text, speech. Received: 'voices'"),
        (["all", "--only", "text,spech"], "Near matches: speech"),
        (["table2", "--only", "mnist"], "only studies of table2 at the scale demo. .*'mnist'"),
        (["table2", "--list", "--only", "mnist"], "only studies of table2 at the scale demo"),
        (["table2", "--scale", "data"], "--data-dir DIR with cifar10 in it"),
        (["table2", "--set", "model.wdith=3"], "Near matches: model.width"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        reproduce(*arguments, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.tensorflow
def test_results_of_images_share_runs_and_make_a_report(tmp_path):
    out = tmp_path / "out"
    done = reproduce("figure2", *TINY, "--out", out)
    assert done.exit_code == 0, done.output
    assert "inconclusive" in done.stdout
    assert (out / "figure2-images.png").is_file()
    for name in ("table2", "figure1", "figure6"):
        again = reproduce(name, *TINY, "--out", out, "--json", "-q")
        assert again.exit_code == 0, again.output
        (found,) = json.loads(again.stdout)["results"]
        assert found == json.loads((out / f"{name}.json").read_text())
        for figure in found["figures"]:
            assert figure.endswith(f"{name}-images.png")
    assert {run.name for run in (out / "images" / "runs").iterdir()} == {
        *("alpha0-seed0", "alpha0.1-seed0")
    }
    listed = reproduce("--list", "--seeds", 1, "--out", out).stdout.splitlines()
    assert next(line.split()[5] for line in listed if line.startswith("table2")) == "2/2"
    reported = call("report", out)
    assert reported.exit_code == 0, reported.output
    assert "2 runs" in reported.stdout


@pytest.mark.slow
@pytest.mark.tensorflow
def test_mnist_s_teachers_and_students_are_compared(tmp_path):
    out = tmp_path / "out"
    done = reproduce("mnist", *TINY, "--out", out, "--json", "-q")
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["results"]
    decided = {one["name"]: one for one in found["studies"]["mnist"]["claims"]}
    names = [one["name"] for one in found["studies"]["mnist"]["claims"]]
    assert sorted(names) == ["teachers", "teaching", "teaching at T", "transfer"]
    differences = {name: one["mean"] for name, one in decided.items()}
    expected = differences["teaching"] - differences["teachers"]
    assert differences["transfer"] == pytest.approx(expected)
    assert decided["teaching"]["paper"] == 0.17
    assert len([*(out / "mnist" / "runs").iterdir()]) == 5
    assert len([*(out / "mnist" / "teachers").iterdir()]) == 2
