import pytest

from ls_base.files import write_json
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.studies.paper.figures import FIGURES
from tiny_task import TinyTask

SETTINGS = {
    "α = 0": {"training.alpha": 0.0},
    "α = 0.1": {"training.alpha": 0.1},
    "α 0.1, unigram": {"training.alpha": 0.1, "training.smoothing": "unigram"},
}


@pytest.mark.parametrize(
    "names", [["α = 0", "α = 0.1"], ["hard", "α 0.1, uniform", "α 0.1, unigram"]]
)
def test_each_arm_has_a_curve_of_information(tmp_path, monkeypatch, names):
    """However many have one α."""
    drawn = []
    monkeypatch.setattr("ls_keras.plots.save_plot", lambda plot, curves, file: drawn.append(curves))
    runs = []
    for number, settings in enumerate([*SETTINGS.values()][: len(names)]):
        config = resolve_config(TinyTask(), None, settings)
        run = RunDirectory.create(tmp_path / f"{number}", config.to_dict())
        information = {"mutual_information": 1.0 + number, "low": 0.9, "high": 9.0}
        point = {"curve": "", "step": 10, "num_examples": 60, **information}
        write_json(run.information_file.with_suffix(".json"), [point])
        runs.append(StoredRun(run, TinyTask(), config))
    FIGURES["information"](runs, None, tmp_path / "figure.png", Reporter(verbosity=-1))
    (curves,) = drawn
    assert list(curves) == names
    assert [of[0]["mutual_information"] for of in curves.values()] == [
        1.0 + number for number in range(len(names))
    ]
