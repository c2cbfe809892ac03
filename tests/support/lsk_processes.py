"""`lsk` in processes of its own that need not import TensorFlow: forked from one that has.

What a user's shell would start takes some seconds to import; tests start it a hundred times. The
fork server of `multiprocessing` imports once, and has run nothing when it is forked. A test of
importing itself, or of what it prints, starts a Python of its own.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path

ANEW = [sys.executable, "-m", "lsk"]
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["lsk_engine.studies.executors.preload", "lsk.main", "lsk_engine.scoring.calibrate"]
)


class Lsk:
    """A started `lsk`, as far as tests need a `subprocess.Popen`.

    Args:
        arguments: Of the command line.
        cwd: The folder to start in; default: the present one.
        stdin: What it reads.

    Attributes:
        pid: Of the process.
    """

    def __init__(self, *arguments, cwd=None, stdin: bytes = b""):
        self._folder = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        (self._folder / "stdin").write_bytes(stdin)
        self.arguments = [str(argument) for argument in arguments]
        self._process = _SERVER.Process(
            target=_run, args=(self.arguments, str(cwd or Path.cwd()), str(self._folder))
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def stdout(self) -> bytes:
        """What it has written so far."""
        return (self._folder / "stdout").read_bytes()

    @property
    def stderr(self) -> bytes:
        """What it has written so far."""
        return (self._folder / "stderr").read_bytes()

    def poll(self) -> int | None:
        """Returns the exit code, if it has ended; −N if signal N ended it."""
        return self._process.exitcode

    def wait(self, timeout: float = 300) -> int:
        """Waits for the end and returns the exit code."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            raise subprocess.TimeoutExpired(self.arguments, timeout)
        return code

    def wait_for(self, happened, timeout: float = 120) -> None:
        """Waits until `happened()`, while the process lives."""
        deadline = time.monotonic() + timeout
        while not happened():
            assert self.poll() is None, self.stderr.decode()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def signal(self, number: int) -> None:
        """Sends a signal."""
        os.kill(self.pid, number)


def lsk(*arguments, input=None, text=True, cwd=None, timeout=300):  # noqa: A002
    """Runs `lsk` to its end, as `subprocess.run` would.

    Args:
        arguments: Of the command line.
        input: What it reads, `str` or `bytes`.
        text: Whether to return what it wrote as text.
        cwd: The folder to start in; default: the present one.
        timeout: Seconds.
    """
    given = input.encode() if isinstance(input, str) else input or b""
    process = Lsk(*arguments, cwd=cwd, stdin=given)
    code = process.wait(timeout)
    out, err = process.stdout, process.stderr
    if text:
        return subprocess.CompletedProcess(process.arguments, code, out.decode(), err.decode())
    return subprocess.CompletedProcess(process.arguments, code, out, err)


def _run(arguments: list[str], cwd: str, folder: str) -> None:
    """Is the forked process: puts files in place of its streams, and becomes `lsk`."""
    os.chdir(cwd)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job has it so
        signal.signal(signal.SIGINT, signal.default_int_handler)
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, (name, flags) in enumerate(
        (("stdin", os.O_RDONLY), ("stdout", write), ("stderr", write))
    ):
        descriptor = os.open(f"{folder}/{name}", flags, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115 - until the end
        for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    sys.argv = ["lsk", *arguments]
    from lsk.main import main

    main()
