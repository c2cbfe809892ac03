"""Transcribes recordings with the model of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

import lsk_speech.model  # noqa: F401 - registers the layers of the saved model
from ls_base.errors import LsKerasError
from lsk_engine import Config, InputError
from lsk_engine.data.formats.ragged import Ragged
from lsk_engine.devices.distributed_decoding import make_search
from lsk_engine.progress import Reporter
from lsk_engine.runs.run_data import announce_unsmoothing, build_unsmoothing_for_run
from lsk_engine.runs.run_directory import RunDirectory
from lsk_speech.corpora.recordings import read_recording
from lsk_speech.data import frames_of, padded_sound
from lsk_speech.features import Sound
from lsk_speech.network.recognizer import Recognizer
from lsk_speech.source_data import Speech
from lsk_speech.units import UNUSED, load_units

MAX_SECONDS = 600.0  # by default, training has 20 at most


class Transcript(NamedTuple):
    """A transcript and its score in the search."""

    text: str
    score: float


def transcribe_files(
    run: RunDirectory,
    config: Config,
    files: Sequence[Path],
    reporter: Reporter,
    *,
    num_return: int = 1,
) -> list[list[Transcript] | str]:
    """Returns the transcripts of each recording, best first, or an error message.

    Recordings longer than `data.max_seconds` give a warning, as training has no such lengths. If
    features are normalized by speaker, all files count as one speaker's.

    Args:
        run: A finished run.
        config: Its configuration; `config.decoding` has the settings of the search.
        files: WAV or FLAC files, mono.
        reporter: Receives log messages and progress.
        num_return: Transcripts per recording.

    Raises:
        InputError: If the run was trained on precomputed features.
        LsKerasError: If the run's model and units do not fit together.
    """
    artifacts = run.read_artifacts()
    units, sound = load_units(artifacts), Sound.from_artifacts(artifacts)
    if sound.sample_rate is None:
        raise InputError(
            "Expected a run trained on recordings. Received: one trained on precomputed features, "
            "which does not describe how to compute them"
        )
    rate = sound.sample_rate
    heard: list[np.ndarray] = []
    answers: list[list[Transcript] | str] = []
    for file in files:
        try:
            heard.append(_read(file, rate, config.data.max_seconds, reporter))
            answers.append([])
        except InputError as error:
            answers.append(str(error))
    if not heard:
        return answers
    audio = Ragged.of(heard)
    model = run.load_model()
    if model.output_shape[-1] != units.size:
        raise LsKerasError(
            f"Expected a model over the {units.size} units of its run. "
            f"Received: one over {model.output_shape[-1]} classes"
        )
    unknown = [""] * len(heard)
    rows = sound.hear(Speech(audio, unknown, unknown)).rows
    announce_unsmoothing(config, reporter)
    recognizer = make_search(
        Recognizer,
        model,
        config,
        len(heard),
        num_return=num_return,
        unsmooth=build_unsmoothing_for_run(config, run, UNUSED),
    )
    found = recognizer.search_all(
        frames_of(rows, sound.heard_rate),
        lambda chosen, size: recognizer.arguments(
            padded_sound(rows, sound.heard_rate, chosen, size)
        ),
        reporter.counter("transcribing", "recordings"),
        temperature=config.decoding.temperature,
    )
    transcripts = iter(found)
    return [
        answer
        if isinstance(answer, str)
        else [Transcript(units.decode(ids), score) for ids, score, _ in next(transcripts)]
        for answer in answers
    ]


def _read(file: Path, rate: int, longest_heard: float, reporter: Reporter) -> np.ndarray:
    samples = read_recording(file, rate, str(file))
    seconds = len(samples) / rate
    if seconds > MAX_SECONDS:
        raise InputError(
            f"Expected recordings of at most {MAX_SECONDS:g} s (cut them at pauses). "
            f"Received: {file} of {seconds:.0f} s"
        )
    if seconds > longest_heard:
        reporter.warning(
            f"a recording of {seconds:.1f} s is longer than any in training "
            f"({longest_heard:g} s): {file}"
        )
    return samples
