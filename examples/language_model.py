"""A small causal language model of keras-hub, trained without its logits.

A GPT-2 of two layers, built from its configuration, learns Python's own reference manual, which
comes with Python (`pydoc_data`), in 8,000 sub-words. With 16 windows of 128 tokens a step, its
logits would take 63 MiB, and as much again for their gradient and every tensor in between;
`FusedLogits` holds those of a chunk. The same weights then predict as an ordinary Keras model.

    python examples/language_model.py --epochs 3

Takes minutes on two cores (`--epochs 1 --windows 32` to see it run); on PyTorch set
KERAS_BACKEND=torch, on JAX KERAS_BACKEND=jax. The last line is a continuation: that of a model that
has read 450 KB of text.
"""

import argparse
import io

import keras
import keras_hub
import numpy as np

import ls_keras


def main() -> None:
    """Trains, scores and continues a sentence."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--alpha", type=float, default=0.1, help="smoothing (0.1)")
    parser.add_argument("--vocabulary", type=int, default=8000, help="sub-words (8,000)")
    parser.add_argument("--length", type=int, default=128, help="tokens in a window (128)")
    parser.add_argument("--windows", type=int, help="windows to train on (all)")
    parser.add_argument("--width", type=int, default=128, help="features of a token (128)")
    options = parser.parse_args()
    keras.utils.set_random_seed(0)

    tokenizer, ids = tokenized(manual(), options.vocabulary)
    count = (len(ids) - 1) // options.length
    x = ids[: count * options.length].reshape(count, -1)
    y = ids[1 : count * options.length + 1].reshape(count, -1)
    held_out = slice(0, None, 10)
    x_train, y_train = (np.delete(part, held_out, axis=0)[: options.windows] for part in (x, y))

    training, model = models(options)
    training.compile(keras.optimizers.AdamW(3e-3, global_clipnorm=1.0))
    training.fit([x_train, y_train], batch_size=16, epochs=options.epochs, verbose=2)

    unsmoothed = ls_keras.SmoothedCE(0.0, from_logits=True)
    model.compile(loss=unsmoothed, metrics=[ls_keras.Perplexity(from_logits=True)])
    scores = model.evaluate(x[held_out], y[held_out], batch_size=16, verbose=0, return_dict=True)
    print(f"perplexity of held-out windows: {scores['perplexity']:.1f}")
    print(continued(model, tokenizer, "The following example shows", options.length))


def models(options: argparse.Namespace) -> tuple[keras.Model, keras.Model]:
    """Returns the model to train, of tokens and labels, and that of logits; one set of weights."""
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=options.vocabulary,
        num_layers=2,
        num_heads=4,
        hidden_dim=options.width,
        intermediate_dim=4 * options.width,
        max_sequence_length=options.length,
    )
    tokens, labels = (keras.Input((options.length,), dtype="int32") for _ in range(2))
    hidden = backbone({"token_ids": tokens, "padding_mask": keras.ops.ones_like(tokens)})
    head = ls_keras.TiedLogits(backbone.token_embedding, name="logits")
    fused = ls_keras.FusedLogits(head, options.alpha)
    return keras.Model([tokens, labels], fused(hidden, labels)), keras.Model(tokens, head(hidden))


def manual() -> str:
    """Returns the reference manual that `help()` of Python's prompt shows."""
    from pydoc_data import topics

    return "\n\n".join(topics.topics.values())


def tokenized(text: str, vocabulary: int):
    """Returns a tokenizer trained on the text, and the text's ids."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.splitlines()),
        model_writer=model,
        vocab_size=vocabulary,
        model_type="bpe",
        minloglevel=2,
    )
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return tokenizer, np.array(tokenizer.encode(text), "int32")


def continued(model: keras.Model, tokenizer, text: str, length: int, more: int = 20) -> str:
    """Returns a text with the likeliest next tokens, one after the other."""
    ids = tokenizer.encode(text)
    for _ in range(min(more, length - len(ids))):
        window = np.zeros((1, length), "int32")
        window[0, : len(ids)] = ids
        logits = keras.ops.convert_to_numpy(model(window, training=False))
        ids.append(int(logits[0, len(ids) - 1].argmax()))
    return tokenizer.decode(ids)


if __name__ == "__main__":
    main()
