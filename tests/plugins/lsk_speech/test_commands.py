import re

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

import small_speech
import speech_files
from ls_base.errors import FileError, InputError
from ls_base.files import write_json
from lsk_engine.runs.run_data import build_unsmoothing, build_unsmoothing_for_run
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import open_run
from lsk_speech.commands import transcribe
from lsk_speech.task import SpeechTask
from lsk_speech.units import UNUSED
from stored_files import CONFIG
from untrained_run import untrained_run

TASK = SpeechTask()
SETTINGS = {
    **small_speech.SETTINGS,
    "data.sample_rate": 8000,
    "data.max_seconds": 0.15,
    "decoding.beam_size": 3,
    "decoding.tokens_per_second": 1.0,
    "decoding.token_margin": 4,
}


def invoke(*arguments):
    return CliRunner().invoke(transcribe, [str(a) for a in arguments], catch_exceptions=False)


def make(folder, **settings):
    """Returns a run with random weights, its test recordings, and what it decodes of them."""
    manifest = speech_files.write_manifest(folder / "own", rate=16000)
    given = {**SETTINGS, "data.source": str(manifest), **settings}
    stored = untrained_run(TASK, folder / "run", **given)
    data = TASK.load_data(stored.config, stored.directory.read_artifacts())
    model = stored.directory.load_model()
    outputs = TASK.decode(model, data.splits["test"], stored.config, data, lambda done, total: None)
    return folder / "run", [manifest.parent / f"{i}.wav" for i in range(16, 21)], outputs


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("transcribe"))


def test_transcripts_are_those_of_the_evaluation(made):
    run, files, outputs = made
    done = invoke(run, *files, "-q")
    assert done.exit_code == 0
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert rows == [[str(file), text] for file, text in zip(files, outputs, strict=True)]
    assert any(outputs)


def test_features_are_computed_as_in_training(tmp_path):
    run, files, outputs = make(tmp_path, **{"data.input": "log-mel", "data.units": "characters"})
    done = invoke(run, *files, "-q")
    assert [line.split("\t")[1] for line in done.stdout.splitlines()] == outputs


def test_one_file_is_one_line_of_text_and_a_long_one_is_warned_of(made):
    run, files, outputs = made
    lengths = [soundfile.info(file).duration for file in files]
    for i in (int(np.argmin(lengths)), int(np.argmax(lengths))):
        done = invoke(run, files[i], "-q")
        assert done.stdout == outputs[i] + "\n"
        warning = f"Warning: a recording of {lengths[i]:.1f} s is longer than any in training"
        assert (warning in done.stderr) == (lengths[i] > 0.15)
    assert min(lengths) < 0.15 < max(lengths)


@pytest.mark.slow
def test_n_best_come_with_their_scores_and_the_fitted_temperature_is_read(made):
    run, files, outputs = made
    options = ("--n-best", 2, "--scores", "-q")

    def transcripts(*more):
        found = {str(file): [] for file in files}
        for line in invoke(run, *files, *options, *more).stdout.splitlines():
            file, score, text = line.split("\t")
            found[file].append((float(score), text))
        return list(found.values())

    found = transcripts()
    assert [of_file[0][1] for of_file in found] == outputs
    assert {len(of_file) for of_file in found} <= {1, 2}  # of those that came to an end
    pairs = [of_file for of_file in found if len(of_file) == 2]
    assert pairs
    for (better, first), (worse, second) in pairs:
        assert 0 > better >= worse
        assert first != second
    write_json(
        RunDirectory.open(run).calibration_file, {"temperature": 50.0, "method": "temperature"}
    )
    fitted = transcripts("--temperature", "fitted")
    assert fitted == transcripts("--temperature", 50.0)
    assert fitted != found


def test_a_run_without_a_fitted_temperature_is_told(made, tmp_path):
    RunDirectory.create(tmp_path / "run", {**CONFIG, "task": "speech"})
    with pytest.raises(FileError, match=r"fitted by `lsk calibrate .*no calibration.json"):
        invoke(tmp_path / "run", made[1][0], "--temperature", "fitted")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((9, 2)), "mono recording. Received: .*x.wav, with 2 channels"),
        (np.zeros(0), "at least one sample. Received: .*x.wav, with 0 samples"),
        (b"hello", "WAV or FLAC recording. Received: .*x.wav: Format"),
        (None, "Expected a recording. Received: .*x.wav: no such file"),
    ],
)
def test_unusable_recordings_are_told(content, message, made, tmp_path):
    run, files, _ = made
    if isinstance(content, bytes):
        (tmp_path / "x.wav").write_bytes(content)
    elif content is not None:
        soundfile.write(tmp_path / "x.wav", content, 8000)
    done = invoke(run, files[0], tmp_path / "x.wav", files[1], "-q")
    assert done.exit_code == 2
    told = " ".join(done.stderr.split())
    assert "Error: Expected " in told
    assert re.search(message, told)
    heard = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert heard == [str(files[0]), str(files[1])]
    alone = invoke(run, tmp_path / "x.wav", "-q")
    assert (alone.exit_code, alone.stdout) == (2, "")


def test_a_run_on_ready_features_hears_no_recordings(made, tmp_path):
    settings = small_speech.settings(tmp_path)
    untrained_run(TASK, tmp_path / "run", **settings)
    with pytest.raises(
        InputError, match="a run trained on recordings. Received: one trained on precomputed"
    ):
        invoke(tmp_path / "run", made[1][0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--beam", 0], "decoding.beam_size to be an integer of at least 1. Received: 0"),
        (["--coverage", -1], "decoding.coverage to be a number of at least 0. Received: -1"),
        (["--n-best", 0], "--n-best of at least 1. Received: 0"),
        (["--n-best", 4], "--n-best of at most the beam size, 3. Received: 4"),
    ],
)
def test_bad_options_are_told(options, message, made):
    run, files, _ = made
    with pytest.raises(InputError, match=message):
        invoke(run, files[0], *options)


def test_a_run_of_another_task_is_told(made, tmp_path):
    RunDirectory.create(tmp_path / "run", {**CONFIG, "task": "translation"})
    with pytest.raises(InputError, match="task 'speech'. Received: one of 'translation'"):
        invoke(tmp_path / "run", made[1][0])


def test_no_file_and_no_number_are_usage_errors(made):
    run, files, _ = made
    assert "Missing argument 'FILE" in invoke(run).stderr
    assert "Expected a number or 'fitted'" in invoke(run, files[0], "--temperature", "x").stderr


@pytest.mark.slow
def test_smoothing_is_undone_with_the_classes_that_training_left_out(tmp_path):
    settings = {
        "training.alpha": 0.3,
        "training.smooth_unused_classes": False,
        "decoding.beam_size": 1,
    }
    run, files, _ = make(tmp_path, **settings)

    def scores(*more):
        done = invoke(run, *files, "--scores", "-q", *more)
        return [float(line.split("\t")[1]) for line in done.stdout.splitlines()]

    fitted = scores("--unsmooth", "fitted")
    assert fitted == scores("--unsmooth", 0.3)
    assert fitted != scores()
    stored = open_run(run, decoding={"unsmooth": "fitted"})
    data = TASK.load_data(stored.config, stored.directory.read_artifacts())
    assert build_unsmoothing_for_run(stored.config, stored.directory, UNUSED) == build_unsmoothing(
        stored.config, data
    )
