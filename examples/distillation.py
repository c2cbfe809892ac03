"""Students of hard and of smoothed teachers on scikit-learn's digits, with the library alone.

What `lsk sweep-distillation` does for any task and recipe, in a hundred lines of Keras to start
from: your own networks and loops, `SmoothedCE`, `Distiller` with logits that were computed
once, and `equivalent_smoothing`. Four curves of test error against γ: teachers trained with α;
students trained with α, without a teacher; students of the hard teacher at several temperatures;
students of the smoothed teachers at temperature 1. Each point is the mean over seeds.

    python examples/distillation.py --out figure_5.json

The digits are easy and the test set is small (599 images): read differences beside their spread.
"""

import argparse
import json
import statistics
from pathlib import Path

import keras
import numpy as np

import ls_keras

TEACHER, STUDENT = (256, 256), (16,)  # units of the hidden layers


def main() -> None:
    """Trains everything, prints a table and writes the points."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="write the points here as JSON")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--alphas", type=float, nargs="+", default=[0.0, 0.15, 0.3, 0.6])
    parser.add_argument("--temperatures", type=float, nargs="+", default=[1, 2, 4, 8])
    options = parser.parse_args()
    data = digits()
    points = [p for seed in range(options.seeds) for p in points_of_seed(data, options, seed)]
    print(f"{'curve':24}{'α or T':>8}{'γ':>8}{'test error %':>14}  (min … max)")
    for curve, setting in dict.fromkeys((p["curve"], p["setting"]) for p in points):
        here = [p for p in points if (p["curve"], p["setting"]) == (curve, setting)]
        errors = [p["error"] for p in here]
        gamma = statistics.mean(p["gamma"] for p in here)
        print(
            f"{curve:24}{setting:8g}{gamma:8.3f}{statistics.mean(errors):14.2f}"
            f"  ({min(errors):.2f} … {max(errors):.2f})"
        )
    if options.out:
        options.out.write_text(json.dumps(points, indent=2) + "\n")


def points_of_seed(data, options: argparse.Namespace, seed: int) -> list[dict]:
    """Returns the points of all four curves for one seed."""
    (x, y), _ = data
    points = []

    def add(curve: str, setting: float, gamma: float, model: keras.Model) -> None:
        error = 100 - 100 * accuracy(model, data)
        points.append(
            {"curve": curve, "setting": setting, "gamma": gamma, "seed": seed, "error": error}
        )

    for alpha in options.alphas:
        teacher = trained_on_labels(TEACHER, data, alpha, options.epochs, seed)
        logits = keras.ops.convert_to_numpy(teacher(x, training=False))
        add("teacher", alpha, alpha, teacher)
        student = trained_on_labels(STUDENT, data, alpha, options.epochs, seed)
        add("student alone", alpha, alpha, student)
        if alpha == 0:
            gammas = ls_keras.equivalent_smoothing(
                y, logits, options.temperatures, from_logits=True
            )
            for temperature, gamma in zip(options.temperatures, gammas, strict=True):
                student = distilled(logits, data, temperature, options.epochs, seed)
                add("student, hard teacher", temperature, float(gamma), student)
        else:
            student = distilled(logits, data, 1.0, options.epochs, seed)
            gamma = ls_keras.equivalent_smoothing(y, logits, from_logits=True)
            add("student, smooth teacher", alpha, gamma, student)
    return points


def trained_on_labels(units, data, alpha: float, epochs: int, seed: int) -> keras.Model:
    """Returns a network trained with label smoothing."""
    model = network(units, seed)
    model.compile("adam", loss=ls_keras.SmoothedCE(alpha, from_logits=True))
    model.fit(*data[0], batch_size=64, epochs=epochs, verbose=0)
    return model


def distilled(logits, data, temperature: float, epochs: int, seed: int) -> keras.Model:
    """Returns a student trained on a teacher's logits alone: β = 1."""
    (x, y), _ = data
    distiller = ls_keras.Distiller(network(STUDENT, seed), teacher_temperature=temperature)
    distiller.compile("adam")
    distiller.fit((x, logits), y, batch_size=64, epochs=epochs, verbose=0)
    return distiller.student


def network(units, seed: int) -> keras.Model:
    """Returns a perceptron with new weights."""
    keras.utils.set_random_seed(seed)
    hidden = [keras.layers.Dense(n, activation="relu") for n in units]
    return keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10, name="logits")])


def digits():
    """Returns `(x, y)` to train on and to test on."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1198], order[1198:]
    return (x[train], y[train]), (x[test], y[test])


def accuracy(model: keras.Model, data) -> float:
    """Returns the part of the test images that a model names right."""
    x, y = data[1]
    logits = keras.ops.convert_to_numpy(model(x, training=False))
    return float((logits.argmax(-1) == y).mean())


if __name__ == "__main__":
    main()
