"""Greedy and beam search with any step function."""

from ls_keras.decoding.beam import beam_search
from ls_keras.decoding.compiled import compiled
from ls_keras.decoding.greedy import greedy_search
from ls_keras.decoding.hypotheses import Hypotheses, LengthPenalty, Scorer
from ls_keras.decoding.model_search import ModelSearch
from ls_keras.decoding.unsmoothed import Unsmoothing, unsmoothed_log_probs

__all__ = [
    "Hypotheses",
    "LengthPenalty",
    "ModelSearch",
    "Scorer",
    "Unsmoothing",
    "beam_search",
    "compiled",
    "greedy_search",
    "unsmoothed_log_probs",
]


def __dir__() -> list[str]:
    return __all__
