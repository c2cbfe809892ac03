"""Ranking by confidence: how well a run ranks its errors last, also with normalized logits."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ls_keras.calibration import confidence_auroc, logit_norm_confidence, risk_coverage
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.datasets import evaluation_source
from lsk_engine.devices.distributed_predict import make_predictor
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_data import load_trained
from lsk_engine.runs.stored_run import StoredRun
from lsk_engine.scoring.position_statistics import predict_positions

NORMS = (1, 2, 3, 4, 5, 6, 7, 8)


def rank(run: StoredRun, reporter: Reporter) -> dict[str, dict[str, float]]:
    """Returns how well confidence ranks the predictions of each split except `train`.

    Confidence is the largest probability and `logit_norm_confidence`, with the p of `NORMS` that
    has the smallest AURC on validation.

    Args:
        run: A finished run.
        reporter: Receives messages and progress.

    Returns:
        By split: `aurc`, `eaurc` and `auroc`; `aurc_normalized` and `auroc_normalized` of the
        normalized confidence; and `norm_p`.
    """
    directory, task, config = run
    model, data = load_trained(task, config, directory)
    predict = make_predictor(model, config)
    ranked = {
        split: _confidences(
            predict,
            evaluation_source(config, data, split),
            reporter.counter(f"{split}: ranking", "examples"),
        )
        for split in data.splits
        if split != "train"
    }
    chosen = ranked["validation" if "validation" in ranked else next(iter(ranked))]
    p = min(NORMS, key=lambda p: risk_coverage(chosen["correct"], chosen[p]).aurc)
    return {split: _numbers(columns, p) for split, columns in ranked.items()}


def _numbers(columns: dict[Any, np.ndarray], p: int) -> dict[str, float]:
    correct, confidence, normalized = columns["correct"], columns["softmax"], columns[p]
    curve = risk_coverage(correct, confidence)
    return {
        "aurc": curve.aurc,
        "eaurc": curve.excess,
        "auroc": confidence_auroc(correct, confidence),
        "aurc_normalized": risk_coverage(correct, normalized).aurc,
        "auroc_normalized": confidence_auroc(correct, normalized),
        "norm_p": float(p),
    }


def _confidences(
    predict: Callable[[Mapping[str, Any]], Any],
    source: BatchSource,
    progress: Callable[[int, int], None],
) -> dict[Any, np.ndarray]:
    """Returns the hits, and the confidence by each method, of the positions that count."""
    columns: dict[Any, list[np.ndarray]] = {}
    for labels, logits in predict_positions(predict, source, progress):
        z = logits.astype(np.float64)
        z -= z.max(-1, keepdims=True)
        found: dict[Any, np.ndarray] = {
            "correct": z.argmax(-1) == labels,
            "softmax": 1 / np.exp(z).sum(-1),
        }
        found |= {p: logit_norm_confidence(z, p) for p in NORMS}
        for name, values in found.items():
            columns.setdefault(name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in columns.items()}
