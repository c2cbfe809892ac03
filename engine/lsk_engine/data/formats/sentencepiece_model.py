"""Trains and loads SentencePiece models, for any task's sub-words."""

import io
import re
from collections.abc import Iterable, Mapping

from ls_base.errors import InputError, MissingExtraError


def train_model(lines: Iterable[str], size: int, ids: Mapping[str, int], **options) -> bytes:
    """Trains a SentencePiece model; text is not normalized.

    Deterministic: one thread and no sampling.

    Args:
        lines: Lines of text.
        size: Number of ids, special ones included; the model has fewer if the text gives fewer.
        ids: The ids of `pad_id`, `unk_id`, `bos_id` and `eos_id`.
        options: Further options of SentencePiece's trainer.

    Returns:
        The bytes of the model.

    Raises:
        InputError: If the text or the size does not suffice.
    """
    model = io.BytesIO()
    try:
        _sentencepiece().SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=model,
            vocab_size=size,
            hard_vocab_limit=False,
            normalization_rule_name="identity",
            num_threads=1,
            minloglevel=2,
            **ids,
            **options,
        )
    except (RuntimeError, OSError) as error:
        required = re.search(r"required_chars\. \d+ vs (\d+)", str(error))
        if required:
            fixed = "4 special ids" + (" and 256 bytes" if options.get("byte_fallback") else "")
            raise InputError(
                f"Expected data.vocabulary_size of at least {required.group(1)} (the text's "
                f"characters, {fixed}). Received: {size}"
            ) from error
        raise InputError(
            "Expected text and data.vocabulary_size that sub-words can be trained with. "
            f"Received: {size}: {error}"
        ) from error
    return model.getvalue()


def load_model(model: bytes, ids: Mapping[str, int]):
    """Loads a SentencePiece model.

    Args:
        model: The bytes of the model.
        ids: The ids that it must have, as for `train_model`.

    Returns:
        A `SentencePieceProcessor`.

    Raises:
        InputError: If the bytes are not such a model.
    """
    try:
        if not model:  # SentencePiece accepts these as a model that is loaded later
            raise RuntimeError("no bytes")
        processor = _sentencepiece().SentencePieceProcessor(model_proto=bytes(model))
        processor.id_to_piece(list(range(processor.get_piece_size())))
        found = {name: getattr(processor, name)() for name in ids}
    except (RuntimeError, ValueError) as error:  # ValueError: pieces that are not UTF-8
        raise InputError(
            "Expected subwords.model to be the bytes of a SentencePiece model. "
            f"Received: {len(model)} other bytes"
        ) from error
    if found != dict(ids):
        raise InputError(
            f"Expected subwords.model with the ids {_list(ids)}. Received: {_list(found)}"
        )
    return processor


def _list(ids: Mapping[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in ids.items())


def _sentencepiece():
    try:
        import sentencepiece
    except ImportError as error:  # pragma: no cover - the extra is installed where tests run
        raise MissingExtraError(
            "Expected sentencepiece: pip install 'ls-keras[translation]' or 'ls-keras[speech]'. "
            f"Received: {error}"
        ) from error
    return sentencepiece
