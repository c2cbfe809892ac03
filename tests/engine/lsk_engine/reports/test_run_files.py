import base64
import os

import pytest

from ls_base.errors import FileError
from lsk_engine.reports.run_files import (
    Search,
    read_picture,
    read_run,
    swept_beams,
    swept_temperatures,
)
from lsk_engine.runs.schemas import SweepPoint
from reported_runs import OUTPUTS, REFERENCES, bare_run, of_run, png, whole_run


def test_all_files_of_a_run_are_read(tmp_path):
    path = whole_run(tmp_path / "run").path
    found = read_run("run", path)
    assert found.problems == []
    assert found.settings["training.alpha"] == 0.1
    assert [entry["step"] for entry in found.history] == [10, 20]
    assert found.splits == ["validation", "test"]
    assert set(found.reliability) == {("test", False), ("test", True)}
    assert found.reliability["test", False][0].confidence is None
    assert [point.nll for point in found.sweeps["test"]] == [3.0, 1.5]
    assert [point.num_examples for point in found.information] == [60, 60]
    assert found.projections.runs[0].names == ["red", "green", "blue"]
    assert found.outputs == {"test": list(OUTPUTS)}
    assert found.references == {"test": [(text,) for text in REFERENCES]}
    # What is drawn from its numbers need not be embedded.
    assert set(found.pictures) == {"attention-test", "projection", "projection-logits"}


def test_a_bare_run_has_no_problems(tmp_path):
    found = read_run("run", bare_run(tmp_path / "run").path)
    assert found.problems == []
    assert [found.reliability, found.sweeps, found.outputs, found.pictures] == [{}] * 4
    assert found.calibrated is None


def test_outputs_that_are_not_texts_are_left_out(tmp_path):
    run = bare_run(tmp_path / "run")
    run.write_json(run.outputs_file("test"), [[1, 2], [3]])
    found = read_run("run", run.path)
    assert found.outputs == {}
    assert found.problems == []


@pytest.mark.parametrize(
    "name",
    [
        *("environment.json", "history.jsonl", "metrics.json", "calibration.json"),
        *("metrics-calibrated.json", "outputs/test.json", "evaluation/references-test.json"),
        *("evaluation/reliability-test.json", "evaluation/test-temperature-sweep.json"),
        *("evaluation/mutual-information.json", "evaluation/projection-statistics.json"),
        *("evaluation/projection.png", "evaluation/attention-test.png"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"{", b'{"a": [NaN]}\n1', b"\xff" * 9])
def test_a_damaged_file_is_one_line_and_the_others_are_read(tmp_path, name, content):
    run = whole_run(tmp_path / "run")
    run.checksums.file.unlink()
    if name == "history.jsonl":
        content += b"\n"  # a last line that was cut off is normal after a crash
    (run.path / name).write_bytes(content)
    found = read_run("run", run.path)
    (problem,) = found.problems
    assert str(run.path / name) in problem
    assert problem.startswith("Expected")
    assert "\n" not in problem
    assert found.config is not None
    assert found.metrics is None or found.splits == ["validation", "test"]


def test_a_changed_file_is_reported(tmp_path):
    run = whole_run(tmp_path / "run")
    content = run.metrics_file.read_text().replace("20.0", "90.0")
    run.metrics_file.write_text(content)
    found = read_run("run", run.path)
    assert found.metrics is None
    assert len(found.problems) == 1
    assert "as the run wrote it" in found.problems[0]


def test_outputs_may_have_scores_and_several_references(tmp_path):
    run = whole_run(tmp_path / "run")
    run.write_json(run.outputs_file("test"), [{"text": "vor 2 Tagen", "log_p": -0.1}, "ja"])
    run.write_json(run.references_file("test"), [["vor zwei Tagen", "vor 2 Tagen"], "nein"])
    found = read_run("run", run.path)
    assert found.outputs == {"test": ["vor 2 Tagen", "ja"]}
    assert found.references == {"test": [("vor zwei Tagen", "vor 2 Tagen"), ("nein",)]}
    run.write_json(run.references_file("test"), [[], "nein"])
    (problem,) = read_run("run", run.path).problems
    assert "references-test.json" in problem


@pytest.mark.parametrize("split", ["../odd", "", "a/b", "x" * 300])
def test_a_run_with_an_odd_split_name_is_left_out_with_a_note(tmp_path, split):
    run = whole_run(tmp_path / "run")
    run.write_json(run.metrics_file, of_run() | {split: {"nll": 1.0}})
    found = read_run("run", run.path)
    assert found.config is None
    assert len(found.problems) == 1
    assert found.problems[0].startswith("Expected")


def test_references_of_other_outputs_are_reported(tmp_path):
    run = whole_run(tmp_path / "run")
    run.write_json(run.references_file("test"), ["one"])
    found = read_run("run", run.path)
    assert found.references == {}
    assert "Expected as many references as outputs" in found.problems[0]


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["/usr/bin/lsk", "train", "--set", "a=b c"], "lsk train --set 'a=b c'"),
        (["-c", "train"], "lsk train"),
        (["my own.py", "$(x)"], "'my own.py' '$(x)'"),
        ([], ""),
        (None, ""),
    ],
)
def test_commands_are_quoted_for_a_shell(tmp_path, words, command):
    found = read_run("run", bare_run(tmp_path / "run").path)
    assert found.command({"command": words}) == command


def point(temperature=1.0, beam_size=None, undone=0.0, search="e", nll=None):
    return SweepPoint(
        search=search,
        temperature=temperature,
        values={},
        labels={},
        intervals={},
        nll=nll,
        beam_size=beam_size,
        undone_alpha=undone,
    )


def test_beam_sweeps_are_grouped_by_model_temperature_and_undone_alpha():
    wide, narrow = point(beam_size=16), point(beam_size=4)
    undone = point(beam_size=4, undone=0.1)
    warmer = point(temperature=2.0, beam_size=4)
    other = point(beam_size=8, search="another model")
    found = swept_beams([wide, narrow, undone, warmer, other])
    assert found == {Search("e", 1.0, 0.0): [narrow, wide]}


def test_beams_at_one_temperature_are_no_temperature_sweep():
    beams = [point(beam_size=1), point(beam_size=4)]
    assert swept_temperatures(beams) == []
    measured = [point(t, beam_size=4, nll=1.0) for t in (1.0, 1.5)]
    assert swept_beams([point(t) for t in (1.0, 1.5)]) == {}
    assert swept_temperatures([*beams[:1], *measured]) == [measured]
    assert swept_temperatures(measured[:1]) == [measured[:1]]


def test_pictures_have_their_bytes_and_size(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(png(30, 20))
    found = read_picture(file)
    assert (found.width, found.height) == (30, 20)
    assert base64.b64decode(found.data) == png(30, 20)


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b"", "something else"),
        (b"<svg onload=alert(1)>", "something else"),
        (png()[:-5], "one without its end"),
        (png(2**20, 2), r"1048576 × 2"),
    ],
)
def test_a_file_that_is_not_a_picture_is_refused(tmp_path, content, received):
    file = tmp_path / "a.png"
    file.write_bytes(content)
    with pytest.raises(FileError, match=f"a.png. Received: {received}"):
        read_picture(file)


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(FileError, match="named pipe"):
        read_picture(tmp_path / "a.png")
