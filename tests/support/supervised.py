"""What `supervise` starts in tests, and who starts it: `supervised.py WORKERS HOW FOLDER`.

HOW: `end` (the second worker fails, the first would run on and hears no signal), `finish`, `save`
(on SIGTERM each says that it has saved) or `hang` (the second finishes, the first hangs).
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from lsk_engine.devices.local_workers import supervise
from lsk_engine.devices.parent_watch import WATCHED, stop_with_parent
from lsk_engine.devices.process_env import TF_CONFIG


def work(how: str, folder: Path) -> int:
    """Is a worker."""
    stop_with_parent()
    index = json.loads(os.environ[TF_CONFIG])["task"]["index"]
    stopped = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    (folder / f"{how}-{index}").write_text(str(os.getpid()))
    if how == "finish":
        return 0
    if index == 1 and how in ("end", "hang"):
        print("I0000 00:00 port.cc:153] on\nthe reason\nof worker 1", file=sys.stderr)
        return 3 if how == "end" else 0
    while True:
        time.sleep(0.01)
        if stopped and how == "save":
            (folder / f"saved-{index}").write_text("")
            return 143


if __name__ == "__main__":
    workers, how, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    if WATCHED in os.environ:
        sys.exit(work(how, folder))
    sys.exit(supervise([sys.executable, *sys.argv], workers, print))
