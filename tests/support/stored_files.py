"""What a run's JSON files hold, complete, for tests that need a run and train none."""

CONFIG = {
    "task": "tiny",
    "preset": "tiny",
    **{part: {} for part in ("training", "optimizer", "data", "model", "decoding")},
}


def metrics(labels=None, **splits_and_more):
    """Returns what `metrics.json` holds of a run with these splits."""
    return {
        "schema": 1,
        "run": "run",
        "task": "tiny",
        "preset": "tiny",
        "alpha": 0.1,
        "smoothing": "uniform",
        "seed": 0,
        "calibrated": False,
        "notes": [],
        "labels": labels or {},
        "signatures": {},
        "seconds": 1.0,
        **splits_and_more,
    }


def history(step):
    """Returns a line of `history.jsonl`, of an epoch that ended after `step` steps."""
    return {"step": step, "epoch": 1, "train": {"loss": 1.0}, "validation": {}}
