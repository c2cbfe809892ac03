"""Runs that an example trains once, and takes up again where it was interrupted."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

LSK = [sys.executable, "-c", "from lsk.main import main; main()"]


def trained(run: Path, *command: str, call: Callable[..., None] | None = None) -> Path:
    """Returns a finished run; one that is not there is made, one that was interrupted, resumed.

    Args:
        run: Where it is.
        command: What makes it: an `lsk` command, without `--run-dir`.
        call: Runs a command; `None`: `lsk`, in a process of its own.
    """
    call = call or lsk
    if (run / "metrics.json").is_file():
        return run
    if (run / "config.json").is_file():
        call("train", "--resume", str(run))
    else:
        call(*command, "--run-dir", str(run))
    return run


def lsk(*arguments: str) -> None:
    """Runs a command; its tables go to standard error, so that an example's table stands alone."""
    done = subprocess.run([*LSK, *arguments], check=False, stdout=sys.stderr)
    if done.returncode:  # it has said why
        raise SystemExit(done.returncode)
