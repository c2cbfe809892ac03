"""Greedy and beam search over any step function."""

from ls_keras.decoding.beam import beam_search
from ls_keras.decoding.compiled import compiled
from ls_keras.decoding.greedy import greedy_search
from ls_keras.decoding.hypotheses import Hypotheses
from ls_keras.decoding.length_penalty import LengthPenalty, Scorer

__all__ = [
    "Hypotheses",
    "LengthPenalty",
    "Scorer",
    "beam_search",
    "compiled",
    "greedy_search",
]
