"""Slow checks of what the documentation states: `python benchmarks/verify.py [FOLDER]`.

Trains the default translation task and holds its test BLEU to 65 and the held-out phrases to 95 %
right, the default image task, its test
error to 3 %, and the default speech task, its test WER to 12 % (above 50 % with attention forced to
be uniform). Trains both ImageNet presets for a step at 299 × 299, on generated images in a TFDS
folder. With a FOLDER that holds `multi30k/` (`train.en`, `train.de`, `val.*`, `test*.*`, plain or
.gz) it also trains an epoch of the preset `multi30k-tiny` and translates with it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

LSK = [sys.executable, "-m", "lsk"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        results = train(Path(folder) / "cldr", "--alpha", "0.1")
        check("default, test BLEU", results["test"]["bleu"], least=65)
        check("default, phrases right in percent", results["phrases"]["right"], least=95)
        results = train(Path(folder) / "digits", task="image")
        accuracy = 100 - results["test"]["top_1_error"]
        check("digits, test accuracy in percent", accuracy, least=97)
        results = train(Path(folder) / "speech", task="speech")
        check("speech, 100 − test WER in percent", 100 - results["test"]["wer"], least=88)
        uniform = ("--set", "model.attention=uniform")
        results = train(Path(folder) / "uniform", *uniform, task="speech")
        check("speech with uniform attention, test WER", results["test"]["wer"], least=50)
        imagenet(Path(folder))
        if len(sys.argv) > 1:
            run = Path(folder) / "multi30k"
            data = str(Path(sys.argv[1]) / "multi30k")
            results = train(run, "--preset", "multi30k-tiny", "--data", data, "--epochs", "1")
            check(
                "multi30k-tiny, 1 epoch, validation perplexity", results["validation"]["perplexity"]
            )
            text = "A man is riding a bike.\n\nTwo dogs run.\n"
            done = lsk("translate", str(run), "-q", input=text)
            lines = done.split("\n")
            if len(lines) != 4 or lines[1]:
                raise SystemExit(f"Expected three lines, the second blank. Received: {lines}")
            print(done, end="")


def imagenet(folder: Path) -> None:
    """Trains the ImageNet presets for a step, as the real data would be read."""
    import numpy as np
    import tensorflow_datasets as tfds

    rng = np.random.default_rng(0)
    counts = {"train": 6, "validation": 2, "test": 2}
    version = str(tfds.builder("imagenet2012", data_dir=folder).version)
    tfds.dataset_builders.store_as_tfds_dataset(
        name="imagenet2012",
        version=version,
        data_dir=folder,
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(num_classes=1000),
            }
        ),
        split_datasets={
            split: [
                (
                    i,
                    {
                        "image": rng.integers(0, 256, (375, 500, 3), dtype=np.uint8),
                        "label": -1 if split == "test" else int(rng.integers(1000)),
                    },
                )
                for i in range(count)
            ]
            for split, count in counts.items()
        },
        file_format="array_record",
    )
    os.environ["TFDS_DATA_DIR"] = str(folder)
    # As the preset, but for what a CPU lacks: bfloat16, the patience to compile, memory.
    smaller = [
        "data.validation=2",
        "training.batch_size=2",
        "training.precision=float32",
        "training.jit_compile=false",
        "decoding.batch_size=2",
    ]
    settings = [word for setting in smaller for word in ("--set", setting)]
    for name in ("v3", "v4"):
        preset = f"imagenet-inception-{name}"
        arguments = ("--preset", preset, "--steps", "1", "--alpha", "0.1", *settings)
        results = train(folder / name, *arguments, task="image")
        check(f"{preset}, 1 step, test NLL", results["test"]["nll"])


def train(run: Path, *arguments: str, task: str = "translation") -> dict:
    command = ["train", "--task", task, "--run-dir", str(run), "--json", *arguments]
    return json.loads(lsk(*command))


def lsk(*arguments: str, input: str = "") -> str:  # noqa: A002 - as subprocess calls it
    return subprocess.run(
        [*LSK, *arguments], check=True, stdout=subprocess.PIPE, text=True, input=input
    ).stdout


def check(what: str, value: float, least: float = 0.0) -> None:
    print(f"{what}: {value:.2f}")
    if value < least:
        raise SystemExit(f"Expected {what} of at least {least}. Received: {value:.2f}")


if __name__ == "__main__":
    main()
