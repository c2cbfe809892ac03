"""The paper's MNIST experiment: does the better, smoothed teacher teach worse?

For each seed it trains a teacher of hard targets, with dropout, and one of smoothed targets; a
student of each, by 0.4 · cross-entropy + 0.6 · ½ ‖z − z^t‖²; and a student alone. It ends with a
table, `mnist-test.md`: errors, and differences with standard errors that are paired by image and by
seed. Runs that are finished are kept: started again, it goes on.

    python examples/mnist_distillation.py --data FOLDER --out runs/mnist

FOLDER has MNIST's four idx files. What follows `--` goes to every `lsk train` and `lsk distill`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from finished_runs import trained

TEACHER = ("--preset", "mnist-mlp-teacher")
STUDENT = ("--preset", "mnist-mlp-student")
DISTILLED = (*STUDENT, "--loss", "squared-logits", "--beta", "0.6")
# By teacher: what it and its student are trained with. The students' rates, each the best on
# validation of a grid whose ends are worse, differ because the logits do: those of a smoothed
# teacher are several times smaller.
SETTINGS = {
    "hard": (("--alpha", "0"), ("--learning-rate", "0.01")),
    "smoothed": (("--alpha", "0.1"), ("--learning-rate", "0.1")),
}
PAPER = {
    "teacher, hard": 0.67,
    "teacher, smoothed": 0.59,
    "student of hard": 0.74,
    "student of smoothed": 0.91,
}
DIFFERENCES = (  # each with its weights on the networks' errors
    ("teachers: smoothed − hard", {"teacher, smoothed": 1, "teacher, hard": -1}),
    ("students: of smoothed − of hard", {"student of smoothed": 1, "student of hard": -1}),
    ("loss in transfer, hard", {"student of hard": 1, "teacher, hard": -1}),
    ("loss in transfer, smoothed", {"student of smoothed": 1, "teacher, smoothed": -1}),
    (
        "loss in transfer: smoothed − hard",
        {
            "student of smoothed": 1,
            "teacher, smoothed": -1,
            "student of hard": -1,
            "teacher, hard": 1,
        },
    ),
)


def main() -> None:
    """Runs the sequence of `lsk` commands; writes `mnist-SPLIT.json` and `.md` beside the runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with the idx files, or a TFDS name")
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and results")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--split", choices=["test", "validation"], default="test")
    parser.add_argument("more", nargs="*", help="options of every training")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wrong: dict[str, list[np.ndarray]] = {}
    for seed in options.seeds:
        for network, run in runs_of_seed(options, seed).items():
            wrong.setdefault(network, []).append(mistakes(run, options.split))
    errors = {name: np.stack(of_seeds) for name, of_seeds in wrong.items()}  # seeds × images
    rows = [*error_rows(errors), *difference_rows(errors)]
    file = options.out / f"mnist-{options.split}.json"
    file.write_text(json.dumps(rows, indent=2) + "\n")
    table = "\n".join(table_lines(rows, f"{options.split} error, %")) + "\n"
    file.with_suffix(".md").write_text(table)
    print(table, end="")


def runs_of_seed(options: argparse.Namespace, seed: int) -> dict[str, Path]:
    """Trains what is not there yet; returns the runs of one seed by network."""
    runs = {}
    common = ("--data", options.data, "--seed", str(seed), *options.more)
    for name, (of_teacher, of_student) in SETTINGS.items():
        teacher = options.out / f"{name}-seed{seed}"
        trained(teacher, "train", "--task", "image", *TEACHER, *of_teacher, *common)
        student = options.out / f"student-of-{name}-seed{seed}"
        # The student sees each image as it is, so the teacher's logits are computed once.
        cached = ("--teacher", str(teacher), "--cache", str(teacher / "logits"))
        trained(student, "distill", *cached, *DISTILLED, *of_student, *common)
        runs |= {f"teacher, {name}": teacher, f"student of {name}": student}
    alone = options.out / f"student-alone-seed{seed}"
    trained(alone, "train", "--task", "image", *STUDENT, *common)
    return {**runs, "student alone": alone}


def mistakes(run: Path, split: str) -> np.ndarray:
    """Returns whether each image of a split was named wrongly, float64 `(images,)`."""
    file = run / "evaluation" / f"statistics-{split}.npz"
    with np.load(file, allow_pickle=False) as statistics:
        return 1.0 - statistics["correct"].astype(np.float64)


def error_rows(errors: dict[str, np.ndarray]) -> list[dict]:
    """Returns a row a network: the mean over seeds with its standard error, and the range."""
    return [
        {
            "what": name,
            "mean": 100 * wrong.mean(),
            "standard_error": 100 * standard_error(wrong),
            "seeds": (100 * wrong.mean(1)).tolist(),
            "paper": PAPER.get(name),
        }
        for name, wrong in errors.items()
    ]


def difference_rows(errors: dict[str, np.ndarray]) -> list[dict]:
    """Returns the rows of the differences, in points."""
    rows = []
    for name, weights in DIFFERENCES:
        difference = sum(weight * errors[network] for network, weight in weights.items())
        row = error_rows({name: difference})[0]
        rows.append({**row, "paper": sum(w * PAPER[n] for n, w in weights.items())})
    return rows


def standard_error(values: np.ndarray) -> float:
    """Returns the standard error of the mean over seeds and images, both drawn at random.

    Two-way analysis of variance: √((MS_seeds + MS_images − MS_rest) / n), n values in all, and at
    least what the seeds or the images alone say. With one seed, images alone are random.

    Args:
        values: `(seeds, images)`.
    """
    seeds, images = values.shape
    of_seeds, of_images, mean = values.mean(1), values.mean(0), values.mean()
    ms_images = seeds * np.sum((of_images - mean) ** 2) / (images - 1)
    if seeds == 1:
        return float(np.sqrt(ms_images / values.size))
    ms_seeds = images * np.sum((of_seeds - mean) ** 2) / (seeds - 1)
    rest = values - of_seeds[:, None] - of_images + mean
    ms_rest = np.sum(rest**2) / ((seeds - 1) * (images - 1))
    variance = max(ms_seeds + ms_images - ms_rest, ms_seeds, ms_images)
    return float(np.sqrt(variance / values.size))


def table_lines(rows: list[dict], head: str) -> list[str]:
    """Returns a Markdown table."""
    heads = [head, "mean", "± s.e.", "min", "max", "the paper"]
    lines = [f"| {heads[0]:33} |" + "".join(f" {head:>9} |" for head in heads[1:])]
    lines.append("|" + "-" * 35 + "|" + "---------: |" * (len(heads) - 1))
    for row in rows:
        sign = "+" if "−" in row["what"] or "loss" in row["what"] else ""
        cells = [
            f"{row['mean']:{sign}.3f}",
            f"{row['standard_error']:.3f}",
            *(f"{end:{sign}.2f}" for end in (min(row["seeds"]), max(row["seeds"]))),
            "" if row["paper"] is None else f"{row['paper']:{sign}.2f}",
        ]
        lines.append(f"| {row['what']:33} |" + "".join(f" {cell:>9} |" for cell in cells))
    return lines


if __name__ == "__main__":
    main()
