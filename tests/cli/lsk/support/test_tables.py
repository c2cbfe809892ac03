"""Tables at every width: no line is longer, no number is broken."""

import io
import re

import pytest
from click.testing import CliRunner

from lsk.main import cli
from lsk.show import sparkline
from lsk.support import score_lines, tables
from lsk_engine.reports.tables import Column, Table, Value
from lsk_engine.runs.run_directory import RunDirectory
from stored_files import CONFIG, metrics

WIDTHS = (60, 80, 120, 160)
SCORES = {
    "bleu": 63.2,
    "bleu_low": 61.1,
    "bleu_high": 65.4,
    "chrf": 7.0,
    "nll": 0.30329,
    "accuracy": 0.9433,
    "ece": 0.14981,
    "ece_low": 0.1094,
    "ece_high": 0.1764,
    "brier": 0.12,
    "perplexity": 1.354,
    "loss": 0.7,
}
BRACKETS = re.compile(r"[\d.]+ \[[\d.]+, [\d.]+\]")


def scored(**more):
    labels = {"bleu": "BLEU (%)", "chrf": "chrF, character n-grams of six (%)"}
    found = metrics(labels, **dict.fromkeys(("validation", "test", "test_2018"), SCORES))
    return {**found, "better": {"bleu": "more"}, **more}


@pytest.fixture(params=WIDTHS)
def width(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def test_score_tables_fit_and_keep_intervals_with_their_numbers(width):
    text = score_lines.score_table(scored())
    assert max(map(len, text.splitlines())) <= width
    expected = ["63.2 [61.1, 65.4]"] * 3 + ["0.150 [0.109, 0.176]"] * 3
    assert sorted(BRACKETS.findall(text)) == sorted(expected)
    whole = " ".join(text.split())
    for label in ("BLEU (%) ↑", "NLL (nats) ↓", "accuracy ↑", "ECE ↓"):
        assert label in whole or label.replace(" ↑", "↑").replace(" ↓", "↓") in whole
    assert text.count("In brackets") == 1
    # As many digits all along a line.
    assert "0.3033" in text
    assert "7.000" in text


def test_scores_on_new_data_are_a_table_and_the_calibration_lines(width, capsys):
    raw = {"ece": 0.1, "nll": 1.0}
    calibration = {"temperature": None, "best_temperature": 1.5, "raw": raw, "best": raw}
    asked = {"source": "photos", "decoding": {}, "max_examples": None}
    score_lines.echo_scores(
        scored(new_data=asked, folder="run/new-data/photos", calibration={"test": calibration}),
        as_json=False,
    )
    shown = capsys.readouterr().out
    assert "63.2 [61.1, 65.4]" in shown
    assert "test, as it is: ECE 0.1000, NLL 1.0000" in shown
    assert "at the best T (in-sample), T = 1.500" in " ".join(shown.split())
    assert "Results: run/new-data/photos" in shown


@pytest.mark.parametrize("count", [1, 2, 7])
def test_columns_that_do_not_fit_continue_below(width, count):
    names = [f"a setting that is long, number {n}" for n in range(count)]
    rows = [
        (f"label {n} with words", [f"{n}.{m}234 [1.0000, 2.0000]" for m in range(count)])
        for n in (1, 2)
    ]
    text = tables.render(*tables.grid("corner", names, rows))
    assert max(map(len, text.splitlines())) <= width
    for n in (1, 2):
        for m in range(count):
            assert f"{n}.{m}234 [1.0000, 2.0000]" in text
    assert text.count("corner") >= 1


def test_row_tables_continue_below(width):
    values = [Value(20.0 + n, 10.0, 100.0) for n in range(3)]
    columns = [Column(f"score {n} (%)", values, "more") for n in range(5)]
    table = Table("", [Column("T", ["0.8", "1", "1.2"]), *columns], note="as 95 % of it")
    text = tables.render(tables.row_table(table))
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert text.count("21.0 [10.0, 100.0]") == 5  # a digit, though one end is 100
    assert text.count("score 3 (%) ↑") == 1
    heads = [line for line in lines if line.startswith("T ")]
    assert len(heads) == {60: 3, 80: 2, 120: 1, 160: 1}[width]
    assert lines[-1] == "as 95 % of it"


def test_paragraphs_are_wrapped_between_words(width):
    path = "/a/long/path" * 9
    text = tables.render(tables.paragraph(f"{'word ' * 30}{path}", first="Missing: "))
    lines = text.splitlines()
    assert lines[0].startswith("Missing: word word")
    assert all(line.startswith("    ") for line in lines[1:])
    assert all(len(line) <= width or path in line for line in lines)
    assert path in text


def test_plain_tables_fit(width):
    rows = [("a/long/path" * 9, "finished", "words " * 40), ("b", "running", "one")]
    text = tables.render(tables.plain_table(rows, ("run", "state", "note")))
    assert max(map(len, text.splitlines())) <= width
    assert "finished" in text
    assert text.count("words") == 40


def test_without_a_terminal_lines_are_long_and_have_no_colors(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert tables.width() >= 60
    assert "\x1b" not in score_lines.score_table(scored())


def test_a_terminal_has_bold_headings_and_obeys_no_color(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sys.stdout", Terminal())
    monkeypatch.delenv("NO_COLOR", raising=False)
    shown = tables.render(tables.plain_table([("a", "b")], ("head", "er")))
    assert "\x1b[1m" in shown
    monkeypatch.setenv("NO_COLOR", "1")
    shown = tables.render(tables.plain_table([("a", "b")], ("head", "er")))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)


@pytest.mark.parametrize("command", ["tasks", "tasks image", "settings speech"])
def test_task_lists_fit(command, width):
    done = CliRunner().invoke(cli, command.split(), catch_exceptions=False)
    assert max(map(len, done.stdout.splitlines())) <= width
    assert "image" in done.stdout or command.startswith("settings")


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for alpha in (0.0, 0.1, 0.2):
        for seed in (0, 1):
            config = {**CONFIG, "training": {"alpha": alpha, "seed": seed}}
            run = RunDirectory.create(f"runs/a-rather-long-name-a{alpha:g}-seed{seed}", config)
            scores = {**SCORES, "bleu": 60 + 10 * alpha + seed * (1 + alpha)}
            run.write_json(run.metrics_file, scored(test=scores))
    return sorted(str(path) for path in (tmp_path / "runs").iterdir())


def test_comparisons_and_run_lists_fit(runs, width):
    done = CliRunner().invoke(cli, ["compare", *runs], catch_exceptions=False)
    assert max(map(len, done.stdout.splitlines())) <= width
    whole = " ".join(done.stdout.split())
    assert "+1.05 [" in whole
    assert "seeds 2 2 2" in whole
    done = CliRunner().invoke(cli, ["runs"], catch_exceptions=False)
    assert max(map(len, done.stdout.splitlines())) <= width
    assert done.stdout.count("finished") == 6


def test_sparklines():
    assert sparkline([0, 7], 8) == "▁█"
    assert sparkline(list(range(100)), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([float("nan"), 1.0, float("inf")], 8) == "▁"
    assert sparkline([], 8) == sparkline([1.0], 0) == ""
    assert len(sparkline(list(range(1000)), 24)) == 24


@pytest.mark.parametrize("width", [60, 70, 80], indirect=True)
@pytest.mark.parametrize("longest", range(16, 70, 3))
def test_a_long_label_leaves_room_for_the_widest_number(width, longest):
    value = "12.3 [11.1, 13.5]"
    table = tables.grid("", ["WER (%)"], [("a " * (longest // 2), [value])])
    text = tables.render(*table)
    assert max(map(len, text.splitlines())) <= width
    assert value in text
