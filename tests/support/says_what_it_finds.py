"""`python -m says_what_it_finds [wait] FOLDER`: writes found.json there, and ends with code 3."""

import json
import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    found = {
        "imported": "keras" in sys.modules,
        "leads": os.getsid(0) == os.getpid(),
        "threads": os.environ.get("TF_NUM_INTRAOP_THREADS"),
        "program": Path(sys.argv[0]).name,
    }
    (Path(sys.argv[-1]) / "found.json").write_text(json.dumps(found))
    print("nobody hears")
    print("Error: told", file=sys.stderr)
    while "wait" in sys.argv:
        time.sleep(0.01)
    sys.exit(3)
