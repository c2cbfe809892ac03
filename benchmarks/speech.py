"""Times the speech recognizer: a training step against PyTorch, decoding against the clock.

    python benchmarks/speech.py [--preset spoken-words] [--batch 64] [--seconds 1.5]

- **Training step**: forward, gradients, clipping and Adam on a batch of log-mel features, ours as
  Keras compiles it and the same network in PyTorch (its own LSTMs on packed sequences, a loop in
  Python over the tokens), with the same weights: that both compute the same loss is checked first.
  Without dropout or other noise. Milliseconds, the fastest of several, interleaved.
- **Decoding**: the real-time factor, seconds of processing per second of sound, from waveforms and
  from log-mel features, greedy and with 4 beams. Weights are random and the end token never comes,
  so every search takes as many steps: three words a second.

PyTorch (`pip install 'ls-keras[benchmarks]'`) may be missing; its column says so. Threads are the
frameworks' own choice: pin both with `taskset` and `OMP_NUM_THREADS`, `TF_NUM_INTRAOP_THREADS`.
"""

import argparse
import dataclasses
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

from lsk_speech.config import PRESETS, DecodingConfig, ModelConfig
from lsk_speech.model import halvings, listen
from lsk_speech.network.frontend import LogMel, UtteranceNormalization
from lsk_speech.network.recognizer import Recognizer
from lsk_speech.units import END_ID, START_ID

SAMPLE_RATE, CLASSES, WORDS_A_SECOND = 16000, 137, 3


def preset(name: str) -> tuple[ModelConfig, dict]:
    """Returns a preset's network, without noise, and its settings."""
    settings = next(p for p in PRESETS if p.name == name).settings
    model = {k.removeprefix("model."): v for k, v in settings.items() if k.startswith("model.")}
    quiet = {"dropout": 0.0, "weight_noise": 0.0, "num_time_masks": 0, "num_freq_masks": 0}
    return ModelConfig(**{**model, **quiet, "guided_attention": 0.0}), settings


def build(config: ModelConfig, bands: int, deltas: bool, *, waveform: bool) -> keras.Model:
    length = keras.Input((), dtype="int32", name="length")
    target = keras.Input((None,), dtype="int32", name="target")
    if waveform:
        sound = keras.Input((None,), name="audio")
        x = LogMel(SAMPLE_RATE, bands, deltas=deltas, name="log_mel")(sound, length)
    else:
        sound = x = keras.Input((None, bands * (3 if deltas else 1)), name="features")
    x = UtteranceNormalization(name="normalized")(x, length)
    logits = listen(x, length, target, config, CLASSES, 0)
    return keras.Model({sound.name: sound, "length": length, "target": target}, logits)


def batch_of(rows: int, seconds: float, features: int, tokens: int) -> tuple[dict, np.ndarray]:
    """Returns a batch of noise, lengths between three quarters of `seconds` and all."""
    rng = np.random.default_rng(0)
    frames = round(100 * seconds)
    length = rng.integers(frames * 3 // 4, frames + 1, rows).astype(np.int32)
    x = rng.normal(size=(rows, frames, features)).astype(np.float32)
    x *= (np.arange(frames) < length[:, None])[..., None]
    target = rng.integers(END_ID + 2, CLASSES, (rows, tokens)).astype(np.int32)
    target[:, 0] = START_ID
    labels = rng.integers(END_ID + 2, CLASSES, (rows, tokens)).astype(np.int32)
    return {"features": x, "length": length, "target": target}, labels


def our_step(model: keras.Model, inputs: dict, labels: np.ndarray) -> Callable[[], float]:
    model.compile(
        keras.optimizers.Adam(1e-3, global_clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return lambda: float(model.train_on_batch(inputs, labels))


def torch_step(
    model: keras.Model, config: ModelConfig, inputs: dict, labels: np.ndarray
) -> Callable[[], float]:
    """Returns a step of the same network in PyTorch, with the weights of `model`."""
    import torch
    from torch.nn import functional as F
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    def weight(value):
        return torch.nn.Parameter(torch.tensor(np.array(ops.convert_to_numpy(value))))

    def weights(name):
        return [weight(v) for v in model.get_layer(name).trainable_variables]

    def copied(module, pairs):
        with torch.no_grad():
            for name, value in pairs.items():
                getattr(module, name).copy_(value)
        return module

    class Recognizer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            made: dict[str, torch.nn.Module] = {}
            for i in range(config.convolutions):
                kernel, bias = weights(f"convolution_{i}")
                layer = torch.nn.Conv1d(kernel.shape[1], kernel.shape[2], 3, 2, 1)
                pairs = {"weight": kernel.permute(2, 1, 0), "bias": bias}
                made[f"convolution_{i}"] = copied(layer, pairs)
                made[f"convolution_{i}_normalized"] = self.norm(f"convolution_{i}_normalized")
            for i in range(config.encoder_layers):
                pairs = {}
                for name, suffix in (("forward", ""), ("backward", "_reverse")):
                    kernel, recurrent, bias = weights(f"encoder_{i}_{name}")
                    pairs |= {
                        f"weight_ih_l0{suffix}": kernel.T,
                        f"weight_hh_l0{suffix}": recurrent.T,
                        f"bias_ih_l0{suffix}": bias,
                        f"bias_hh_l0{suffix}": torch.zeros_like(bias),
                    }
                units = config.encoder_width
                lstm = torch.nn.LSTM(kernel.shape[0], units, bidirectional=True, batch_first=True)
                made[f"encoder_{i}"] = copied(lstm, pairs)
                made[f"encoder_{i}_normalized"] = self.norm(f"encoder_{i}_normalized")
            decoder = model.get_layer("decoder")
            kernel, recurrent, bias = (weight(v) for v in decoder.cell.trainable_variables)
            pairs = {"weight_ih": kernel.T, "weight_hh": recurrent.T, "bias_ih": bias}
            cell = torch.nn.LSTMCell(kernel.shape[0], config.decoder_width)
            made["cell"] = copied(cell, {**pairs, "bias_hh": torch.zeros_like(bias)})
            self.made = torch.nn.ModuleDict(made)
            self.embedding = weight(decoder.embedding.embeddings)
            self.attention = torch.nn.ParameterDict(
                {v.name: weight(v) for v in decoder.attention.trainable_variables}
            )
            self.kernel, self.bias = weights("logits")

        def norm(self, name):
            scale, shift = weights(name)
            layer = torch.nn.LayerNorm(scale.shape[0], eps=model.get_layer(name).epsilon)
            return copied(layer, {"weight": scale, "bias": shift})

        def forward(self, x, length, target):
            x, length = self.encode(x, length)
            a = self.attention
            valid = torch.arange(x.shape[1]) < length[:, None]
            keys = x @ a["key_kernel"] + a["bias"]
            attended = x.new_zeros(x.shape[:2])
            context = x.new_zeros(x.shape[0], x.shape[2])
            state = (x.new_zeros(x.shape[0], config.decoder_width),) * 2
            filters = a["convolution"].permute(2, 1, 0)
            embedded, out = self.embedding[target], []
            for n in range(target.shape[1]):
                state = self.made["cell"](torch.cat([embedded[:, n], context], 1), state)
                inner = keys + (state[0] @ a["query_kernel"])[:, None]
                located = F.conv1d(attended[:, None], filters, padding="same").transpose(1, 2)
                energies = torch.tanh(inner + located @ a["location_kernel"]) @ a["score"]
                energies = energies[..., 0].masked_fill(~valid, -torch.inf)
                given = torch.softmax(energies, 1)
                context, attended = (given[:, None] @ x)[:, 0], attended + given
                out.append(torch.cat([state[0], context], 1))
            return torch.stack(out, 1) @ self.kernel + self.bias

        def encode(self, x, length):
            for i in range(config.convolutions):
                x = self.made[f"convolution_{i}"](x.transpose(1, 2)).transpose(1, 2)
                x = F.relu(self.made[f"convolution_{i}_normalized"](x))
                length = (length + 1) // 2
                x = x * (torch.arange(x.shape[1]) < length[:, None])[..., None]
            for i in range(config.encoder_layers):
                packed = pack_padded_sequence(x, length, batch_first=True, enforce_sorted=False)
                x, _ = pad_packed_sequence(self.made[f"encoder_{i}"](packed)[0], batch_first=True)
                x = self.made[f"encoder_{i}_normalized"](x)
                x = x * (torch.arange(x.shape[1]) < length[:, None])[..., None]
                if i < config.pyramid_layers:
                    x = F.pad(x, (0, 0, 0, x.shape[1] % 2))
                    x = x.reshape(x.shape[0], -1, 2 * x.shape[2])
                    length = (length + 1) // 2
            return x, length

    peer = Recognizer()
    optimizer = torch.optim.Adam(peer.parameters(), 1e-3, eps=1e-7)
    normalized = model.get_layer("normalized")(inputs["features"], inputs["length"])
    x = torch.tensor(np.array(ops.convert_to_numpy(normalized)))
    length = torch.tensor(inputs["length"]).long()
    target, wanted = torch.tensor(inputs["target"]).long(), torch.tensor(labels).long()

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(peer(x, length, target).flatten(0, 1), wanted.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    return step


def fastest(found: dict[str, Callable], seconds: float) -> dict[str, float]:
    """Returns the seconds of the fastest call of each, calls interleaved."""
    best = dict.fromkeys(found, math.inf)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds * len(found):
        for name, call in found.items():
            begin = time.perf_counter()
            call()
            best[name] = min(best[name], time.perf_counter() - begin)
    return best


def training(config: ModelConfig, bands: int, deltas: bool, args) -> dict[str, float]:
    model = build(config, bands, deltas, waveform=False)
    inputs, labels = batch_of(args.batch, args.seconds, model.inputs[0].shape[-1], args.tokens)
    found, missing = {"ours": our_step(model, inputs, labels)}, None
    try:
        found["PyTorch"] = torch_step(model, config, inputs, labels)
    except ModuleNotFoundError as error:
        missing = error.name
    losses = {name: [step() for _ in range(3)] for name, step in found.items()}
    for other in losses.values():
        if not np.allclose(other, losses["ours"], rtol=1e-3):
            raise SystemExit(f"the networks differ: losses {losses}")
    best = fastest(found, args.time)
    shown = ", ".join(f"{name} {1e3 * value:.0f} ms" for name, value in best.items())
    print(f"training step, {args.batch} × {args.seconds:g} s × {args.tokens} tokens: {shown}")
    if missing:
        print(
            f"PyTorch: not timed, no module named {missing!r} (pip install 'ls-keras[benchmarks]')"
        )
    return best


def decoding(config: ModelConfig, bands: int, deltas: bool, args) -> dict[str, float]:
    found = {}
    for waveform in (True, False):
        model = build(config, bands, deltas, waveform=waveform)
        kernel, bias = model.get_layer("logits").get_weights()
        bias[END_ID] = -1e9
        model.get_layer("logits").set_weights([kernel, bias])
        inputs, _ = batch_of(args.batch, args.seconds, bands * (3 if deltas else 1), 2)
        if waveform:
            samples = round(SAMPLE_RATE * args.seconds)
            noise = np.random.default_rng(0).uniform(-0.1, 0.1, (args.batch, samples))
            inputs = {"audio": noise.astype(np.float32), "length": inputs["length"]}
        for beam in args.beams:
            options = DecodingConfig(
                beam_size=beam, tokens_per_second=WORDS_A_SECOND, token_margin=1
            )
            recognizer = Recognizer(model, options)
            recognizer.recognize(inputs)  # compiles
            what = f"{'waveforms' if waveform else 'log-mel'}, {beam} beam{'s' * (beam > 1)}"
            found[what] = lambda r=recognizer, x=inputs: r.recognize(x)
    sound = args.batch * args.seconds
    best = {name: value / sound for name, value in fastest(found, args.time).items()}
    for name, value in best.items():
        print(f"decoding {args.batch} × {args.seconds:g} s from {name}: {value:.4f} × real time")
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="spoken-words")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each utterance (1.5)")
    parser.add_argument("--tokens", type=int, default=6, help="of each, the end counted (6)")
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--time", type=float, default=5.0, help="seconds for each figure (5)")
    parser.add_argument("--out", type=Path, help="write the results here as JSON")
    args = parser.parse_args()
    keras.utils.set_random_seed(0)
    config, settings = preset(args.preset)
    bands, deltas = settings.get("data.num_mel_bins", 80), settings.get("data.deltas", True)
    print(
        f"{keras.config.backend()}, {args.preset}: {bands} bands{' + Δ + ΔΔ' * deltas}, frames ÷ "
        f"{2 ** halvings(config)}, {os.cpu_count()} cores"
    )
    results = {
        "model": dataclasses.asdict(config),
        "training_step_seconds": training(config, bands, deltas, args),
        "real_time_factor": decoding(config, bands, deltas, args),
    }
    if args.out:
        args.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
