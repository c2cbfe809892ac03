"""Work on finished runs: evaluate, calibrate, project, probe, sweep."""
