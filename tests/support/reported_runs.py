"""Runs and studies as their folders hold them, for reports: written in a moment."""

import struct
import zlib

from ls_base.files import write_json
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.study_result import FIGURE_FILE, RESULTS_FILE, settings_file
from stored_files import CONFIG, metrics

# A text that would act as a script if it were not escaped.
HOSTILE = "<script>alert(1)</script>"
REFERENCES = ("the red house", "a big book", HOSTILE)
OUTPUTS = ("the red horse", "a big book", f"no {HOSTILE}")


def png(width=2, height=2):
    """Returns a whole PNG, gray."""

    def chunk(kind, content):
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x7f" * width) * height)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def config(alpha=0.1, seed=0, **parts):
    """Returns what `config.json` holds of a run."""
    return {**CONFIG, "training": {"alpha": alpha, "seed": seed}, **parts}


def scores(bleu=20.0, ece=0.1):
    """Returns a split's scores, two of them with intervals."""
    return {
        **{"bleu": bleu, "bleu_low": bleu - 2, "bleu_high": bleu + 2},
        **{"nll": 1.5, "perplexity": 4.48, "accuracy": 0.6, "loss": 2.0, "brier": 0.5},
        **{"ece": ece, "ece_low": ece - 0.02, "ece_high": ece + 0.03},
    }


def of_run(alpha=0.1, seed=0, bleu=20.0, **more):
    """Returns what `metrics.json` holds of a run."""
    split = scores(bleu)
    found = metrics({"bleu": "BLEU"}, validation=split, test=split, better={"bleu": "more"})
    return {**found, "alpha": alpha, "seed": seed, "notes": ["test: made up"], **more}


def bare_run(folder, alpha=0.1, seed=0, bleu=20.0, **parts):
    """Writes a finished run that nothing was done with."""
    run = RunDirectory.create(folder, config(alpha, seed, **parts))
    for epoch, step in enumerate((10, 20), 1):
        values = {"loss": 3.0 / epoch}
        entry = {"step": step, "epoch": epoch, "train": values, "validation": values}
        run.append_history(entry)
    run.write_json(run.metrics_file, of_run(alpha, seed, bleu))
    return run


def whole_run(folder, alpha=0.1, seed=0, names=("red", "green", "blue"), **parts):
    """Writes a run that everything was done with."""
    run = bare_run(folder, alpha, seed, **parts)
    calibration = {"schema": 1, "method": "temperature", "temperature": 1.5}
    run.write_json(run.calibration_file, calibration)
    run.write_json(run.calibrated_metrics_file, of_run(alpha, seed, calibrated=True))
    edges = ((None, 0.0, 0.3, 0), (0.4, 0.3, 0.6, 5), (0.8, 0.6, 1.0, 15))
    bins = [
        dict.fromkeys(("confidence", "accuracy", "accuracy_low", "accuracy_high"), value)
        | {"edge_low": low, "edge_high": high, "count": count}
        for value, low, high, count in edges
    ]
    for calibrated in (False, True):
        file = run.reliability_file("test", calibrated=calibrated)
        write_json(file.with_suffix(".json"), [{**row, "ece": 0.1} for row in bins])
        file.write_bytes(png())
    points = [
        {
            **{"search": "abc", "temperature": t, "values": {"bleu": 20.0 - t}},
            **{"labels": {"bleu": "BLEU"}, "intervals": {"bleu": (18.0 - t, 22.0 - t)}},
            **{"nll": 1.5 * t, "ece": 0.1 * t},
        }
        for t in (2.0, 1.0)
    ]
    run.write_json(run.sweep_file("test"), {"points": points})
    information = {"mutual_information": 1.0, "low": 0.9, "high": 1.1, "num_examples": 60}
    rows = [{"curve": "", "step": step, **information} for step in (10, 20)]
    write_json(run.information_file.with_suffix(".json"), rows)
    statistics = run.evaluation / "projection-statistics.json"
    write_json(statistics, {"split": "validation", "runs": [{"names": list(names)}]})
    for name in ("projection", "projection-logits", "mutual-information", "attention-test"):
        (run.evaluation / f"{name}.png").write_bytes(png())
    run.write_json(run.outputs_file("test"), OUTPUTS)
    run.write_json(run.references_file("test"), REFERENCES)
    return run


def study(folder, seeds=2, statement="Smoothing makes the score better"):
    """Writes a study of two arms."""
    arms = {"alpha0": {"training.alpha": 0.0}, "alpha0.1": {"training.alpha": 0.1}}
    for name, values in arms.items():
        for seed in range(seeds):
            bare_run(
                folder / "runs" / f"{name}-seed{seed}", values["training.alpha"], seed, 20.0 + seed
            )
    claim = {"name": "score", "statement": statement, "measure": "bleu", "direction": "better"}
    decision = {"verdict": "supported", "mean": 1.5, "low": 1.2, "high": 1.8, "p": 0.01}
    decided = {**claim, "margin": 0.5, "arm": "alpha0.1", "baseline": "alpha0", **decision}
    found = {
        **{"schema": 1, "question": "Does it help?", "task": "tiny", "preset": "tiny"},
        **{"split": "test", "seeds": seeds, "arms": arms, "shown": "alpha0.1"},
        "numbers": {"bleu": {"label": "BLEU", "better": "more"}},
        "values": {"bleu": {"alpha0": [20.0, 21.0], "alpha0.1": [22.0, None]}},
        "claims": [decided],
        "sentences": [f"{statement}: holds, at α 0.1.", "Take α 0.1."],
        "missing": {"alpha0.1-seed1": "Expected a finite loss. Received: nan"},
    }
    write_json(folder / RESULTS_FILE, found)
    write_json(settings_file(folder), {"schema": 1, "axes": ["training.alpha"]})
    return folder


def taught(folder):
    """Writes a study of teachers and students: two curves, two seeds."""
    study(folder, seeds=0)
    rows = []
    for seed in range(2):
        for kind, curve in (("teachers", "teacher"), ("runs", "student alone")):
            for alpha in (0.0, 0.2):
                path = f"{kind}/alpha{alpha:g}-seed{seed}"
                bare_run(folder / path, alpha, seed, data={"kind": kind})
                row = {"curve": curve, "alpha": alpha, "temperature": 1.0, "seed": seed}
                rows.append({**row, "gamma": alpha, "bleu": 20.0 + seed + alpha, "run": path})
    write_json((folder / FIGURE_FILE).with_suffix(".json"), rows)
    return folder
