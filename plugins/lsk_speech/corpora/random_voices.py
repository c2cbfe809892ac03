"""Voices that nobody has: random settings for a variant of eSpeak NG.

The library brings some sixty variants that differ in earnest. A recognizer that has heard only
them knows those, and not what a vocal tract can do: it errs on the next one. So training draws
variants of its own, from ranges that hold what variant files hold.
"""

import numpy as np

_FORMANTS = range(9)  # 0: a low one of voiced sounds; 1 … 3 tell vowels apart; the others are fixed


def made_variant(rng: np.random.Generator) -> str:
    """Draws the text of a variant file.

    A vocal tract of its own length scales all formants alike; each moves by itself too, and has a
    strength and width of its own. Pitch follows the tract loosely: short ones speak high. Breath,
    echo, tremor, another source of the voice (`klatt`) and a tone control come now and then.

    Args:
        rng: Makes the draws.

    Returns:
        Lines of settings, as eSpeak NG's documentation of voice files has them.
    """
    tract = np.exp(rng.normal(0.02, 0.12))
    base = np.clip(105 * np.exp(2.2 * np.log(tract) + rng.normal(0, 0.25)), 50, 260)
    pitch = [base, base * rng.uniform(1.1, 1.9)]
    lines = [
        _line("pitch", pitch),
        _line("flutter", [rng.integers(0, 9)]),
        _line("roughness", [rng.integers(0, 5)]),
        _line("voicing", [np.clip(100 * np.exp(rng.normal(0, 0.5)), 25, 250)]),
        _line("consonants", 100 * np.exp(rng.normal(0, 0.3, 2))),
    ]
    for formant in _FORMANTS:
        apart = rng.normal(0, 0.03 if formant == 0 else 0.1)
        height, width = 100 * np.exp(rng.normal(0, (0.3, 0.25)))
        if formant > 3 and rng.random() < 0.3:  # some files all but switch these off
            height *= 0.2
        lines.append(_line(f"formant {formant}", [100 * tract * np.exp(apart), height, width]))
    if rng.random() < 0.3:
        lines.append(_line("breath", rng.uniform(0, 6, 8)))
    if rng.random() < 0.3:
        lines.append(_line("echo", [rng.integers(10, 151), rng.integers(5, 81)]))
    if rng.random() < 0.3:
        lines.append(_line("stressAmp", rng.uniform(14, 30, 8)))
    if rng.random() < 0.3:
        hertz, gains = (100, 600, 1200, 2000, 3000), rng.uniform(20, 256, 5)
        lines.append(_line("tone", np.stack([hertz, gains], axis=1).ravel()))
    if rng.random() < 0.2:
        lines.append(_line("klatt", [rng.integers(1, 7)]))
    return "\n".join(lines) + "\n"


def _line(key: str, values) -> str:
    return " ".join([key, *(str(round(float(value))) for value in values)])
