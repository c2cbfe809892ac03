"""A pytest plugin (`-p other_clock`): another time, as for a worker that starts later."""

import time

_DAYS = 3.7 * 24 * 3600
_time, _time_ns = time.time, time.time_ns

time.time = lambda: _time() + _DAYS
time.time_ns = lambda: _time_ns() + int(_DAYS * 1e9)
