"""What every task's decoder does alike: a trained model, compiled, over inputs of many lengths."""

import abc
import dataclasses
import re
import weakref
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError, LsKerasError
from ls_keras.decoding.beam import beam_search
from ls_keras.decoding.compiled import compiled
from ls_keras.decoding.length_penalty import Scorer
from ls_keras.decoding.padded_batches import padded_batches
from ls_keras.decoding.search_options import read_unsmooth
from ls_keras.decoding.unsmoothed import Unsmoothing
from ls_keras.inputs.validation import as_count


class Found(NamedTuple):
    """A hypothesis of a model's search.

    Attributes:
        tokens: Its ids, without the end token.
        score: What it was ranked by.
        length: How many tokens the search counted: the end token, too, where it ended.
    """

    tokens: np.ndarray
    score: float
    length: int


class SearchConfig(Protocol):
    """What a task's decoding configuration says to a search, beside its own settings.

    Attributes:
        beam_size: Live beams; 1 is greedy search.
        length_penalty: Exponent a of ((5 + |y|) / 6)^a.
        batch_size: Examples decoded together.
    """

    @property
    def beam_size(self) -> int: ...  # noqa: D102

    @property
    def length_penalty(self) -> float: ...  # noqa: D102

    @property
    def batch_size(self) -> int: ...  # noqa: D102


class ModelSearch(abc.ABC):
    """A trained model as a decoder of batches; one compiled program for each padded length.

    A subclass says how a search begins (`begin`) and what a step is (`step`), with the layers that
    it took from the model in its constructor. Beams, penalty and α are fixed; the temperature is an
    argument of the program, so that a sweep compiles once.

    Args:
        model: The model, whose last layer is named `logits` (what `lsk calibrate` put behind it is
            searched with).
        config: How to search; its temperature is not read.
        num_return: Hypotheses an example, 1 to `config.beam_size`.
        jit_compile: Whether TensorFlow compiles with XLA.
        unsmooth: The smoothing that the model was trained with, to be undone in the search.
        compiler: What makes a program of a function of tensors, called as `compiled` is.
        at_once: Into how many batches, of rows next to one another, the program that `compiler`
            makes splits what it is given; `search_all` fills as many.

    Attributes:
        shortest: The length that examples are padded to, at least; an even number.
        most_positions: Rows times padded length of a batch, at most; `None`: any number.
        pad_token: Stands behind the end; is never found.
        start_token: Stands before the first token; is never found.
        end_token: Ends a hypothesis.

    Raises:
        InputError: If there are fewer beams than hypotheses wanted, or if smoothing is to be undone
            behind a calibration of the smoothed probabilities.
    """

    shortest: ClassVar[int]
    most_positions: ClassVar[int | None] = None
    pad_token: ClassVar[int]
    start_token: ClassVar[int]
    end_token: ClassVar[int]

    def __init__(
        self,
        model: keras.Model,
        config: SearchConfig,
        *,
        num_return: int = 1,
        jit_compile: bool = False,
        unsmooth: Unsmoothing | None = None,
        compiler: Callable = compiled,
        at_once: int = 1,
    ):
        if not 1 <= num_return <= config.beam_size:
            raise InputError(
                f"Expected 1 to {config.beam_size} hypotheses, the size of the beam. "
                f"Received: {num_return}"
            )
        self.config: Any = config
        self.num_return, self.unsmooth = num_return, read_unsmooth(unsmooth)
        self.at_once = as_count(at_once, "at_once", 1)
        self.logits = model.get_layer("logits")
        # What `lsk calibrate` put behind the logits.
        self.scaling = [layer for layer in model.layers if _SCALING.fullmatch(layer.name)]
        if self.unsmooth is not None and self.scaling:
            raise InputError(
                "Expected a model as it was trained, whose smoothing can be undone. Received: one "
                "with the calibration of its smoothed probabilities behind the logits"
            )
        self._search = compiler(self._beams, variables=model.variables, jit_compile=jit_compile)

    @classmethod
    def of(
        cls,
        model: keras.Model,
        config: Any,
        *,
        num_return: int = 1,
        unsmooth: Unsmoothing | None = None,
        **how: Any,
    ) -> Self:
        """Returns the search of a model, made before or new.

        There is one for a model: the next split and the next temperature find its programs
        compiled.

        Args:
            model: The model.
            config: A dataclass, as the constructor takes it, with a field `temperature` besides.
            num_return: Hypotheses an example.
            unsmooth: As for the constructor.
            **how: What else the constructor takes, for a search that is new.
        """
        fixed = dataclasses.replace(config, temperature=1.0)
        known = _SEARCHES.get(model)
        wanted = (fixed, num_return, read_unsmooth(unsmooth))
        if type(known) is cls and (known.config, known.num_return, known.unsmooth) == wanted:
            return known
        made = cls(model, fixed, num_return=num_return, unsmooth=unsmooth, **how)
        _SEARCHES[model] = made
        return made

    @abc.abstractmethod
    def begin(self, *inputs) -> tuple[Any, int]:
        """Returns the state before the first token, a row an example, and the most tokens."""

    @abc.abstractmethod
    def step(self, tokens, state, index) -> tuple[Any, Any]:
        """Returns what enters the layer `logits` after a token for each row, and the next state.

        Args:
            tokens: int32 tensor `(rows,)`.
            state: As `begin` or the step before returned it.
            index: int32 scalar: how many tokens stand before these.
        """

    def scorer(self) -> Scorer | None:
        """Returns what ranks hypotheses in place of the length penalty, if anything does."""
        return None

    def search(self, *inputs: np.ndarray, temperature: float = 1.0) -> list[list[Found]]:
        """Decodes a batch.

        Args:
            *inputs: The arguments of `begin`, a row an example.
            temperature: T, which divides the logits.

        Returns:
            For each example at most `num_return` hypotheses, best first.

        Raises:
            LsKerasError: If the model emits NaN.
        """
        found = self._search(*inputs, np.float32(temperature))
        tokens, scores, lengths = (ops.convert_to_numpy(x) for x in found)
        if np.isnan(scores).any():
            raise LsKerasError("Expected finite logits from the model. Received: NaN or infinity")
        return [
            [
                Found(ids[:length][ids[:length] != self.end_token], float(score), int(length))
                for ids, score, length in zip(*of_example, strict=True)
                if length
            ]
            for of_example in zip(tokens, scores, lengths, strict=True)
        ]

    def search_all(
        self,
        sizes: Sequence[int] | np.ndarray,
        inputs: Callable[[np.ndarray, int], Sequence[np.ndarray]],
        progress: Callable[[int, int], None],
        *,
        temperature: float = 1.0,
    ) -> list[list[Found]]:
        """Decodes examples of any lengths; the order is kept.

        A batch holds examples of one padded length, which depends on the example alone: what else
        is decoded changes no result.

        Args:
            sizes: Ints `(n,)`: how long each example is.
            inputs: Gives the arguments of `begin` for rows, padded to a length.
            progress: Called with examples done and in all.
            temperature: T.

        Returns:
            As `search`, for each example.
        """
        found: list[list[Found]] = [[] for _ in sizes]
        done = 0
        for size, rows, filled in padded_batches(
            sizes,
            self.config.batch_size,
            shortest=self.shortest,
            most_positions=self.most_positions,
            at_once=self.at_once,
        ):
            of_rows = self.search(*inputs(filled, size), temperature=temperature)
            for row, hypotheses in zip(rows, of_rows, strict=False):
                found[row] = hypotheses
            done += len(rows)
            progress(done, len(sizes))
        return found

    def _beams(self, *arguments):
        *inputs, temperature = arguments
        state, max_length = self.begin(*inputs)
        return beam_search(
            self._logits_after,
            state,
            batch_size=inputs[0].shape[0],
            beam_size=self.config.beam_size,
            num_return=self.num_return,
            max_length=max_length,
            start_token=self.start_token,
            end_token=self.end_token,
            pad_token=self.pad_token,
            length_penalty=self.config.length_penalty,
            scorer=self.scorer(),
            temperature=temperature,
            # A single beam that searched on after its end would not be greedy.
            stop="first" if self.config.beam_size == 1 else "bound",
            forbidden_tokens=(self.pad_token, self.start_token),
            unsmooth=self.unsmooth,
        )

    def _logits_after(self, tokens, state, index):
        x, state = self.step(tokens, state, index)
        for layer in (self.logits, *self.scaling):
            x = layer(x)
        return x, state


_SCALING = re.compile(r"calibrated_logits(_\d+)?")  # as `calibrated` names them
_SEARCHES: weakref.WeakKeyDictionary[keras.Model, ModelSearch] = weakref.WeakKeyDictionary()
