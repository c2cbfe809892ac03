"""The command line in separate processes."""

import json
import subprocess

import pytest

import small_translation
from lsk_processes import ANEW, lsk

pytestmark = pytest.mark.tensorflow


def training_arguments(folder, *more):
    larger = {
        "model.layers": 2,
        "training.max_length_buckets": 2,
    }  # one layer finds 'ab' unlike its training
    settings = small_translation.settings(folder) | larger
    data = settings.pop("data.source")
    assignments = [f"--set={key}={value}" for key, value in settings.items()]
    return ["train", "--task", "translation", "--data", data, *assignments, *more]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, and what training it printed."""
    folder = tmp_path_factory.mktemp("cli")
    arguments = training_arguments(folder, "--alpha", "0.1", "--steps", "6", "--json")
    done = lsk(*arguments, "--run-dir", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run", done


def test_train_prints_one_json_object_on_stdout_and_the_rest_on_stderr(run):
    path, done = run
    results = json.loads(done.stdout)
    assert results["schema"] == 1
    assert results["run"] == str(path)
    assert results["task"] == "translation"
    assert results["alpha"] == 0.1
    assert results["seconds"] > 0
    assert {"bleu", "nll", "perplexity", "accuracy", "loss"} <= set(results["test"])
    assert "training examples" in done.stderr


@pytest.mark.slow
def test_messages_of_tensorflow_s_start_are_hidden(run):
    """In a new process: the others are forked from one that has imported TensorFlow."""
    path, _ = run
    command = [*ANEW, "evaluate", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "BLEU" in done.stdout
    noise = ("cudart", "oneDNN", "InitializeLog", "Traceback")
    assert not any(word in done.stderr for word in noise)


def test_translate_keeps_lines_and_blank_ones(run):
    path, _ = run
    done = lsk("translate", path, input="ab cd\n\nabcd\n")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split("\n")
    assert len(lines) == 4
    assert lines[1] == lines[3] == ""


def test_translate_gives_the_best_translations_with_their_scores(run):
    path, _ = run
    options = ("--beam", 3, "--n-best", 2, "--scores", "--temperature", 1.5, "-q")
    done = lsk("translate", path, *options, input="ab cd\n\nabcd\n")
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [int(row[0]) for row in rows] == [1, 1, 2, 3, 3]
    scores = [float(row[1]) for row in rows]
    assert scores[0] >= scores[1]
    assert scores[3] >= scores[4]
    assert rows[2][2] == ""


@pytest.mark.slow
def test_sweep_beams_scores_every_number_of_beams(run, tmp_path):
    path, _ = run
    arguments = ("--beams", "2,1", "--unsmooth", "0,fitted", "--split", "test")
    done = lsk("sweep-beams", path, *arguments, "--output", tmp_path / "b.png", "--json", "-q")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    searches = [(0.0, 1), (0.0, 2), (0.1, 1), (0.1, 2)]
    assert [(row["undone_alpha"], row["beam_size"]) for row in found["rows"]] == searches
    assert [(row["undone_alpha"], row["beam_size"]) for row in found["means"]] == searches
    assert found["means"][1]["from_smallest_beam"] == pytest.approx(
        found["rows"][1]["bleu"] - found["rows"][0]["bleu"]
    )


@pytest.mark.slow
def test_other_decoding_settings_leave_the_run_s_scores_unchanged(run):
    path, trained = run
    before = (path / "metrics.json").read_bytes()
    arguments = ("--set", "decoding.unsmooth=fitted", "--set", "decoding.beam_size=2")
    done = lsk("evaluate", path, *arguments, "--json", "-q")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["new_data"]["decoding"] == {"unsmooth": "fitted", "beam_size": "2"}
    assert found["folder"].startswith(str(path / "new-data"))
    own = json.loads(trained.stdout)["test"]
    assert found["test"]["nll"] == pytest.approx(own["nll"], rel=1e-5)
    assert found["test"]["length_ratio"] >= 0
    assert (path / "metrics.json").read_bytes() == before
    shown = lsk("show", path)
    (line,) = [x for x in shown.stdout.splitlines() if x.startswith("length / reference")]
    assert float(line.split()[-1]) == pytest.approx(own["length_ratio"], rel=1e-3)
    compared = lsk("compare", path)
    assert "length / reference" in compared.stdout


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (
            "translate",
            ["--beam", "0"],
            "decoding.beam_size to be an integer of at least 1. Received: 0",
        ),
        ("translate", ["--length-penalty", "-1"], "length_penalty to be a number of at least 0"),
        ("translate", ["--temperature", "0"], "decoding.temperature to be a number above 0"),
        ("translate", ["--temperature", "warm"], "Expected a number or 'fitted'"),
        ("translate", ["--temperature", "fitted"], "Expected a temperature fitted by"),
        ("translate", ["--n-best", "5"], "Expected --n-best of at most the beam size, 4"),
        ("translate", ["--unsmooth", "much"], "Expected a number or 'fitted'"),
        ("translate", ["--unsmooth", "1"], "decoding.unsmooth to be a number in [0, 1) or fitted"),
        (
            "evaluate",
            ["--set", "training.alpha=0"],
            "other settings of a run are fixed",
        ),
        ("evaluate", ["--set", "decoding.beams=3"], "a task whose decoding has beams"),
        (
            "evaluate",
            ["--set", "decoding.unsmooth=1"],
            "decoding.unsmooth to be a number in [0, 1)",
        ),
        (
            "evaluate",
            ["--set", "decoding.beam_size=x"],
            "Expected decoding.beam_size to be an integer",
        ),
        ("sweep-temperature", ["--unsmooth", "2"], "decoding.unsmooth to be a number in [0, 1)"),
        ("sweep-temperature", ["--temperatures", "1:0:0.1"], "Expected temperatures > 0"),
        ("sweep-temperature", ["--temperatures", "1,x"], "Expected temperatures > 0"),
        ("sweep-temperature", ["--beam", "0"], "decoding.beam_size to be an integer of at least 1"),
        ("sweep-beams", ["--beams", "0,4"], "Expected whole numbers of beams from 1"),
        ("sweep-beams", ["--beams", "1.5"], "Expected whole numbers of beams from 1"),
        ("sweep-beams", ["--unsmooth", "0,much"], "Expected a number or 'fitted'"),
        ("sweep-beams", ["--batch-size", "0"], "decoding.batch_size"),
    ],
)
def test_decoding_settings_out_of_range_are_refused(run, tmp_path, command, arguments, message):
    path = tmp_path / "run"  # what the run is without what `lsk calibrate` may have added
    path.mkdir()
    (path / "config.json").write_bytes((run[0] / "config.json").read_bytes())
    done = lsk(command, path, *arguments, input="ab\n")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_translate_ends_quietly_if_the_output_is_closed(run):
    path, _ = run
    text = "ab\n" * 50
    reader = subprocess.Popen(
        [*ANEW, "translate", str(path), "-q"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    reader.stdout.close()
    reader.stdin.write(text)
    reader.stdin.close()
    reader.wait(timeout=120)
    assert reader.stderr.read() == ""
    reader.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "Expected --task NAME"),
        (["train", "--task", "translatoin"], "Near matches: translation"),
        (["train", "--task", "translation", "--preset", "tiny"], "Received: 'tiny'"),
        (["train", "--task", "translation", "--alpha", "1.5"], "Received: 1.5"),
        (["train", "--task", "translation", "--alpha", "nan"], "Received: nan"),
        (["train", "--task", "translation", "--set", "training.alhpa=1"], "training.alpha"),
        (["train", "--task", "translation", "--set", "training.alpha"], "KEY=VALUE"),
        (["train", "--task", "translation", "--run-dir", "/proc/run"], "/proc/run"),
        (["train", "--resume", "."], "Expected a run directory"),
        (["evaluate", "nowhere"], "Expected a run directory"),
        (["show", "nowhere"], "Expected a run directory"),
        (["calibrate", "nowhere"], "Expected a run directory"),
        (["reliability", "nowhere"], "Expected a run directory"),
        (["translate", "nowhere"], "Expected a run directory"),
        (["trian"], "Near matches: train"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message, tmp_path):
    done = lsk(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("Error")]) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda d: (d / "train.de").write_text("one\n"), "40"),
        (lambda d: (d / "train.en").write_text(""), "train"),
        (lambda d: (d / "val.en").unlink(), "val"),
        (lambda d: (d / "train.en").write_bytes(b"ab\n\xff\n"), "2"),
    ],
    ids=["unequal", "empty", "missing", "not UTF-8"],
)
def test_unusable_data_are_refused(tmp_path, break_it, message):
    arguments = training_arguments(tmp_path, "--run-dir", tmp_path / "run")
    break_it(tmp_path / "text")
    done = lsk(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_bytes_that_are_not_text_are_refused_with_their_line(run):
    path, _ = run
    done = lsk("translate", path, input=b"fine\n\xff\xfe\n", text=False)
    assert done.returncode == 2
    assert b"line 2 of stdin" in done.stderr
