"""How well a run's confidence ranks its errors last, and what logit normalization gains."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ls_keras.calibration import confidence_auroc, logit_norm_confidence, risk_coverage
from lsk_engine.data.batches import BatchSource
from lsk_engine.data.datasets import evaluation_source, explain_data_errors
from lsk_engine.devices.distributed_predict import make_predictor
from lsk_engine.devices.framework_errors import explain_oom
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_data import load_trained
from lsk_engine.runs.stored_run import StoredRun

NORMS = (1, 2, 3, 4, 5, 6, 7, 8)


def rank(run: StoredRun, reporter: Reporter) -> dict[str, dict[str, float]]:
    """Returns how well confidence ranks the predictions of each split but the training split.

    Confidence is the largest probability and, normalized, `logit_norm_confidence` with the p of
    `NORMS` whose AURC is least on validation.

    Args:
        run: A finished run.
        reporter: Who is told.

    Returns:
        By split `aurc`, `eaurc`, `auroc`, of the normalized confidence `aurc_normalized` and
        `auroc_normalized`, and `norm_p`.
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
    """Returns, of each position that counts, whether it is right, and how sure it is each way."""
    columns: dict[Any, list[np.ndarray]] = {}
    total = len(source.examples)
    for step in range(source.steps_per_epoch):
        with explain_data_errors(source):
            batch = source.batch(step)
        counts = batch.sample_weight > 0
        with explain_oom(source.batch_size):
            z = np.asarray(predict(batch.inputs))[counts].astype(np.float64)
        labels = np.asarray(batch.labels)[counts]
        z -= z.max(-1, keepdims=True)
        found: dict[Any, np.ndarray] = {
            "correct": z.argmax(-1) == labels,
            "softmax": 1 / np.exp(z).sum(-1),
        }
        found |= {p: logit_norm_confidence(z, p) for p in NORMS}
        for name, values in found.items():
            columns.setdefault(name, []).append(values)
        progress(min((step + 1) * source.batch_size, total), total)
    return {name: np.concatenate(parts) for name, parts in columns.items()}
