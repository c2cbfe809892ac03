"""Greedy and beam search over any step function."""

from ls_keras.decoding.compiled import compiled
from ls_keras.decoding.greedy import greedy_search
from ls_keras.decoding.hypotheses import Hypotheses

__all__ = ["Hypotheses", "compiled", "greedy_search"]
