import pytest

from lsk_engine.reports.run_files import Search, read_run, swept_beams, swept_temperatures
from lsk_engine.runs.schemas import SweepPoint
from reported_runs import OUTPUTS, REFERENCES, bare_run, whole_run


def test_all_that_a_run_has_is_read(tmp_path):
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


def test_outputs_that_are_no_texts_are_left_out(tmp_path):
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
def test_a_damaged_file_is_one_line_and_hinders_no_other(tmp_path, name, content):
    run = whole_run(tmp_path / "run")
    run.checksums.file.unlink()
    if name == "history.jsonl":
        content += b"\n"  # a last line that was cut off is nobody's fault
    (run.path / name).write_bytes(content)
    found = read_run("run", run.path)
    (problem,) = found.problems
    assert str(run.path / name) in problem
    assert problem.startswith("Expected")
    assert "\n" not in problem
    assert found.config is not None
    assert found.metrics is None or found.splits == ["validation", "test"]


def test_what_somebody_changed_is_told(tmp_path):
    run = whole_run(tmp_path / "run")
    content = run.metrics_file.read_text().replace("20.0", "90.0")
    run.metrics_file.write_text(content)
    found = read_run("run", run.path)
    assert found.metrics is None
    assert len(found.problems) == 1
    assert "as the run wrote it" in found.problems[0]


def test_outputs_may_say_more_than_their_text_and_several_references_be_right(tmp_path):
    run = whole_run(tmp_path / "run")
    run.write_json(run.outputs_file("test"), [{"text": "vor 2 Tagen", "log_p": -0.1}, "ja"])
    run.write_json(run.references_file("test"), [["vor zwei Tagen", "vor 2 Tagen"], "nein"])
    found = read_run("run", run.path)
    assert found.outputs == {"test": ["vor 2 Tagen", "ja"]}
    assert found.references == {"test": [("vor zwei Tagen", "vor 2 Tagen"), ("nein",)]}
    run.write_json(run.references_file("test"), [[], "nein"])
    (problem,) = read_run("run", run.path).problems
    assert "references-test.json" in problem


def test_references_of_other_outputs_are_told(tmp_path):
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
def test_a_command_is_as_a_shell_takes_it(tmp_path, words, command):
    found = read_run("run", bare_run(tmp_path / "run").path)
    assert found.command({"command": words}) == command


def point(settings, temperature=1.0, beam_size=None, undone=0.0, elsewise="e", nll=None):
    return SweepPoint(
        settings=settings,
        temperature=temperature,
        values={},
        labels={},
        intervals={},
        nll=nll,
        elsewise=elsewise,
        beam_size=beam_size,
        undone_alpha=undone,
    )


def test_beams_of_one_model_temperature_and_undone_alpha_belong_together():
    wide, narrow = point("16", beam_size=16), point("4", beam_size=4)
    undone = point("u", beam_size=4, undone=0.1)
    warmer = point("4", temperature=2.0, beam_size=4)
    other = point("o", beam_size=8, elsewise="another model")
    found = swept_beams([wide, narrow, undone, warmer, other])
    assert found == {Search("e", 1.0, 0.0): [narrow, wide]}


def test_points_of_earlier_versions_tell_no_beam():
    assert swept_beams([point("a", beam_size=b, elsewise=None) for b in (1, 4)]) == {}


def test_beams_at_one_temperature_are_no_sweep_over_temperatures():
    beams = [point("1", beam_size=1), point("4", beam_size=4)]
    assert swept_temperatures(beams) == []
    measured = [point("4", t, beam_size=4, nll=1.0) for t in (1.0, 1.5)]
    assert swept_temperatures([*beams[:1], *measured]) == [measured]
    assert swept_temperatures(measured[:1]) == [measured[:1]]


def test_a_point_that_a_sweep_over_beams_has_found_stays_with_those_of_its_search():
    old = [point("a", t, elsewise=None) for t in (0.9, 1.1)]
    found_again = point("a", 1.0, beam_size=4)
    assert swept_temperatures([*old, found_again]) == [[*old, found_again]]
    assert swept_temperatures(old[:1]) == [old[:1]]
