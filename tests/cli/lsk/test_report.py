"""`lsk report`, on runs written by the test."""

import subprocess
import sys
import time

from click.testing import CliRunner

from lsk.main import cli
from reported_runs import study, whole_run


def report(*arguments):
    return CliRunner().invoke(cli, ["report", *map(str, arguments)], catch_exceptions=False)


def test_the_page_of_a_study_is_in_its_folder(tmp_path):
    folder = study(tmp_path / "study")
    done = report(folder)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"Saved: {folder / 'report.html'}, 4 runs\n"
    assert done.stderr == ""
    page = (folder / "report.html").read_text()
    assert page.index("Smoothing makes the score better") < page.index('<h2 id="learning">')


def test_a_damaged_file_is_reported_in_one_line(tmp_path):
    run = whole_run(tmp_path / "run")
    run.calibration_file.write_text("{")
    done = report(run.path)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("\n") == 1
    assert "left out: Expected" in done.stderr
    assert "calibration.json" in done.stderr


def test_a_report_imports_no_framework(tmp_path):
    code = (
        "import sys\n"
        "from lsk.main import cli\n"
        "cli.main(['report', 'study'], standalone_mode=False)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    study(tmp_path / "study")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.splitlines()[-1].split())
    assert "lsk_engine" in imported
    assert imported & {"keras", "tensorflow", "jax", "torch", "matplotlib", "ls_keras"} == set()


def test_a_report_of_many_runs_is_fast(tmp_path):
    folder = study(tmp_path / "study", seeds=8)
    start = time.process_time()
    assert report(folder).exit_code == 0
    assert time.process_time() - start < 10  # a second on an idle machine
