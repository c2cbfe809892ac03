import io

from lsk_engine.progress import Reporter, wrap_message


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_messages_are_wrapped_on_a_terminal_only(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    path = "/a/path/that/is/longer/than/any/line/of/forty"
    text = f"  Expected a model with a layer that is named logits. Received: {path}"
    assert wrap_message(text, io.StringIO()) == text
    lines = wrap_message(text, Terminal()).split("\n")
    assert lines[0] == "  Expected a model with a layer that is"
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[-1].strip() == path
    assert " ".join(line.strip() for line in lines) == text.strip()
    assert wrap_message("short\n  and shorter", Terminal()) == "short\n  and shorter"


def test_a_reporter_wraps_messages_but_not_in_its_log(monkeypatch, tmp_path):
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    text = "four of twenty runs are finished already, and are kept"
    Reporter(stream=stream, log=tmp_path / "log.txt").warning(text)
    assert max(map(len, stream.getvalue().splitlines())) <= 30
    assert f"Warning: {text}" in (tmp_path / "log.txt").read_text()
