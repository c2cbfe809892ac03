"""`python -m says_what_it_finds [wait] [watch] FOLDER`: writes found.json, ends with code 3.

With `wait` it does not end; with `watch` it stops with its parent, as a training does.
"""

import json
import os
import sys
import time
from pathlib import Path

from lsk_engine.devices.parent_watch import stop_with_parent

if __name__ == "__main__":
    folder = Path(sys.argv[-1])
    found = {
        "imported": "keras" in sys.modules,
        "leads": os.getsid(0) == os.getpid(),
        "threads": os.environ.get("TF_NUM_INTRAOP_THREADS"),
        "program": Path(sys.argv[0]).name,
    }
    if "watch" in sys.argv:
        (folder / "pid").write_text(str(os.getpid()))
        stop_with_parent()
    (folder / "found.json").write_text(json.dumps(found))
    print("ignored output")
    print("Error: no luck", file=sys.stderr)
    while "wait" in sys.argv:
        time.sleep(0.01)
    sys.exit(3)
