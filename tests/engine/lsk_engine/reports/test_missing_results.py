from lsk_engine.reports.missing_results import missing
from lsk_engine.reports.run_files import read_run
from reported_runs import OUTPUTS, bare_run, whole_run


def test_what_is_missing_has_the_command_that_makes_it(tmp_path):
    run = bare_run(tmp_path / "my run")
    run.write_json(run.outputs_file("test"), OUTPUTS)
    found = dict(missing([read_run("a", run.path)]))
    path = f"'{run.path}'"
    assert found == {
        "reliability diagrams": f"lsk evaluate {path}",
        "references beside outputs": f"lsk evaluate {path}",
        "a fitted temperature": f"lsk calibrate {path} && lsk evaluate {path} --calibrated",
        "scores by temperature": f"lsk sweep-temperature {path}",
        "a projection": f"lsk project {path} --classes A,B,C",
        "mutual information": f"lsk probe {path} --classes A,B",
    }


def test_a_run_that_searches_can_be_swept_over_beams(tmp_path):
    decoding = {"beam_size": 4, "temperature": 1.0}
    run = bare_run(tmp_path / "a", decoding=decoding)
    what = "scores by number of beams"
    assert dict(missing([read_run("a", run.path)]))[what] == f"lsk sweep-beams {run.path}"
    point = {"temperature": 1.0, "values": {}, "labels": {}, "intervals": {}, "elsewise": "e"}
    points = [point | {"settings": f"{b}", "beam_size": b} for b in (1, 4)]
    run.write_json(run.sweep_file("test"), {"points": points})
    hinted = dict(missing([read_run("a", run.path)]))
    assert what not in hinted
    assert "scores by temperature" in hinted  # of which there is none yet


def test_what_one_run_has_is_not_missing(tmp_path):
    runs = [bare_run(tmp_path / "a"), whole_run(tmp_path / "b")]
    assert missing([read_run(run.path.name, run.path) for run in runs]) == []


def test_a_run_that_is_not_finished_gets_no_advice(tmp_path):
    run = bare_run(tmp_path / "a")
    run.metrics_file.unlink()
    assert missing([read_run("a", run.path)]) == []
