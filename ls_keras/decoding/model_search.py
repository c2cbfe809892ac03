"""Compiled beam search with a trained model, over inputs of many lengths."""

import abc
import dataclasses
import re
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import keras
import numpy as np
from keras import ops

from ls_base.errors import InputError, LsKerasError
from ls_keras.decoding.beam import beam_search
from ls_keras.decoding.compiled import compiled
from ls_keras.decoding.hypotheses import Scorer
from ls_keras.decoding.search_options import read_unsmooth
from ls_keras.decoding.unsmoothed import Unsmoothing
from ls_keras.inputs.validation import as_count


class DecodedHypothesis(NamedTuple):
    """A hypothesis that a model search returns.

    Attributes:
        tokens: Token ids, without the end token.
        score: The score that ranks it.
        length: Number of tokens, including the end token if there is one.
    """

    tokens: np.ndarray
    score: float
    length: int


class SearchConfig(Protocol):
    """The part of a task's decoding configuration that a search reads.

    Attributes:
        beam_size: Number of live beams; 1 is greedy search.
        length_penalty: Exponent a of ((5 + |y|) / 6)^a.
        batch_size: Number of examples decoded together.
    """

    @property
    def beam_size(self) -> int: ...  # noqa: D102

    @property
    def length_penalty(self) -> float: ...  # noqa: D102

    @property
    def batch_size(self) -> int: ...  # noqa: D102


class ModelSearch(abc.ABC):
    """Decodes batches with a trained model; one program is compiled for each padded length.

    A subclass defines the initial state (`begin`) and a step (`step`), with the layers that its
    constructor takes from the model. Beams, penalty and α are fixed; the temperature is an
    argument of the program, so a sweep over temperatures compiles once.

    Args:
        model: A model whose last layer is named `logits`; layers that `lsk calibrate` appended are
            applied as well.
        config: Search settings; its temperature is ignored.
        num_return: Hypotheses for each example, 1 to `config.beam_size`. Default: 1.
        jit_compile: Whether TensorFlow compiles with XLA. Default: `False`.
        unsmooth: The smoothing that the model was trained with, to be removed. Default: `None`.
        compiler: Compiles a function of tensors, with the arguments of `compiled`.
        at_once: Number of batches that the compiled program decodes together, such as one on each
            device; `search_all` fills them. Default: 1.

    Attributes:
        shortest: Smallest padded length; an even number.
        most_positions: Largest product of rows and padded length of a batch; `None` for no limit.
        pad_token: Id after the end token; never part of a hypothesis.
        start_token: Id before the first token; never part of a hypothesis.
        end_token: Id that ends a hypothesis.

    Raises:
        InputError: If there are fewer beams than hypotheses, or smoothing is to be removed from a
            model that was calibrated with it.
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
        # Layers that `lsk calibrate` appended.
        self.scaling = [layer for layer in model.layers if _SCALING.fullmatch(layer.name)]
        if self.unsmooth is not None and self.scaling:
            raise InputError(
                "Expected an uncalibrated model, whose smoothing can be removed. Received: a model "
                "with a calibration layer after the logits"
            )
        self._search = compiler(self._beams, variables=model.variables, jit_compile=jit_compile)

    @classmethod
    def for_model(
        cls,
        model: keras.Model,
        config: Any,
        *,
        num_return: int = 1,
        unsmooth: Unsmoothing | None = None,
        **options: Any,
    ) -> Self:
        """Returns the cached search of a model, or creates one.

        Each model has one search, so other splits and temperatures use its compiled programs.

        Args:
            model: The model.
            config: Search settings: a dataclass with a field `temperature`.
            num_return: See the constructor.
            unsmooth: See the constructor.
            **options: Other arguments of the constructor, for a new search.
        """
        fixed = dataclasses.replace(config, temperature=1.0)
        known = _SEARCHES.get(model)
        wanted = (fixed, num_return, read_unsmooth(unsmooth))
        if type(known) is cls and (known.config, known.num_return, known.unsmooth) == wanted:
            return known
        search = cls(model, fixed, num_return=num_return, unsmooth=unsmooth, **options)
        _SEARCHES[model] = search
        return search

    @abc.abstractmethod
    def begin(self, *inputs) -> tuple[Any, int]:
        """Returns the state before the first token, with a row for each example, and max_length."""

    @abc.abstractmethod
    def step(self, tokens, state, index) -> tuple[Any, Any]:
        """Returns the inputs of the layer `logits` for the next token, and the next state.

        Args:
            tokens: int32 tensor `(rows,)`.
            state: The state that `begin` or the previous step returned.
            index: int32 scalar: the position of `tokens`.
        """

    def scorer(self) -> Scorer | None:
        """Returns a scorer that replaces the length penalty, or `None`."""
        return None

    def search(
        self, *inputs: np.ndarray, temperature: float = 1.0
    ) -> list[list[DecodedHypothesis]]:
        """Decodes a batch.

        Args:
            *inputs: The arguments of `begin`, with a row for each example.
            temperature: T, which divides the logits. Default: 1.

        Returns:
            At most `num_return` hypotheses for each example, best first.

        Raises:
            LsKerasError: If the model returns NaN.
        """
        found = self._search(*inputs, np.float32(temperature))
        tokens, scores, lengths = (ops.convert_to_numpy(x) for x in found)
        if np.isnan(scores).any():
            raise LsKerasError("Expected finite logits from the model. Received: NaN or infinity")
        return [
            [
                DecodedHypothesis(
                    ids[:length][ids[:length] != self.end_token], float(score), int(length)
                )
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
    ) -> list[list[DecodedHypothesis]]:
        """Decodes examples of any lengths and returns the results in their order.

        Results do not depend on which other examples are decoded; see `padded_batches`.

        Args:
            sizes: Integers `(n,)`: the length of each example.
            inputs: Returns the arguments of `begin` for given rows, padded to a given length.
            progress: Called with the number of decoded examples and their total.
            temperature: T. Default: 1.

        Returns:
            See `search`.
        """
        found: list[list[DecodedHypothesis]] = [[] for _ in sizes]
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
            # With one beam, continuing after the end token would not be greedy search.
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


class PaddedBatch(NamedTuple):
    """Examples that are decoded together.

    Attributes:
        size: Their padded length.
        rows: Their indices.
        filled: `rows`, repeating the first row up to the number of rows of all batches of this
            size, because each number of rows is compiled separately.
    """

    size: int
    rows: np.ndarray
    filled: np.ndarray


def padded_batches(
    sizes: Sequence[int] | np.ndarray,
    batch_size: int,
    *,
    shortest: int,
    most_positions: int | None = None,
    at_once: int = 1,
) -> Iterator[PaddedBatch]:
    """Yields batches of examples with the same padded length, the shortest first.

    The padded length depends on the example alone, so results do not depend on the other examples.

    Args:
        sizes: Integers `(n,)`: the length of each example.
        batch_size: Largest number of rows of a batch.
        shortest: See `padded_size`.
        most_positions: Largest product of rows and padded length of a batch, with at least one
            row; `None`, the default, for no limit.
        at_once: Number of consecutive batches to join into one. Default: 1.

    Example:
        >>> from ls_keras.decoding.model_search import padded_batches
        >>> for size, rows, filled in padded_batches([3, 11, 8], 2, shortest=8):
        ...     print(size, rows.tolist(), filled.tolist())
        8 [0, 2] [0, 2]
        12 [1] [1, 1]
    """
    padded = np.array([padded_size(int(size), shortest) for size in sizes])
    batch_size = min(batch_size, max(len(padded), 1))
    for size in np.unique(padded):
        rows_of_size = np.flatnonzero(padded == size)
        count = batch_size
        if most_positions is not None:
            count = min(batch_size, max(1, most_positions // int(size)))
        count *= at_once
        for start in range(0, len(rows_of_size), count):
            rows = rows_of_size[start : start + count]
            padding = np.repeat(rows[:1], count - len(rows))
            yield PaddedBatch(int(size), rows, np.concatenate([rows, padding]))


def padded_size(size: int, shortest: int) -> int:
    """Returns the padded length of an example of length `size`.

    It is one of s = `shortest`, 3/2 s, 2 s, 3 s, 4 s and so on: few lengths, because each is
    compiled separately, and less than half of an example is padding.

    Args:
        size: Length ≥ 0.
        shortest: An even number.
    """
    power = shortest
    while power < size:
        if size <= power * 3 // 2:
            return power * 3 // 2
        power *= 2
    return power
