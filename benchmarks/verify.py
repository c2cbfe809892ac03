"""Slow checks of what the documentation states: `python benchmarks/verify.py [FOLDER]`.

Trains the default translation task and holds its test BLEU to 60. With a FOLDER that holds
`multi30k/` (`train.en`, `train.de`, `val.*`, `test*.*`, plain or .gz) it also trains an epoch of
the preset `multi30k-tiny` and translates with it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

LSK = [sys.executable, "-c", "from lsk.main import main; main()"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        results = train(Path(folder) / "cldr", "--alpha", "0.1")
        check("default, test BLEU", results["test"]["bleu"], least=60)
        if len(sys.argv) > 1:
            run = Path(folder) / "multi30k"
            data = str(Path(sys.argv[1]) / "multi30k")
            results = train(run, "--preset", "multi30k-tiny", "--data", data, "--epochs", "1")
            check(
                "multi30k-tiny, 1 epoch, validation perplexity", results["validation"]["perplexity"]
            )
            text = "A man is riding a bike.\n\nTwo dogs run.\n"
            done = lsk("translate", str(run), "-q", input=text)
            lines = done.split("\n")
            if len(lines) != 4 or lines[1]:
                raise SystemExit(f"Expected three lines, the second blank. Received: {lines}")
            print(done, end="")


def train(run: Path, *arguments: str) -> dict:
    command = ["train", "--task", "translation", "--run-dir", str(run), "--json", *arguments]
    return json.loads(lsk(*command))


def lsk(*arguments: str, input: str = "") -> str:  # noqa: A002 - as subprocess calls it
    return subprocess.run(
        [*LSK, *arguments], check=True, stdout=subprocess.PIPE, text=True, input=input
    ).stdout


def check(what: str, value: float, least: float = 0.0) -> None:
    print(f"{what}: {value:.2f}")
    if value < least:
        raise SystemExit(f"Expected {what} of at least {least}. Received: {value:.2f}")


if __name__ == "__main__":
    main()
