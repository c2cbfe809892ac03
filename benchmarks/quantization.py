"""What int8 and int4 quantization cost in accuracy and calibration, and what a new T repairs.

    python benchmarks/quantization.py [--seeds 5] [--out results.json]

Trains a network of dense layers and a convolutional network on scikit-learn's digits (8 × 8
pixels, 10 classes) with and without label smoothing, quantizes each with `model.quantize`, and
measures the test half before and after. T is fitted on validation examples, once for the model in
floats and once for each quantized model. Prints means over the seeds as a Markdown table. Takes
about a minute on two cores.
"""

import argparse
import json
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import ls_keras

ALPHAS = (0.0, 0.1)
INT4 = keras.quantizers.Int4QuantizationConfig
# Keras's int4 has a scale for each group of 128 inputs by default, or for each output.
MODES: dict[str, Callable[[keras.Model], Any]] = {
    "float32": lambda model: None,
    "int8": lambda model: model.quantize("int8"),
    "int4, groups of 128": lambda model: model.quantize("int4"),
    "int4, per output": lambda model: model.quantize(config=INT4(block_size=-1)),
}


def dense() -> keras.Model:
    hidden = [keras.layers.Dense(256, activation="relu") for _ in range(2)]
    return keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(10, name="logits")])


def convolutional() -> keras.Model:
    """Returns a network whose convolutions stay in floats: Keras quantizes dense layers only."""
    return keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Reshape((8, 8, 1)),
            keras.layers.Conv2D(16, 3, activation="relu"),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10, name="logits"),
        ]
    )


NETWORKS = {"dense": dense, "convolutional": convolutional}


def split(seed: int) -> list[np.ndarray]:
    """Returns 700 training, 199 validation and 898 test examples: x, x, x, y, y, y."""
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, test_size=0.5, random_state=seed)
    rest = train_test_split(x_train, y_train, train_size=700, random_state=seed)
    return [rest[0], rest[1], x_test, rest[2], rest[3], y_test]


def measure(logits: np.ndarray, y: np.ndarray, temperature: float = 1.0) -> dict[str, float]:
    curve = ls_keras.reliability_curve(y, logits / temperature, from_logits=True)
    losses = ls_keras.smoothed_cross_entropy(y, logits / temperature, alpha=0.0, from_logits=True)
    return {
        "error (%)": 100 * float(np.mean(logits.argmax(-1) != y)),
        "ECE": curve.ece,
        "NLL": float(np.mean(keras.ops.convert_to_numpy(losses))),
    }


def train(network: str, alpha: float, seed: int) -> tuple[keras.Model, list[np.ndarray]]:
    keras.utils.set_random_seed(seed)
    data = split(seed)
    model = NETWORKS[network]()
    model.compile("adam", ls_keras.SmoothedCE(alpha, from_logits=True))
    model.fit(data[0], data[3], batch_size=64, epochs=60, verbose=0)
    return model, data


def compare(network: str, alpha: float, seed: int) -> list[dict[str, Any]]:
    """Returns a row for each mode of quantization of one trained network."""
    trained, (_, x_val, x_test, _, y_val, y_test) = train(network, alpha, seed)
    rows: list[dict[str, Any]] = []
    temperature = None
    for mode, quantize in MODES.items():
        model = keras.models.clone_model(trained)
        model.set_weights(trained.get_weights())
        quantize(model)
        fit = ls_keras.fit_temperature(y_val, model.predict(x_val, verbose=0), from_logits=True)
        temperature = temperature or fit.temperature  # that of the model in floats comes first
        logits = model.predict(x_test, verbose=0)
        own = measure(logits, y_test)
        rows.append(
            {
                "network": network,
                "alpha": alpha,
                "weights": mode,
                **own,
                "ECE at the float T": measure(logits, y_test, temperature)["ECE"],
                "ECE at a new T": measure(logits, y_test, fit.temperature)["ECE"],
                "new T": fit.temperature,
            }
        )
    return rows


def summarize(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns means over the seeds, and the standard deviation of the ECE."""
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["network"], row["alpha"], row["weights"]), []).append(row)
    return [
        {
            **dict(zip(("network", "alpha", "weights"), key, strict=True)),
            **{n: statistics.fmean(row[n] for row in group) for n in list(group[0])[3:]},
            "ECE deviation": statistics.pstdev(row["ECE"] for row in group),
        }
        for key, group in groups.items()
    ]


def table(rows: list[dict[str, Any]]) -> str:
    names = list(rows[0])
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    for row in rows:
        cells = (f"{v:.3f}" if isinstance(v, float) and n != "alpha" else v for n, v in row.items())
        lines.append(" | ".join(map(str, cells)))
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rows = [
        row
        for network in NETWORKS
        for alpha in ALPHAS
        for seed in range(arguments.seeds)
        for row in compare(network, alpha, seed)
    ]
    summary = summarize(rows)
    print(table(summary))
    if arguments.out:
        arguments.out.write_text(json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    main()
