"""The one normalization of transcripts: of references, hypotheses and what units are made of."""

import re
import unicodedata

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'"})
_LOOSE_APOSTROPHE = re.compile(r"(?<!\w)'+|'+(?!\w)")


def normalize(text: str) -> str:
    """Brings a transcript into the form that is trained on and scored.

    Unicode form NFKC, lower case; typographic apostrophes become `'` and stay inside words;
    every other character that is no letter, mark or digit becomes a space; spaces are folded.

    Example:
        >>> normalize("“Don’t PANIC”, she said -- 'twice'.")
        "don't panic she said twice"
    """
    text = unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).lower()
    kept = "".join(c if c == "'" or unicodedata.category(c)[0] in "LMN" else " " for c in text)
    return " ".join(_LOOSE_APOSTROPHE.sub(" ", kept).split())
