import json

import numpy as np
import pytest
from click.testing import CliRunner

from ls_base.errors import FileError, InputError
from ls_keras.callbacks.mutual_information_probe import select_classes
from ls_keras.information import mutual_information
from ls_keras.information.augmented_logits import augmented_differences
from lsk_engine.progress import Reporter
from lsk_engine.scoring.mutual_information import _images, probe
from lsk_engine.settings.resolving import resolve_config
from tiny_points import TinyPoints
from tiny_task import TinyTask
from untrained_run import untrained_run

pytestmark = pytest.mark.tensorflow
QUIET = Reporter(verbosity=-1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained_run(TinyPoints(), tmp_path_factory.mktemp("probing") / "run", steps=(6, 12))


def measure(run, folder, **options):
    options = {"classes": ("red", "blue"), **options}
    return probe(run.task, run.config, run.directory, QUIET, folder / "mi.png", **options)


def test_each_stored_checkpoint_is_probed(run, tmp_path):
    results = measure(run, tmp_path)
    assert [entry["step"] for entry in results["history"]] == [6, 12]
    assert results["names"] == ["red", "blue"]
    labels = run.task.load_data(run.config).splits["train"].labels
    assert results["history"][0]["num_examples"] == np.isin(labels, (0, 2)).sum()
    assert {f.name for f in tmp_path.iterdir()} == {"mi.png", "mi.svg", "mi.csv", "mi.json"}
    rows = json.loads((tmp_path / "mi.json").read_text())
    assert [row["mutual_information"] for row in rows] == [
        entry["mutual_information"] for entry in results["history"]
    ]
    assert measure(run, tmp_path) == results  # the same examples and augmentations
    values = [row["mutual_information"] for row in rows]
    assert values[0] != pytest.approx(values[1], rel=1e-3)


def test_the_last_checkpoint_is_the_saved_model(run, tmp_path):
    found = measure(run, tmp_path, seed=3, draws=4, scored="reused")["history"][-1]
    model = run.directory.load_model()
    examples = run.task.load_data(run.config).splits["train"]
    images = select_classes((examples.points, examples.labels), (0, 2))
    # The probe takes red examples first, then blue ones.
    order = np.argsort(examples.labels[np.isin(examples.labels, (0, 2))], kind="stable")
    samples = augmented_differences(
        lambda x: model.predict_on_batch({"point": x}),
        images[order],
        (0, 2),
        run.task.augment(run.config),
        draws=4,
        seed=3,
    )
    expected = mutual_information(samples, scored="reused")
    assert found["mutual_information"] == pytest.approx(expected.value, rel=1e-4)
    assert found["scored"] == "reused"


def test_examples_are_drawn_from_each_class(run):
    examples = run.task.load_data(run.config).splits["train"]
    name, images = _images(examples, (1, 3), 5, 0)
    assert name == "point"
    rows = [int(np.flatnonzero((examples.points == image).all(1))[0]) for image in images]
    assert len(set(rows)) == 10
    assert examples.labels[rows].tolist() == [1] * 5 + [3] * 5
    np.testing.assert_array_equal(_images(examples, (1, 3), 5, 0)[1], images)
    assert not np.array_equal(_images(examples, (1, 3), 5, 1)[1], images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": ("red",)}, r"two classes\. Received: 1 \(red\)"),
        ({"classes": ("red", "pink")}, "'pink'"),
        ({"draws": 1}, "draws to be an integer ≥ 2"),
        ({"per_class": 0}, "per_class=0"),
        ({"split": "dev"}, "train, validation, test"),
    ],
)
def test_invalid_options_are_refused(run, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        measure(run, tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_a_run_without_randomness_is_refused(run, tmp_path):
    still = run._replace(config=resolve_config(run.task, None, {"data.noise": 0.0}))
    with pytest.raises(InputError, match="changed no output"):
        measure(still, tmp_path)
    letters = untrained_run(TinyTask(), tmp_path / "letters")
    with pytest.raises(FileError, match="Expected checkpoints"):
        measure(letters, tmp_path)
    (letters.directory.checkpoints / "step-00000001.npz").touch()
    with pytest.raises(InputError, match="random augmentation"):
        measure(letters, tmp_path)


def test_the_commands_print_and_save(run, monkeypatch):
    monkeypatch.setattr("lsk_engine.runs.stored_run.load_task", lambda name: TinyPoints())
    from lsk.main import cli

    path = str(run.directory.path)
    done = CliRunner().invoke(cli, ["probe", path, "--classes", "red,blue", "-q"])
    assert done.exit_code == 0, done.output
    assert "95 % interval" in " ".join(done.output.split())
    assert run.directory.evaluation.joinpath("mutual-information.png").exists()
    done = CliRunner().invoke(cli, ["project", path, "--nearest", "grey", "-q"])
    assert done.exit_code == 0, done.output
    assert "relative spread" in done.output
    assert run.directory.evaluation.joinpath("projection-statistics.json").exists()
    done = CliRunner().invoke(cli, ["project", path, "--classes", "red,blue"])
    assert isinstance(done.exception, InputError)
