import re
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "language_model.py"


@pytest.mark.slow
@pytest.mark.tensorflow
def test_it_learns_and_continues(monkeypatch, capsys):
    options = ["--epochs", "1", "--windows", "48", "--vocabulary", "500", "--length", "24"]
    monkeypatch.setattr(sys, "argv", ["language_model.py", *options, "--width", "16"])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    found = capsys.readouterr().out
    (perplexity,) = re.findall(r"perplexity of held-out windows: ([\d.]+)", found)
    assert 1 < float(perplexity) < 600  # of 500 sub-words that are all as likely: 500
    assert found.splitlines()[-1].startswith("The following example shows")
