"""Runs that an example trains once, and takes up again where it was interrupted."""

import subprocess
import sys
from pathlib import Path

LSK = [sys.executable, "-c", "from lsk.main import main; main()"]


def trained(run: Path, *command: str) -> Path:
    """Returns a finished run; one that is not there is made, one that was interrupted, resumed.

    Args:
        run: Where it is.
        command: What makes it: an `lsk` command, without `--run-dir`.
    """
    if (run / "metrics.json").is_file():
        return run
    if (run / "config.json").is_file():
        lsk("train", "--resume", str(run))
    else:
        lsk(*command, "--run-dir", str(run))
    return run


def lsk(*arguments: str) -> None:
    """Runs a command; its tables go to standard error, so that an example's table stands alone."""
    done = subprocess.run([*LSK, *arguments], check=False, stdout=sys.stderr)
    if done.returncode:  # it has said why
        raise SystemExit(done.returncode)
