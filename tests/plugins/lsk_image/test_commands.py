import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ls_base.errors import FileError, InputError, shell_command
from ls_base.files import write_json
from lsk_engine.tasks.class_ids import CLASSES_FILE
from lsk_image.commands import classify
from lsk_image.task import ImageTask
from pictures import write_pictures as write
from untrained_run import untrained_run

TASK = ImageTask()


def invoke(*arguments, stdin=None):
    call = [*(str(a) for a in arguments), "-q"]
    return CliRunner().invoke(classify, call, input=stdin, catch_exceptions=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Returns a run with random weights on class folders, and its files by class."""
    folder = tmp_path_factory.mktemp("classify")
    for name in ("cat", "dog", "owl"):
        write(folder / "pictures" / name, [(8, 8)] * 9 + [(12, 9)], gray={4})
    settings = {"data.source": str(folder / "pictures"), "data.size": 8, "data.channels": 3}
    stored = untrained_run(
        TASK, folder / "run", scale=0.5, **settings, **{"model.name": "mlp", "model.width": 8}
    )
    return stored, sorted((folder / "pictures").glob("*/*.png"))


def expected(stored, files, temperature=1.0):
    images = []
    for file in files:
        picture = Image.open(file).convert("RGB")
        width, height = picture.size
        left, top = (width - min(width, height)) // 2, (height - min(width, height)) // 2
        box = (left, top, left + min(width, height), top + min(width, height))
        images.append(np.asarray(picture.resize((8, 8), Image.Resampling.BILINEAR, box=box)))
    model = stored.directory.load_model()
    logits = np.asarray(model.predict_on_batch({"image": np.stack(images)}), np.float64)
    weights = np.exp(logits / temperature)
    return weights / weights.sum(1, keepdims=True)


def test_classes_and_probabilities_are_those_of_the_model(made):
    stored, files = made
    done = invoke(stored.directory.path, *files)
    assert done.exit_code == 0
    for line, file, p in zip(done.stdout.splitlines(), files, expected(stored, files), strict=True):
        name, *guesses = line.split("\t")
        order = np.argsort(-p)[:2]
        assert name == str(file)
        assert guesses[::2] == [("cat", "dog", "owl")[i] for i in order]
        np.testing.assert_allclose([float(g) for g in guesses[1::2]], p[order], atol=6e-5)


def test_a_closed_input_is_told(made):
    command = shell_command(sys.executable, "-m", "lsk", "classify", made[0].directory.path, "-")
    done = subprocess.run(f"{command} <&-", shell=True, capture_output=True, text=True)
    told = "Error: Expected a picture on stdin. Received: stdin is closed\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_json_at_a_temperature_in_batches(made):
    stored, files = made
    done = invoke(
        *(stored.directory.path, *files, "--json", "--top", 3),
        *("--temperature", 2, "--batch-size", 4),
    )
    found = json.loads(done.stdout)
    assert (found["schema"], found["temperature"], found["failed"]) == (1, 2.0, [])
    probabilities = expected(stored, files, 2.0)
    for one, p in zip(found["pictures"], probabilities, strict=True):
        got = {guess["class"]: guess["probability"] for guess in one["classes"]}
        np.testing.assert_allclose([got[n] for n in ("cat", "dog", "owl")], p, rtol=1e-4)
        assert list(got.values()) == sorted(got.values(), reverse=True)


def test_the_fitted_temperature(made):
    stored, files = made
    with pytest.raises(FileError, match="lsk calibrate"):
        invoke(stored.directory.path, files[0], "--temperature", "fitted")
    file = stored.directory.calibration_file
    write_json(file, {"schema": 1, "method": "temperature", "temperature": 3.0})
    found = json.loads(
        invoke(stored.directory.path, files[0], "--temperature", "fitted", "--json").stdout
    )
    file.unlink()
    assert found["temperature"] == 3.0
    best = found["pictures"][0]["classes"][0]["probability"]
    np.testing.assert_allclose(best, expected(stored, files[:1], 3.0).max(), rtol=1e-4)


def test_what_can_not_be_read_is_told_and_the_others_go_on(made, tmp_path):
    stored, files = made
    (tmp_path / "bad.jpg").write_bytes(b"none")
    np.savez(tmp_path / "bad.npz", labels=np.arange(2))
    wrong = [tmp_path / "bad.jpg", tmp_path / "nowhere.png", tmp_path / "bad.npz"]
    done = invoke(stored.directory.path, files[0], *wrong, files[1])
    assert done.exit_code == 2
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == list(map(str, files[:2]))
    told = done.stderr.splitlines()
    assert len(told) == 3
    assert all(str(file) in line for file, line in zip(wrong, told, strict=True))
    failed = json.loads(invoke(stored.directory.path, *wrong, "--json").stdout)["failed"]
    assert [one["file"] for one in failed] == list(map(str, wrong))


def test_a_picture_on_stdin_and_pictures_of_npz_files(made, tmp_path):
    stored, files = made
    run = stored.directory.path
    one = invoke(run, files[3], "--top", 3).stdout.split("\t", 1)[1]
    assert invoke(run, "-", "--top", 3, stdin=files[3].read_bytes()).stdout == f"stdin\t{one}"
    contents = [file.read_bytes() for file in files[:3]]
    encoded = np.frombuffer(b"".join(contents), np.uint8)
    offsets = np.cumsum([0, *map(len, contents)])
    np.savez(tmp_path / "a.npz", jpeg=encoded, offsets=offsets)
    pixels = [np.asarray(Image.open(file).convert("RGB")) for file in files[:3]]
    np.savez(tmp_path / "b.npz", images=np.stack(pixels))
    alone = [line.split("\t", 1)[1] for line in invoke(run, *files[:3]).stdout.splitlines()]
    for file in (tmp_path / "a.npz", tmp_path / "b.npz"):
        lines = invoke(run, file).stdout.splitlines()
        assert lines == [f"{file}[{i}]\t{text}" for i, text in enumerate(alone)]


def test_arrays_that_stay_on_the_disk_are_not_read_whole(made, tmp_path, monkeypatch):
    stored, files = made
    content = np.frombuffer(files[0].read_bytes(), np.uint8)
    np.savez(tmp_path / "a.npz", jpeg=content, offsets=[0, len(content)])
    np.savez(tmp_path / "b.npz", images=np.asarray(Image.open(files[0]))[None])
    alone = invoke(stored.directory.path, files[0]).stdout.split("\t", 1)[1]

    def refuse(*arguments):
        raise AssertionError

    monkeypatch.setattr("numpy.lib.format.read_array", refuse)
    monkeypatch.setattr("ls_base.npz._MAPPED", 0)
    for file in (tmp_path / "a.npz", tmp_path / "b.npz"):
        assert invoke(stored.directory.path, file).stdout == f"{file}[0]\t{alone}"


@pytest.mark.parametrize("options", [("--top", 0), ("--batch-size", 0), ("--temperature", 0)])
def test_options_out_of_range_are_told(made, options):
    stored, files = made
    with pytest.raises(InputError, match=options[0]):
        invoke(stored.directory.path, files[0], *options)


def test_a_run_without_names_of_classes_is_told(made):
    stored, files = made
    file = stored.directory.artifacts / CLASSES_FILE
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(InputError, match=r"classes.json among the run's artifacts"):
        invoke(stored.directory.path, files[0])
    file.write_bytes(content)
