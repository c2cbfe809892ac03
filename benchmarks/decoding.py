"""Times greedy and beam search against keras-hub's samplers, on the same Transformer.

    KERAS_BACKEND=tensorflow python benchmarks/decoding.py [--sizes multi30k-tiny wmt14-base]

Random weights, the end token forbidden and the length fixed, so that every search does the same
number of steps and finds the same hypotheses (checked). The encoder and the keys and values of the
source are computed once a sentence, for both. Both get the same decoder layers with the same
caches; for keras-hub what belongs to the source is repeated for the beams beforehand and kept out
of the cache that it reorders. The figure is sentences per second of the fastest of several calls,
tracing and compilation left out.
"""

import argparse
import dataclasses
import json
import math
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_hub
import numpy as np
from keras import ops
from lsk_translation.config import PRESETS, ModelConfig
from lsk_translation.model import build_transformer

from ls_keras.decoding import beam_search, compiled, greedy_search

PAD, START, END = 0, 1, 2


@dataclasses.dataclass
class Decoder:
    """The decoder of a translation model, a token at a time."""

    model: keras.Model

    def __post_init__(self):
        names = [layer.name for layer in self.model.layers]
        self.layers = [self.model.get_layer(n) for n in names if n.startswith("decoder_")]
        source = next(x for x in self.model.inputs if x.name == "source")
        self.encoder = keras.Model(source, self.model.get_layer("encoded").output)
        self.width = self.model.get_layer("embedding").output_dim

    def embed(self, tokens, index):
        """Embeds tokens `(rows,)` at position `index`."""
        x = self.model.get_layer("embedding")(tokens[:, None]) * math.sqrt(self.width)
        return x + self.model.get_layer("positions")(x, start_index=index)

    def empty_caches(self, batch, length):
        """Returns a cache of keys and values for each layer."""
        heads = self.layers[0].num_heads
        shape = (batch, 2, length, heads, self.width // heads)
        return [ops.zeros(shape) for _ in self.layers]

    def encode(self, source):
        """Returns what every step reads: the encoder's output, its mask, its keys and values."""
        encoded, mask = self.encoder(source, training=False), ops.not_equal(source, PAD)
        batch, length = source.shape
        x, cross = self.embed(ops.full((batch,), START, dtype="int32"), 0), []
        for layer, own, cache in zip(
            self.layers,
            self.empty_caches(batch, 2),
            self.empty_caches(batch, length),
            strict=True,
        ):
            x, _, cache = self.run(layer, x, encoded, mask, own, 0, cache, 0)
            cross.append(cache)
        return {"encoded": encoded, "mask": mask, "cross": cross}

    def run(self, layer, x, encoded, mask, own, index, cross, cross_index):
        """Calls a layer with its caches."""
        return layer(
            x,
            encoded,
            encoder_padding_mask=mask,
            self_attention_cache=own,
            self_attention_cache_update_index=index,
            cross_attention_cache=cross,
            cross_attention_cache_update_index=cross_index,
            training=False,
        )

    def step(self, tokens, source, caches, index):
        """Returns the logits of the next token and the new caches."""
        x, new = self.embed(tokens, index), []
        for layer, own, cross in zip(self.layers, caches, source["cross"], strict=True):
            x, own, _ = self.run(
                layer, x, source["encoded"], source["mask"], own, index, cross, None
            )
            new.append(own)
        decoded = self.model.get_layer("decoded")(x)
        return self.model.get_layer("logits")(decoded)[:, 0], new


def ours(decoder: Decoder, beam: int, length: int):
    def step(tokens, state, index):
        logits, caches = decoder.step(tokens, state["source"], state["caches"], index)
        return logits, {"source": state["source"], "caches": caches}

    def decode(source):
        batch = source.shape[0]
        state = {"source": decoder.encode(source), "caches": decoder.empty_caches(batch, length)}
        common = {
            "batch_size": batch,
            "max_length": length,
            "start_token": START,
            "end_token": END,
            "forbidden_tokens": (END,),
        }
        if beam == 1:
            return greedy_search(step, state, **common).tokens
        found = beam_search(step, state, beam_size=beam, length_penalty=0.0, **common)
        return found.tokens[:, 0]

    return decode


def keras_hubs(decoder: Decoder, beam: int, length: int):
    if beam == 1:
        sampler = keras_hub.samplers.GreedySampler()
    else:
        sampler = keras_hub.samplers.BeamSampler(num_beams=beam)
    forbidden = np.zeros((1, decoder.model.output.shape[-1]), "float32")
    forbidden[0, END] = -1e9

    def decode(source):
        batch = source.shape[0]
        encoded = keras.tree.map_structure(
            lambda x: ops.repeat(x, beam, axis=0) if beam > 1 else x, decoder.encode(source)
        )

        def following(prompt, caches, index):
            tokens = ops.take(prompt, index - 1, axis=1)
            logits, caches = decoder.step(tokens, encoded, caches, index - 1)
            return logits + forbidden, None, caches

        prompt = ops.full((batch, length + 1), START, dtype="int32")
        caches = decoder.empty_caches(batch, length)
        # `model` hands the variables to the loop on JAX; `compiled` does it here.
        return sampler(following, prompt, cache=caches, index=1)[:, 1:]

    return decode


def preset(name: str) -> tuple[ModelConfig, int]:
    settings = next(p for p in PRESETS if p.name == name).settings
    model = {k.removeprefix("model."): v for k, v in settings.items() if k.startswith("model.")}
    return ModelConfig(**model), settings["data.vocabulary_size"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["multi30k-tiny", "wmt14-base"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--modes", nargs="+", choices=["graph", "xla"], default=["graph", "xla"])
    parser.add_argument("--length", type=int, default=24, help="of source and target (24)")
    parser.add_argument("--seconds", type=float, default=4.0, help="spent on a measurement (4)")
    parser.add_argument("--out", type=Path, help="write the results here as JSON")
    args = parser.parse_args()
    backend = keras.config.backend()
    modes = args.modes if backend == "tensorflow" else {"jax": ["xla"], "torch": ["eager"]}[backend]
    results = []
    print(
        f"{'size':14} {'mode':6} {'batch':>5} {'beam':>4} {'ours':>9} {'keras-hub':>9}  sentences/s"
    )
    for size in args.sizes:
        keras.utils.set_random_seed(0)
        model = build_transformer(*preset(size))
        decoder, vocabulary = Decoder(model), model.output.shape[-1]
        for mode in modes:
            for batch in args.batches:
                for beam in args.beams:
                    source = np.random.default_rng(0).integers(3, vocabulary, (batch, args.length))
                    rates = compare(
                        [f(decoder, beam, args.length) for f in (ours, keras_hubs)],
                        source.astype("int32"),
                        variables=model.variables,
                        jit_compile=mode == "xla",
                        seconds=args.seconds,
                    )
                    print(
                        f"{size:14} {mode:6} {batch:5} {beam:4} {rates[0]:9.2f} {rates[1]:9.2f}",
                        flush=True,
                    )
                    row = {"size": size, "backend": backend, "mode": mode, "batch": batch}
                    results.append(row | {"beam": beam, "ours": rates[0], "keras_hub": rates[1]})
    if args.out:
        args.out.write_text(json.dumps(results, indent=2) + "\n")


def compare(functions, source, *, variables, jit_compile, seconds) -> list[float]:
    """Returns sentences per second of each, calls interleaved: a slow moment hits them all."""
    runs = [compiled(f, variables=variables, jit_compile=jit_compile) for f in functions]
    found = [ops.convert_to_numpy(run(source)) for run in runs]
    # Sums of log-probabilities differ in the last bit: near ties may fall either way.
    equal = np.mean([np.array_equal(a, b) for a, b in zip(*found, strict=True)])
    if equal < 0.9:
        raise SystemExit(f"the searches disagree: only {equal:.0%} of the sentences are the same")
    best = [math.inf] * len(runs)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds * len(runs):
        for i, run in enumerate(runs):
            begin = time.perf_counter()
            ops.convert_to_numpy(run(source))
            best[i] = min(best[i], time.perf_counter() - begin)
    return [len(source) / t for t in best]


if __name__ == "__main__":
    main()
