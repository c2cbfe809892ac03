import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

import small_translation
from ls_base.errors import InputError, shell_command
from lsk_translation import commands
from lsk_translation.cldr.phrases import held_out_phrases
from lsk_translation.commands import phrases, translate
from lsk_translation.scoring import Translation
from lsk_translation.task import TranslationTask
from untrained_run import untrained_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    settings = small_translation.settings(folder)
    run = untrained_run(TranslationTask(), folder / "run", scale=0.01, **settings)
    return run.directory.path


def invoke(run, *arguments, text=None):
    arguments = [str(run), *(str(a) for a in arguments), "--quiet", "--beam", "1"]
    found = CliRunner().invoke(translate, arguments, input=text)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def test_a_line_in_is_a_line_out(run):
    assert invoke(run, text="ab cd\n\nabc\n").stdout.count("\n") == 3


def test_lines_are_read_as_those_of_training_text(run, tmp_path, monkeypatch):
    translated = []

    def known(run, config, lines, *arguments, **options):
        translated.append(lines)
        return [[Translation(f"<{line}>", 0.0, 0.0)] for line in lines]

    monkeypatch.setattr("lsk_translation.translate_lines.translate_lines", known)
    content = "\ufeffab \r\n\u00a0\n\tcd\u2028e\u3000".encode()
    (tmp_path / "x").write_bytes(content)
    for found in (invoke(run, text=content), invoke(run, tmp_path / "x")):
        assert found.stdout == "<ab>\n\n<cd\u2028e>\n"
    assert translated == [["ab", "cd\u2028e"]] * 2
    (tmp_path / "x").write_bytes(b"ab\nc\xff\n")
    with pytest.raises(InputError, match="UTF-8 text. Received: byte 0xff in line 2 of .*/x"):
        invoke(run, tmp_path / "x")


def test_a_closed_input_is_told(run):
    command = shell_command(sys.executable, "-m", "lsk", "translate", run)
    done = subprocess.run(f"{command} <&-", shell=True, capture_output=True, text=True)
    told = "Error: Expected text on stdin. Received: stdin is closed\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_a_whole_text_on_one_line_is_told(run):
    """The memory of attention grows with the square: 10,000 words needed 9 GiB."""
    text = "ab\n" + "abcd " * 10_000 + "\n"
    message = (
        r"one sentence per line, of at most 2,048 pieces.* Received: [\d,]+ pieces, 'abcd abcd"
    )
    with pytest.raises(InputError, match=message):
        invoke(run, text=text)


def test_a_line_without_end_is_told_before_anything_is_loaded(run):
    with pytest.raises(InputError, match="at most 65,536 bytes.* 100,000 bytes in line 2 of stdin"):
        invoke(run, text="ab\n" + "a" * 100_000)


def test_text_without_end_is_told(run, monkeypatch):
    monkeypatch.setattr(commands, "_MAX_BYTES", 1000)
    with pytest.raises(InputError, match="at most 1,000 bytes of text at once. Received: more"):
        invoke(run, text="ab\n" * 500)


def test_a_named_pipe_in_place_of_a_file_is_told(run, tmp_path):
    os.mkfifo(tmp_path / "x")
    with pytest.raises(InputError, match="Expected a regular file .*/x. Received: a named pipe"):
        invoke(run, tmp_path / "x")


def warnings(run, text, **kwargs):
    """What `lsk translate` says beside the translations."""
    found = CliRunner().invoke(
        translate, [str(run), "--beam", "1", *kwargs.get("more", ())], input=text
    )
    assert found.exit_code == 0, found.output
    return [line for line in found.stderr.splitlines() if "unlike what" in line]


@pytest.mark.slow
def test_a_line_unlike_the_training_data_is_told(run):
    """The model score against those of the translations of validation."""
    outputs = run / "outputs" / "validation.json"
    assert warnings(run, "ab cd\n") == []  # no outputs: nothing is known
    sure = [{"text": "ab", "log_p": -1e-3 * i} for i in range(200)]
    outputs.write_text(json.dumps(sure))
    (told,) = warnings(run, "\nab cd\n")
    assert "'ab cd' seems to be unlike what the model was trained on" in told
    assert "99% of validation have at least -0.20" in told
    assert warnings(run, "ab cd\n", more=["--temperature", "2"]) == []  # other scores
    assert warnings(run, "ab cd\n", more=["--quiet"]) != []
    outputs.write_text(json.dumps([{"text": "ab", "log_p": -1e3}]))
    assert warnings(run, "ab cd\n") == []
    outputs.write_text(json.dumps(["ab", "cd"]))  # an older run's
    assert warnings(run, "ab cd\n") == []
    for damaged in ("[1]", '[{"text": "ab", "log_p": 1e999}]', "["):
        outputs.write_text(damaged)
        found = CliRunner().invoke(translate, [str(run), "--beam", "1"], input="ab\n")
        assert found.exit_code == 0
        assert "Warning: Expected" in found.stderr
        assert found.stdout.count("\n") == 1
    outputs.unlink()


def ask(run, *arguments):
    found = CliRunner().invoke(phrases, [str(run), *arguments])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def test_held_out_phrases_are_asked_and_checked(tmp_path, monkeypatch):
    settings = {
        **small_translation.SETTINGS,
        "data.source": "cldr",
        "data.phrase_fraction": 0.5,
        "data.max_train_examples": 60,
        "data.vocabulary_size": 500,
    }
    path = untrained_run(TranslationTask(), tmp_path / "run", **settings).directory.path
    untrained = ask(path, "--count", "2")
    assert untrained.exit_code == 4
    assert untrained.stdout.count("✗") == 2
    assert "0 of 2 right" in untrained.stdout
    known = {phrase.english: phrase.german[-1] for phrase in held_out_phrases()}
    monkeypatch.setattr(
        "lsk_translation.translate_lines.translate_lines",
        lambda run, config, lines, reporter: [[Translation(known[x], 0, 0)] for x in lines],
    )
    right = ask(path, "--count", "200", "--seed", "1")
    assert right.exit_code == 0
    assert right.stdout.count("✓") == 200
    assert "200 of 200 right" in right.stdout
    with pytest.raises(InputError, match=r"1 to 200 phrases \(--count\). Received: 0"):
        ask(path, "--count", "0")


def test_phrases_that_a_run_may_have_seen_are_not_asked(run):
    with pytest.raises(InputError, match="held out. Received: .*run, on .*text with "):
        ask(run)


@pytest.fixture(scope="module")
def smoothed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smoothed")
    settings = {**small_translation.settings(folder), "training.alpha": 0.2}
    run = untrained_run(TranslationTask(), folder / "run", scale=0.3, **settings)
    return run.directory.path


def scores_of(run, *arguments):
    found = invoke(run, "--scores", *arguments, text="ab cd\nabc\n")
    assert found.exit_code == 0
    return [float(line.split("\t")[0]) for line in found.stdout.splitlines()]


@pytest.mark.slow
def test_smoothing_is_undone_with_the_trainings_alpha_or_another(smoothed):
    plain = scores_of(smoothed)
    assert scores_of(smoothed, "--unsmooth", "0") == plain
    fitted = scores_of(smoothed, "--unsmooth", "fitted")
    assert fitted != plain
    assert scores_of(smoothed, "--unsmooth", "0.2") == fitted
    assert scores_of(smoothed, "--unsmooth", "0.1") not in (plain, fitted)


def test_hard_targets_have_nothing_to_undo_which_is_said(run):
    found = CliRunner().invoke(
        translate, [str(run), "--beam", "1", "--unsmooth", "fitted"], input="ab\n"
    )
    assert found.exit_code == 0
    assert found.stderr.count("has no effect: the run was trained with α = 0") == 1


@pytest.mark.slow
def test_a_fitted_temperature_belongs_to_the_smoothed_probabilities(smoothed):
    fitted = {"schema": 1, "method": "temperature", "temperature": 0.8}
    (smoothed / "calibration.json").write_text(json.dumps(fitted))
    assert scores_of(smoothed, "--temperature", "fitted") != scores_of(smoothed)
    with pytest.raises(InputError, match="Expected a number for the temperature with decoding"):
        invoke(smoothed, "--temperature", "fitted", "--unsmooth", "fitted", text="ab\n")
    both = scores_of(smoothed, "--temperature", "0.8", "--unsmooth", "fitted")
    assert both != scores_of(smoothed, "--unsmooth", "fitted")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1", r"decoding.unsmooth to be a number in \[0, 1\) or fitted. Received: 1.0"),
        ("-0.5", r"decoding.unsmooth to be a number in \[0, 1\) or fitted. Received: -0.5"),
    ],
)
def test_alpha_out_of_range_is_told(smoothed, value, message):
    with pytest.raises(InputError, match=message):
        invoke(smoothed, "--unsmooth", value, text="ab\n")


def test_other_scores_are_not_held_against_those_of_validation(smoothed):
    outputs = smoothed / "outputs" / "validation.json"
    outputs.write_text(json.dumps([{"text": "ab", "log_p": -1e-3 * i} for i in range(200)]))
    assert warnings(smoothed, "ab cd\n") != []
    assert warnings(smoothed, "ab cd\n", more=["--unsmooth", "fitted"]) == []
