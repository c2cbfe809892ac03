"""What is done with a finished run: evaluate, calibrate, compare, project, probe, sweep."""
