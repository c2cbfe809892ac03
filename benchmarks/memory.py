"""Peak memory of `lsk prepare` and `lsk train` on generated data of any size.

    python benchmarks/memory.py speech --hours 100     # prepare and train, 16 kHz
    python benchmarks/memory.py text --pairs 4500000   # prepare: sub-words, then ids
    python benchmarks/memory.py checkpoint --parameters 50000000

Each command runs in a separate process, whose memory is sampled every 20 ms. Prints anonymous
memory, which the machine must provide, and resident memory, which includes pages of memory-mapped
files that the system can reclaim.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_LSK = "from lsk.main import main; main()"
_CHECKPOINT = """
import sys, keras, numpy as np, pathlib
from lsk_engine.runs.checkpoints import Checkpoints
parameters, folder, saves = int(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
width = int(parameters ** 0.5)
inputs = keras.Input((width,))
model = keras.Model(inputs, keras.layers.Dense(width, use_bias=False, name="logits")(inputs))
model.compile("adam", "mse")
model.optimizer.build(model.trainable_variables)
checkpoints = Checkpoints(folder)
import time
for step in range(saves):
    start = time.perf_counter()
    checkpoints.save(model, step + 1)
    stopped = time.perf_counter() - start
    checkpoints.wait()
    print(f"stopped {stopped:.2f} s of {time.perf_counter() - start:.2f} s", flush=True)
"""


def peak(*command: str) -> tuple[float, float, float, str]:
    """Runs Python; returns peaks of anonymous and of resident memory, GiB, seconds, its output."""
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    anonymous = resident = 0
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        try:
            values = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:  # it has just ended
            break
        anonymous = max(anonymous, int(values.get("RssAnon", "0 kB").split()[0]))
        resident = max(resident, int(values.get("VmHWM", "0 kB").split()[0]))
        time.sleep(0.02)
    output = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{output}")
    return anonymous / 2**20, resident / 2**20, time.monotonic() - start, output


def told(what: str, *command: str) -> None:
    """Prints what a command took."""
    anonymous, resident, seconds, output = peak(*command)
    print(
        f"{what}: {anonymous:.2f} GiB anonymous, {resident:.2f} GiB resident, {seconds:.0f} s",
        flush=True,
    )
    if command[0] is _CHECKPOINT:
        print(*(f"  {line}" for line in output.splitlines() if "stopped" in line), sep="\n")


def write_speech(folder: Path, hours: float) -> None:
    """Writes a manifest of utterances of 8 to 16 seconds: noise of several loudnesses, silence.

    Of 200 recordings, each has many names (hard links): to who reads them, they are as many files.
    """
    import soundfile

    rng = np.random.default_rng(0)
    lengths = rng.integers(8 * 16000, 16 * 16000, 200)
    for i, length in enumerate(lengths):
        noise = rng.normal(size=length) * (0.0, 0.001, 0.05, 0.2)[i % 4]
        soundfile.write(folder / f"of{i}.wav", noise, 16000, subtype="PCM_16")
    words = np.array([f"{a}{b}" for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u", "an")])
    total = int(hours * 3600 * 16000 / lengths.mean())
    with (folder / "manifest.tsv").open("w") as manifest:
        manifest.write("file\ttext\tspeaker\tsplit\n")
        for i in range(total):
            os.link(folder / f"of{i % 200}.wav", folder / f"{i}.wav")
            split = "validation" if i < 50 else "test" if i < 100 else "train"
            text = " ".join(rng.choice(words, 25))
            manifest.write(f"{i}.wav\t{text}\tspeaker{i % 900}\t{split}\n")
    print(f"{total:,} recordings of {hours:g} hours", flush=True)


def speech(options: argparse.Namespace, folder: Path) -> None:
    """Prepares and trains, from the manifest and from what was prepared."""
    (folder / "speech").mkdir()
    write_speech(folder / "speech", options.hours)
    settings = (
        "data.units=characters",
        "data.max_train_examples=none",
        "data.num_mel_bins=40",
        "data.deltas=false",
    )
    data = [f"--set={setting}" for setting in settings]
    small = (
        *("model.encoder_layers=1", "model.encoder_width=16", "model.decoder_width=16"),
        *("model.embedding_width=8", "model.attention_width=8", "model.guided_attention=0"),
        *("training.epochs=none", f"training.steps={options.steps}", "training.batch_size=16"),
        *("training.validate_every=1", "decoding.beam_size=1", "decoding.tokens_per_second=1"),
    )
    train = ["train", "--task=speech", "-q", *(f"--set={setting}" for setting in small)]
    given = [f"--data={folder / 'speech'}", "--set=data.input=waveform", *data]
    prepared = folder / "prepared"
    told("prepare", _LSK, "prepare", "--task=speech", "-q", *given, f"--out={prepared}")
    size = sum(file.stat().st_size for file in prepared.rglob("*") if file.is_file())
    print(f"prepared: {size / 2**30:.1f} GiB", flush=True)
    told("train, prepared", _LSK, *train, f"--data={prepared}", f"--run-dir={folder / 'a'}")
    told("train, manifest", _LSK, *train, *given, f"--run-dir={folder / 'b'}")
    told("evaluate, prepared", _LSK, "evaluate", "-q", str(folder / "a"))


def write_text(folder: Path, pairs: int, words_a_line: int) -> None:
    """Writes parallel text with up to a million different lines."""
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = ["".join(rng.choice(letters, n)) for n in rng.integers(2, 11, 60_000)]
    likely = 1 / np.arange(1, len(words) + 1)
    total = 1_100_000 * words_a_line
    numbers = rng.choice(len(words), total, p=likely / likely.sum())
    for side, shift in (("en", 0), ("de", 777)):
        mean = words_a_line
        lengths = np.random.default_rng(1).integers(mean // 2, mean * 3 // 2 + 1, 1_000_000)
        ends = np.cumsum(lengths)
        lines = [
            " ".join([words[n - shift] for n in numbers[end - size : end]]) + "\n"
            for end, size in zip(ends.tolist(), lengths.tolist(), strict=True)
        ]
        for split, count in (("train", pairs), ("validation", 1000), ("test", 1000)):
            with (folder / f"{split}.{side}").open("w") as file:
                for start in range(0, count, len(lines)):
                    file.writelines(lines[: count - start])


def text(options: argparse.Namespace, folder: Path) -> None:
    """Prepares: reads, trains sub-words, encodes, writes."""
    (folder / "text").mkdir()
    write_text(folder / "text", options.pairs, options.words)
    size = sum(file.stat().st_size for file in (folder / "text").iterdir())
    print(f"{options.pairs:,} pairs, {size / 2**30:.2f} GiB of text", flush=True)
    settings = (f"data.vocabulary_size={options.vocabulary}", "data.subwords=bpe")
    given = [f"--set={setting}" for setting in settings]
    command = ["prepare", "--task=translation", "-q", f"--data={folder / 'text'}", *given]
    told("prepare", _LSK, *command, f"--out={folder / 'prepared'}")


def checkpoint(options: argparse.Namespace, folder: Path) -> None:
    """Saves a model with Adam's state: 12 bytes a parameter."""
    arguments = (str(options.parameters), str(folder))
    told("without a checkpoint", _CHECKPOINT, *arguments, "0")
    told("two checkpoints", _CHECKPOINT, *arguments, "2")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("speech", "text", "checkpoint"))
    parser.add_argument("--hours", type=float, default=100)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--pairs", type=int, default=4_500_000)
    parser.add_argument("--words", type=int, default=25, help="in a line of text, on the mean")
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--parameters", type=int, default=50_000_000)
    parser.add_argument("--folder", help="where temporary files go")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        globals()[options.what](options, Path(folder))


if __name__ == "__main__":
    main()
