"""Log-mel features and their normalization, as layers of the model."""

import math

import keras
import numpy as np
from keras import ops

from lsk_engine import InputError

# Smallest power of a frame: somewhat above the rounding noise of 16-bit silence.
FLOOR = 1e-6
_REACH = 2  # frames on each side of a difference


@keras.saving.register_keras_serializable(package="ls_keras")
class LogMel(keras.layers.Layer):
    """Logarithms of mel-filtered power spectra, 100 frames per second by default.

    Frame t is centered on the samples `t · hop … (t + 1) · hop`, weighted with a periodic Hann
    window, zeros outside of the utterance. Its features are log max(Σ_f W_mf |X_f|², 1e-6), W
    triangles of height 1 that are evenly spaced on the mel scale 2595 log10(1 + f / 700) from 20 Hz
    to half the sample rate. With `deltas`, first and second differences follow, each

    Δ_t = Σ_n n (x_{t+n} − x_{t−n}) / (2 Σ_n n²), n = 1, 2

    where the first and the last valid frame are repeated at the ends.

    Args:
        sample_rate: Samples per second. Default: 16000.
        num_mel_bins: Number of mel filters. Default: 80.
        frame_ms: Length of the window. Default: 25.
        hop_ms: Distance of frames. Default: 10.
        deltas: Whether to append the differences. Default: `True`.

    Call arguments:
        audio: Float tensor `(batch, samples)`, in [−1, 1] and 0 after the end.
        length: int32 tensor `(batch,)`: valid frames, ⌈samples / hop⌉ of each utterance. Default:
            all.

    Returns:
        A float32 tensor `(batch, ⌈samples / hop⌉, num_mel_bins)`, with three times as many features
        if `deltas`; 0 after `length`.

    Raises:
        InputError: If the window is shorter than the hop, or a mel filter covers no frequency of
            the spectrum.

    Example:
    ```python
    >>> import numpy as np
    >>> from lsk_speech.network.frontend import LogMel
    >>> tuple(LogMel(8000, num_mel_bins=40)(np.zeros((1, 8001), "float32")).shape)
    (1, 101, 120)

    ```
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        num_mel_bins: int = 80,
        *,
        frame_ms: float = 25.0,
        hop_ms: float = 10.0,
        deltas: bool = True,
        **kwargs,
    ):
        kwargs.setdefault("dtype", "float32")  # 16 bits don't hold the range of a power spectrum
        super().__init__(**kwargs)
        self.sample_rate, self.num_mel_bins, self.deltas = sample_rate, num_mel_bins, deltas
        self.frame_ms, self.hop_ms = frame_ms, hop_ms
        self.hop = round(sample_rate * hop_ms / 1000)
        self.window = round(sample_rate * frame_ms / 1000)
        if not 0 < self.hop <= self.window:
            raise InputError(
                "Expected a window of at least the hop, and a hop above 0. "
                f"Received: {self.window} and {self.hop} samples"
            )
        self.fft_size = 2 ** math.ceil(math.log2(self.window))
        self.filters = mel_filters(sample_rate, self.fft_size, num_mel_bins)
        angles = 2 * np.pi * np.arange(self.window) / self.window
        self.hann = (0.5 - 0.5 * np.cos(angles)).astype(np.float32)

    @property
    def features(self) -> int:
        """Number of features of a frame."""
        return 3 * self.num_mel_bins if self.deltas else self.num_mel_bins

    def call(self, audio, length=None):
        """Computes the features."""
        frames = ops.matmul(self._power(audio), self.filters)
        x = ops.log(ops.maximum(frames, FLOOR))
        if length is None:
            length = ops.full((ops.shape(x)[0],), ops.shape(x)[1], dtype="int32")
        if self.deltas:
            first = differences(x, length)
            x = ops.concatenate([x, first, differences(first, length)], axis=-1)
        return without_padding(x, length)

    def _power(self, audio):
        """Returns the power spectra, batch × frames × (fft_size / 2 + 1)."""
        before = (self.window - self.hop) // 2
        hops = -(-self.window // self.hop)  # that a window covers
        frames = -(-ops.shape(audio)[1] // self.hop)
        silence = ops.zeros_like(audio[:, :1])
        x = ops.concatenate(
            [
                ops.repeat(silence, before, axis=1),
                audio,
                ops.repeat(silence, (hops + 1) * self.hop, axis=1),
            ],
            axis=1,
        )[:, : (frames + hops - 1) * self.hop]
        x = ops.reshape(x, (ops.shape(x)[0], -1, self.hop))
        # Overlapping windows are concatenated from pieces of one hop each.
        pieces = [x[:, i : i + frames] for i in range(hops)]
        windows = ops.concatenate(pieces, axis=-1)[..., : self.window] * self.hann
        real, imaginary = ops.rfft(windows, fft_length=self.fft_size)
        return ops.square(real) + ops.square(imaginary)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        names = ("sample_rate", "num_mel_bins", "frame_ms", "hop_ms", "deltas")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="ls_keras")
class UtteranceNormalization(keras.layers.Layer):
    """Gives each feature of each utterance mean 0 and variance 1 over its valid frames.

    (x − mean) / √(variance + ε)

    Args:
        epsilon: ε. Default: 1e-5; constant features become 0.

    Call arguments:
        features: Float tensor `(batch, frames, features)`.
        length: int32 tensor `(batch,)`: valid frames.

    Returns:
        A float32 tensor of the same shape, 0 after `length`.
    """

    def __init__(self, *, epsilon: float = 1e-5, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, features, length):
        """Normalizes a batch."""
        x = without_padding(features, length)
        count = ops.cast(ops.maximum(length, 1), x.dtype)[:, None, None]
        centered = x - ops.sum(x, axis=1, keepdims=True) / count
        centered = without_padding(centered, length)
        variance = ops.sum(ops.square(centered), axis=1, keepdims=True) / count
        return centered * ops.rsqrt(variance + self.epsilon)

    def get_config(self) -> dict:
        """Returns the arguments of the constructor."""
        return {**super().get_config(), "epsilon": self.epsilon}


def mel_filters(sample_rate: int, fft_size: int, num_mel_bins: int) -> np.ndarray:
    """Returns the triangles of `LogMel`, float32 `(fft_size / 2 + 1, num_mel_bins)`.

    Raises:
        InputError: If a filter lies between two frequencies of the spectrum.
    """
    nyquist = sample_rate / 2
    edges = _hertz(np.linspace(_mel(20.0), _mel(nyquist), num_mel_bins + 2))
    frequencies = np.linspace(0.0, nyquist, fft_size // 2 + 1)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    filters = np.maximum(np.minimum(rising, falling), 0.0)
    if (filters.sum(axis=0) == 0).any():
        raise InputError(
            f"Expected fewer mel bands for {sample_rate} samples a second and spectra of "
            f"{fft_size // 2 + 1} frequencies. Received: num_mel_bins={num_mel_bins}, of "
            f"which {int((filters.sum(axis=0) == 0).sum())} cover no frequency"
        )
    return filters.astype(np.float32)


def differences(x, length):
    """Returns the Δ of `LogMel` of `(batch, frames, features)` with `length` valid frames."""
    last = ops.take_along_axis(x, ops.maximum(length, 1)[:, None, None] - 1, axis=1)
    x = ops.where(is_valid(x, length), x, last)
    before, after = [x[:, :1]] * _REACH, [last] * _REACH
    x = ops.concatenate([*before, x, *after], axis=1)
    frames = ops.shape(x)[1] - 2 * _REACH
    total = 0.0
    for n in range(1, _REACH + 1):
        ahead = x[:, _REACH + n : _REACH + n + frames]
        total = total + n * (ahead - x[:, _REACH - n : _REACH - n + frames])
    return total / (2 * sum(n * n for n in range(1, _REACH + 1)))


def is_valid(x, length):
    """Returns a boolean tensor `(batch, frames, 1)`: which frames of `x` are before the end."""
    return (ops.arange(ops.shape(x)[1], dtype="int32") < ops.cast(length, "int32")[:, None])[
        ..., None
    ]


def without_padding(x, length):
    """Returns `x`, `(batch, frames, features)`, with 0 after the end of each utterance."""
    return ops.where(is_valid(x, length), x, ops.zeros_like(x))


def _mel(hertz):
    return 2595.0 * np.log10(1.0 + hertz / 700.0)


def _hertz(mel):
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
