"""Another process that holds a lock."""

import subprocess
import sys
from pathlib import Path

_CODE = """
import sys, time
from pathlib import Path
from lsk_engine.runs.locking import hold_lock

with hold_lock(Path(sys.argv[1]), wait=False):
    print("held", flush=True)
    time.sleep(600)
"""


def held_by_another_process(file: Path) -> subprocess.Popen:
    """Starts a process that holds the lock of a file until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", _CODE, file], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process
