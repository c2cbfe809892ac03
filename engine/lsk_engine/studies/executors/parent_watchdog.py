"""Runs a command for as long as somebody holds this process's standard input open.

    python -m lsk_engine.studies.executors.parent_watchdog COMMAND …

A worker of a cluster that is killed takes no leave of what it has started; the end of its pipe is
what remains to be noticed. The command is asked to end, and may save its state.
"""

import os
import subprocess
import sys
import threading


def main() -> None:
    """Runs the command that the arguments are, and ends with its exit code."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def watch():
        while os.read(0, 1):
            pass
        process.terminate()

    threading.Thread(target=watch, daemon=True).start()
    code = process.wait()
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
