"""Times greedy and beam search against keras-hub, Hugging Face and CTranslate2, on one network.

    KERAS_BACKEND=tensorflow python benchmarks/decoding.py [--sizes multi30k-tiny wmt14-base]

Random weights, the end token forbidden and the length fixed, so that every search does the same
number of steps. The encoder and the keys and values of the source are computed once a sentence.

- **ours** and **keras-hub** search the same Keras model through the same decoder layers and caches
  (and find the same hypotheses, which is checked); for keras-hub what belongs to the source is
  repeated for the beams beforehand and kept out of the cache that it reorders. On TensorFlow both
  run as a graph and compiled by XLA.
- **HF** is `generate` of transformers on a MarianMT of the same dimensions (PyTorch, eager).
- **CT2** is CTranslate2 with that MarianMT converted, float32: the fastest CPU engine, to show what
  could be had.

The last two need `pip install 'ls-keras[benchmarks]'`; without it their columns say so. The figure
is sentences per second of the fastest of several calls, interleaved so that a slow moment hits
all, tracing and compilation left out.
"""

import argparse
import dataclasses
import itertools
import json
import math
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_hub
import numpy as np
from keras import ops

from ls_keras.decoding import beam_search, compiled, greedy_search
from lsk_translation.config import PRESETS, ModelConfig
from lsk_translation.model import build_transformer

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


def marian(config: ModelConfig, vocabulary: int):
    """Returns a MarianMT of the same dimensions, its weights random."""
    import torch
    import transformers

    torch.manual_seed(0)
    sides = {
        f"{side}_{key}": value
        for side in ("encoder", "decoder")
        for key, value in (
            ("layers", config.layers),
            ("attention_heads", config.heads),
            ("ffn_dim", config.feedforward),
        )
    }
    settings = transformers.MarianConfig(
        vocab_size=vocabulary,
        d_model=config.width,
        max_position_embeddings=512,
        activation_function="relu",
        scale_embedding=True,
        pad_token_id=PAD,
        eos_token_id=END,
        bos_token_id=None,
        decoder_start_token_id=START,
        forced_eos_token_id=None,
        **sides,
    )
    return transformers.MarianMTModel(settings).eval()


def hugging_face(model, beam: int, length: int) -> Callable:
    import torch

    def decode(source):
        with torch.inference_mode():
            found = model.generate(
                input_ids=torch.from_numpy(source).long(),
                attention_mask=torch.ones(source.shape, dtype=torch.long),
                num_beams=beam,
                do_sample=False,
                length_penalty=0.0,
                min_new_tokens=length,
                max_new_tokens=length,
            )
        return found[:, 1:].numpy()

    return decode


def ctranslate(model, beam: int, length: int, folder: Path) -> Callable:
    import ctranslate2
    from ctranslate2.converters.transformers import MarianMTLoader

    class Vocabulary:
        """What the converter asks of a tokenizer."""

        eos_token, unk_token = f"t{END}", f"t{START}"

        def get_vocab(self):
            last = model.config.vocab_size - 1  # Marian's padding, which the converter cuts off
            return {**{f"t{i}": i for i in range(last)}, "<pad>": last}

    if not (folder / "model.bin").exists():
        spec = MarianMTLoader()(model, Vocabulary())
        spec.validate()
        spec.optimize(quantization=None)
        spec.save(str(folder))
    translator = ctranslate2.Translator(
        str(folder), "cpu", compute_type="float32", intra_threads=os.cpu_count() or 1
    )

    def decode(source):
        found = translator.translate_batch(
            [[f"t{i}" for i in row] for row in source.tolist()],
            beam_size=beam,
            length_penalty=0.0,
            min_decoding_length=length,
            max_decoding_length=length,
        )
        return np.asarray([[int(t[1:]) for t in row.hypotheses[0]] for row in found])

    return decode


def contenders(
    model: keras.Model, config: ModelConfig, beam: int, args: argparse.Namespace, folder: Path
) -> tuple[dict[str, Callable], dict[str, str]]:
    """Returns what is to be timed by column, and the packages that others lack."""
    decoder, found, missing = Decoder(model), {}, {}
    for mode in args.modes:
        for name, search in (("ours", ours), ("keras-hub", keras_hubs)):
            found[f"{name} {mode}"] = compiled(
                search(decoder, beam, args.length),
                variables=model.variables,
                jit_compile=mode == "xla",
            )
    try:
        peer = marian(config, model.output.shape[-1])
        found["HF"] = hugging_face(peer, beam, args.length)
        found["CT2"] = ctranslate(peer, beam, args.length, folder)
    except ModuleNotFoundError as error:
        missing = {n: str(error.name) for n in ("HF", "CT2") if n not in found}
    return found, missing


def main() -> None:
    backend = keras.config.backend()
    modes = {"tensorflow": ["graph", "xla"], "jax": ["xla"], "torch": ["eager"]}[backend]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", default=["multi30k-tiny", "wmt14-base"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 32])
    parser.add_argument("--beams", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--modes", nargs="+", choices=modes, default=modes)
    parser.add_argument("--length", type=int, default=24, help="of source and target (24)")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each of a row (4)")
    parser.add_argument("--out", type=Path, help="write the results here as JSON")
    args = parser.parse_args()
    columns = [f"{name} {mode}" for mode in args.modes for name in ("ours", "keras-hub")]
    columns += ["HF", "CT2"]
    print(f"{backend}, sentences/s")
    print("".join([f"{'size':14} {'batch':>5} {'beam':>4}", *(f"{c:>16}" for c in columns)]))
    results, missing = [], {}
    for size in args.sizes:
        keras.utils.set_random_seed(0)
        config, vocabulary = preset(size)
        model = build_transformer(config, vocabulary)
        with tempfile.TemporaryDirectory() as folder:
            for batch in args.batches:
                source = np.random.default_rng(0).integers(3, vocabulary, (batch, args.length))
                for beam in args.beams:
                    found, missing = contenders(model, config, beam, args, Path(folder))
                    rates = compare(found, source.astype("int32"), args.length, args.seconds)
                    shown = (f"{rates[c]:16.2f}" if c in rates else f"{'-':>16}" for c in columns)
                    print("".join([f"{size:14} {batch:5} {beam:4}", *shown]), flush=True)
                    row = {"size": size, "backend": backend, "batch": batch, "beam": beam}
                    results.append(row | {"sentences_per_second": rates})
    for column, package in missing.items():
        print(
            f"{column}: not timed, no module named {package!r} (pip install 'ls-keras[benchmarks]')"
        )
    if args.out:
        args.out.write_text(json.dumps(results, indent=2) + "\n")


def compare(
    found: dict[str, Callable], source: np.ndarray, length: int, seconds: float
) -> dict[str, float]:
    """Returns sentences per second of each, calls interleaved."""
    tokens = {name: ops.convert_to_numpy(decode(source)) for name, decode in found.items()}
    for name, rows in tokens.items():
        if rows.shape != (len(source), length):
            raise SystemExit(f"{name} did other work: tokens of shape {rows.shape}")
    keras_ones = [rows for name, rows in tokens.items() if " " in name]
    # Sums of log-probabilities differ in the last bit: near ties may fall either way.
    equal = [(a == b).all(1).mean() for a, b in itertools.combinations(keras_ones, 2)]
    if min(equal, default=1) < 0.9:
        raise SystemExit(f"the searches disagree: only {min(equal):.0%} of the sentences are equal")
    best = dict.fromkeys(found, math.inf)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds * len(found):
        for name, decode in found.items():
            begin = time.perf_counter()
            ops.convert_to_numpy(decode(source))
            best[name] = min(best[name], time.perf_counter() - begin)
    return {name: len(source) / t for name, t in best.items()}


if __name__ == "__main__":
    main()
