"""The kinds of files that are stored or given, whole, and how the product reads each.

Imported by the processes of `hostile_files`: all that readers need is imported once.
"""

import functools
import gzip
import json
import struct
import zipfile

import keras
import numpy as np
import soundfile
from PIL import Image

import small_speech
import small_translation
import speech_files
from hostile_files import Kind
from ls_base.files import write_json
from ls_base.records import read_record
from ls_base.safe_open import read_bytes
from ls_keras import TeacherLogits
from lsk.support.score_lines import score_table
from lsk_engine.data.fingerprint import StoredFingerprint
from lsk_engine.data.prepared.prepared_data import prepare
from lsk_engine.runs.checkpoints import Checkpoints
from lsk_engine.runs.run_directory import SCHEMA, RunDirectory
from lsk_engine.runs.schemas import Gammas, SweepPoints
from lsk_engine.runs.stored_run import read_fitted_temperature, read_run
from lsk_engine.scoring.position_statistics import COLUMNS, Predictions
from lsk_engine.settings.resolving import resolve_config, setting_keys
from lsk_engine.tasks.registry import load_task
from lsk_image.data import load_source as load_images
from lsk_speech.config import DataConfig as SpeechConfig
from lsk_speech.corpora.recordings import read_recording
from lsk_speech.data import load_source as load_speech
from lsk_speech.features import Sound
from lsk_speech.units import load_units, make_units
from lsk_translation.data import load_source as load_text
from lsk_translation.subwords import SubwordVocabulary
from stored_files import history, metrics
from untrained_run import untrained_run

IMAGE, TEXT, SPEECH = (load_task(name) for name in ("image", "translation", "speech"))
_SETTINGS = {"model.layers": 1, "model.width": 4, "training.batch_size": 16}


# Runs


def _make_run(folder, *, checksums=True):
    run = untrained_run(IMAGE, folder, steps=(3,), **_SETTINGS).directory
    for step in (10, 20, 30):
        run.append_history(history(step))
    scores = {"nll": 1.0, "accuracy": 0.5, "loss": 1.0, "error": 20.0}
    run.write_json(run.metrics_file, metrics({"error": "error"}, validation=scores, test=scores))
    run.write_json(run.calibration_file, {"schema": 1, "method": "temperature", "temperature": 1.5})
    rng = np.random.default_rng(0)
    columns = {name: rng.uniform(0, 1, 40).astype(np.float32) for name in COLUMNS}
    columns["correct"] = columns["correct"].round()
    run.write(run.statistics_file("test"), Predictions(columns, np.arange(40)).to_bytes())
    point = {"search": "abc", "temperature": 1.0, "values": {"error": 20.0}}
    point |= {"labels": {"error": "error"}, "intervals": {"error": (18.0, 22.0)}}
    run.write_json(run.sweep_file("test"), {"points": [point, {**point, "temperature": 2.0}]})
    run.write_json(run.gamma_file, {"model_sha256": "abc", "gamma": {"1": 0.1, "2": 0.2}})
    split = {"examples": 9, "labels": 9, "sha256": "abc"}
    found = {"classes": 2, "class_counts": "abc", "splits": {"train": split, "test": split}}
    found |= {"notes": ["a note"], "label_counts": "4 5", "sizes": ("3 5", "4 5")}
    run.write_json(run.data_file, {"schema": 1, **found})
    units = make_units("words", ["ba be da", "go ka"], 0)
    sound = Sound("log-mel", 8000, num_mel_bins=8, deltas=True, by_speaker=False)
    run.write_artifacts({**units.artifacts, **sound.artifacts})
    if not checksums:
        run.checksums.file.unlink()


def _config(folder):
    return read_run(folder).config.to_dict()


def _metrics(folder):
    found = RunDirectory.open(folder).read_metrics()
    return found.to_dict(), score_table(found.to_dict()), found.first_score("test")


def _statistics(folder):
    run = RunDirectory.open(folder)
    run.checksums.check(run.statistics_file("test"))
    found = Predictions.load(run.statistics_file("test"))
    return found.columns, found.ids, found.metrics()


def _stored(file, kind, schema=None):
    def read(folder):
        run = RunDirectory.open(folder)
        found = run.read(file(run), kind, schema=schema)
        return found if isinstance(found, dict) else found.to_dict()

    return read


def _model(folder):
    IMAGE.import_layers(resolve_config(IMAGE, None, {}))
    return RunDirectory.open(folder).load_model().get_weights()


@functools.cache
def _learner():
    config = resolve_config(IMAGE, None, _SETTINGS)
    model = IMAGE.build_model(config, IMAGE.load_data(config))
    model.compile("adam", "mse")
    return model


def _checkpoint(folder):
    Checkpoints(folder / "checkpoints").restore(_learner())
    return [keras.ops.convert_to_numpy(variable) for variable in _learner().variables]


def _artifacts(folder):
    artifacts = RunDirectory.open(folder).read_artifacts()
    units, sound = load_units(artifacts), Sound.from_artifacts(artifacts)
    return units.names, units.encode("ba zz"), sound.artifacts


_OF_RUNS = {
    "config.json": ("json", _config),
    "metrics.json": ("json", _metrics),
    "calibration.json": ("json", read_fitted_temperature),
    "environment.json": ("json", lambda folder: RunDirectory.open(folder).read_starts()),
    "data.json": ("json", _stored(lambda run: run.data_file, StoredFingerprint, SCHEMA)),
    "evaluation/statistics-test.npz": ("npz", _statistics),
    "evaluation/test-temperature-sweep.json": (
        "json",
        _stored(lambda run: run.sweep_file("test"), SweepPoints),
    ),
    "evaluation/equivalent-smoothing.json": (
        "json",
        _stored(lambda run: run.gamma_file, Gammas),
    ),
    "model.keras": ("keras", _model),
    "artifacts/units.json": ("json", _artifacts),
    "artifacts/sound.json": ("json", _artifacts),
}


def _run_kinds():
    old = functools.partial(_make_run, checksums=False)
    for file, (form, read) in _OF_RUNS.items():
        name = file.rpartition("/")[2]
        yield Kind(name, (file,), _make_run, read, form, protected=True)
        yield Kind(f"{name} (old)", (file,), old, read, form)
    checkpoint = ("checkpoints/step-00000003.npz",)
    yield Kind("checkpoint", checkpoint, _make_run, _checkpoint, "npz", protected=True)
    read_history = lambda folder: RunDirectory.open(folder).read_history()  # noqa: E731
    yield Kind("history.jsonl", ("history.jsonl",), _make_run, read_history, "json")
    yield Kind("checksums.json", ("checksums.json",), _make_run, _metrics, "json", protected=True)


def _make_study(folder):
    folder.mkdir()
    write_json(folder / "study.json", {"schema": 2, "config": {"training": {"alpha": 0.0}}})


def _study(folder):
    return read_record(folder / "study.json", dict, schema=2)


# Prepared data, teachers' logits, sub-words


def _make_prepared(task, make_settings, folder):
    source = folder.with_name(f"{folder.name}-source")
    source.mkdir()
    prepare(task, resolve_config(task, None, make_settings(source)), folder)


def _prepared(task, folder):
    config = resolve_config(task, None, {"data.source": str(folder)})
    data = task.load_data(config)
    found = [np.asarray(data.class_counts), list(data.class_names), dict(data.artifacts)]
    for examples in data.splits.values():
        found += [list(examples.references), *examples.gather(np.arange(len(examples)), None)]
    return found


class _Teacher:
    name = "teacher"

    def predict_on_batch(self, inputs):
        return np.asarray(inputs, np.float32) @ np.ones((4, 3), np.float32)


_X, _Y = np.random.default_rng(0).normal(size=(9, 4)), np.arange(9) % 3


def _make_logits(folder):
    TeacherLogits.compute(folder, _Teacher(), (_X, _Y), top_k=2, teacher_id="run 7")


def _logits(folder):
    return TeacherLogits.open(folder, (_X, _Y), "run 7").gather()


def _make_subwords(folder):
    folder.mkdir()
    vocabulary = SubwordVocabulary.train(["the cat sat", "der Hund saß"] * 9, size=290)
    (folder / "subwords.model").write_bytes(vocabulary.to_bytes())


def _subwords(folder):
    vocabulary = SubwordVocabulary(read_bytes(folder / "subwords.model", max_bytes=1 << 28))
    return vocabulary.pieces, vocabulary.encode(["the Hund"])


# User data


def _text(folder):
    corpus = load_text(str(folder), source_language="en", target_language="de")
    train = corpus.splits["train"]
    vocabulary = SubwordVocabulary.train([*train.source, *train.target], size=330, model_type="bpe")
    return [vocabulary.encode(split.source) for split in corpus.splits.values()]


def _make_packed_text(folder):
    small_translation.write_parallel_text(folder)
    for name in ("train.en", "val.de"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()


def _make_speech(folder):
    speech_files.write_manifest(folder)


def _speech(folder, name=""):
    source = load_speech(SpeechConfig(source=str(folder / name), sample_rate=8000))
    return [[s.rows.flattened(), list(s.texts)] for s in source.splits.values()]


def _make_digits(folder):
    folder.mkdir()
    with zipfile.ZipFile(folder / "digits.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for digit in (1, 2):
            for number in range(12):
                sound = np.sin(np.arange(200 + number))
                soundfile.write(folder / "one.wav", 0.3 * sound, 8000)
                archive.write(folder / "one.wav", f"{digit}_ann_{number}.wav")
    (folder / "one.wav").unlink()


def _digits(folder):
    options = SpeechConfig(source=str(folder), sample_rate=8000, max_train_examples=9)
    return [s.rows.flattened() for s in load_speech(options).splits.values()]


def _make_features(folder):
    small_speech.settings(folder)


def _make_flac(folder):
    folder.mkdir()
    noise = 0.1 * np.random.default_rng(0).normal(size=4000)
    soundfile.write(folder / "x.flac", noise, 8000)


def _flac(folder):
    return read_recording(folder / "x.flac", 16000, "x.flac")


def _make_wav(folder):
    folder.mkdir()
    soundfile.write(folder / "x.wav", 0.3 * np.sin(np.arange(4000) / 9), 8000)


def _wav(folder):
    return read_recording(folder / "x.wav", 16000, "x.wav")


def _pictures(count=6, size=12):
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.integers(0, 20, (count, size, size)), axis=1)
    return np.clip(smooth, 0, 255).astype(np.uint8)


def _make_pictures(suffix, folder):
    for number, picture in enumerate(_pictures()):
        file = folder / ("cat", "dog")[number % 2] / f"{number}{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(file)


def _images(folder, name=""):
    source = load_images(str(folder / name))
    return [
        (split.pixels.gather(np.arange(len(split.labels))), split.labels)
        for split in source.splits.values()
    ]


def _make_idx(folder, packed=False):
    folder.mkdir()
    for prefix, count in (("train", 6), ("t10k", 4)):
        images = _pictures(count)
        for kind, array in (("images", images), ("labels", np.arange(count, dtype=np.uint8) % 2)):
            header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
            content = header + array.tobytes()
            name = f"{prefix}-{kind}-idx{array.ndim}-ubyte"
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)


def _make_arrays(folder):
    folder.mkdir()
    names, labels = np.array(["cat", "dog"]), np.arange(6) % 2
    arrays = {
        "x_train": _pictures(),
        "y_train": labels,
        "x_test": _pictures(4),
        "y_test": labels[:4],
    }
    np.savez(folder / "all.npz", **arrays, class_names=names)


def _make_jpegs(folder):
    _make_pictures(".jpg", folder / "files")
    encoded = [file.read_bytes() for file in sorted((folder / "files").rglob("*.jpg"))]
    offsets = np.cumsum([0, *map(len, encoded)])
    jpeg = np.frombuffer(b"".join(encoded), np.uint8)
    np.savez(folder / "train.npz", jpeg=jpeg, offsets=offsets, labels=np.arange(6) % 2)


# Settings


def _make_settings(folder):
    folder.mkdir()
    lines = [f"{key}=1" for key in setting_keys(IMAGE)]
    (folder / "settings").write_text("\n".join(lines))


def _settings(folder):
    key, equals, value = (folder / "settings").read_text().partition("=")
    if not equals or "\n" in value:
        return None
    config = resolve_config(IMAGE, None, {**_SETTINGS, key: value})
    return json.dumps(config.to_dict())


def _kinds():
    yield from _run_kinds()
    yield Kind("study.json", ("study.json",), _make_study, _study, "json")
    for task, settings, files in (
        (
            TEXT,
            small_translation.settings,
            {
                "json": ("prepared.json", "splits.json"),
                "npy": ("class_counts.npy", "train/source_ids.npy", "test/target_offsets.npy"),
                "text": ("train/references.txt",),
                "bytes": ("subwords.model",),
            },
        ),
        (
            SPEECH,
            small_speech.settings,
            {
                "json": ("prepared.json", "splits.json", "units.json", "sound.json"),
                "npy": ("train/rows.npy", "train/offsets.npy"),
                "text": ("validation/utterances.tsv",),
            },
        ),
    ):
        make = functools.partial(_make_prepared, task, settings)
        for form, of_form in files.items():
            name, read = f"prepared {task.name} {form}", functools.partial(_prepared, task)
            yield Kind(name, of_form, make, read, form, protected=True)
    arrays = ("logits.npy", "classes.npy", "rest.npy")
    yield Kind("teacher's logits", arrays, _make_logits, _logits, "npy", protected=True)
    yield Kind("teacher-logits.json", ("teacher-logits.json",), _make_logits, _logits, "json")
    yield Kind("subwords.model", ("subwords.model",), _make_subwords, _subwords)
    text = small_translation.write_parallel_text
    yield Kind("parallel text", ("train.en", "train.de", "val.en"), text, _text, "text")
    packed = ("train.en.gz", "val.de.gz")
    yield Kind("parallel text, packed", packed, _make_packed_text, _text, "gzip")
    yield Kind("manifest", ("manifest.tsv",), _make_speech, _speech, "table")
    yield Kind("WAV of a manifest", ("0.wav", "5.wav"), _make_speech, _speech, "wav")
    yield Kind("WAV", ("x.wav",), _make_wav, _wav, "wav")
    yield Kind("FLAC", ("x.flac",), _make_flac, _flac, "flac")
    yield Kind("digits.zip", ("digits.zip",), _make_digits, _digits, "zip")
    features = functools.partial(_speech, name="features.npz")
    yield Kind("features.npz", ("features.npz",), _make_features, features, "npz")
    for suffix, form in ((".png", "png"), (".jpg", "bytes")):
        make = functools.partial(_make_pictures, suffix)
        yield Kind(suffix, (f"cat/0{suffix}", f"dog/3{suffix}"), make, _images, form)
    idx = ("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    yield Kind("idx", idx, _make_idx, _images, "idx")
    packed = tuple(f"{name}.gz" for name in idx)
    yield Kind("idx.gz", packed, functools.partial(_make_idx, packed=True), _images, "gzip")
    images = functools.partial(_images, name="all.npz")
    yield Kind("images.npz", ("all.npz",), _make_arrays, images, "npz")
    yield Kind("jpeg.npz", ("train.npz",), _make_jpegs, _images, "npz")
    for name in ("settings", "settings (2)", "settings (3)"):
        yield Kind(name, ("settings",), _make_settings, _settings, "settings")


KINDS = tuple(_kinds())
