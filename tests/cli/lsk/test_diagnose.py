"""`lsk diagnose`: files in, a table, JSON and images out; one line about unusable files."""

import json

import numpy as np
import pytest

from diagnosed import predictions
from lsk_processes import lsk

pytestmark = pytest.mark.tensorflow
Y, Z = predictions()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_archive_is_diagnosed_in_80_columns(folder):
    np.savez("logits.npz", y_true=Y, logits=Z, class_names=list("abcd"), x=np.zeros(3))
    done = lsk("diagnose", "logits.npz")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("600 examples, 4 classes")
    assert max(map(len, lines)) <= 80
    assert "the worst is class 'a'" in " ".join(done.stdout.split())
    assert lines[-1] == "Saved: diagnosis.png"
    assert sorted(path.name for path in folder.iterdir()) == [
        "diagnosis.json", "diagnosis.png", "diagnosis.svg", "logits.npz",
    ]  # fmt: skip


@pytest.mark.slow
def test_named_arrays_and_npy_files_give_the_same_diagnosis(folder):
    p = np.exp(Z - Z.max(-1, keepdims=True), dtype=np.float64)
    p /= p.sum(-1, keepdims=True)
    weights = np.linspace(0.5, 2, 600)
    np.savez("a.npz", z=Z, id=Y, y=Y[:2], weights=weights, image=np.arange(600) // 6)
    for name, values in (("y", Y), ("z", Z), ("p", p), ("w", weights)):
        np.save(f"{name}.npy", values)
    options = ("--json", "--bins", 10, "--seed", 3, "--ignore-class", 1, "--ignore-class", 2)
    archive = ("diagnose", "a.npz", "--labels", "id", "--logits", "z", "--weights", "weights")
    files = ("diagnose", "--labels", "y.npy", "--weights", "w.npy")
    runs = [
        lsk(*archive, *options, "--groups", "image", "--output", "grouped.png"),
        lsk(*archive, *options),
        lsk(*files, "--logits", "z.npy", *options),
        lsk(*files, "--probabilities", "p.npy", *options),
    ]
    for done in runs:
        assert done.returncode == 0, done.stderr
    grouped, first, second, of_probabilities = (json.loads(done.stdout) for done in runs)
    assert first == second
    assert first["num_examples"] == np.isin(Y, (0, 3)).sum()
    assert first["num_bins"] == 10
    assert of_probabilities["from_logits"] is False
    assert of_probabilities["nll"]["value"] == pytest.approx(first["nll"]["value"])
    assert grouped["num_groups"] <= 100 < first["num_groups"]
    assert (folder / "grouped.svg").is_file()


BAD = {
    "pickled": {"y": np.array([None, None]), "logits": Z[:2]},
    "not_finite": {"y": Y, "logits": np.where(np.arange(600)[:, None] == 3, np.nan, Z)},
    "short": {"y": Y[:9], "logits": Z},
    "no_probabilities": {"y": Y, "probabilities": Z},
    "two_labels": {"y": Y, "labels": Y, "logits": Z},
    "no_predictions": {"y": Y, "out": Z},
    "both": {"y": Y, "logits": Z, "probabilities": Z},
    "text": {"y": np.array(["a", "b"]), "logits": Z[:2]},
    "flat": {"y": Y, "logits": Z[:, 0]},
    "fractions": {"y": Y + 0.5, "logits": Z},
}


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["pickled.npz"], ["readable file pickled.npz", "Received: Object arrays"]),
        (["not_finite.npz"], ["1 of 600 examples", "--ignore-class, or weights of 0, leave"]),
        (["short.npz"], ["shape (600,)", "shape (9,)", "labels from y, logits from logits in"]),
        (["no_probabilities.npz"], ["sum to 1", "use --logits", "600 of 600"]),
        (["two_labels.npz"], ["Expected one array of labels", "--labels KEY", "labels, y"]),
        (["no_predictions.npz"], ["named logits or probabilities", "--logits KEY", ": y, out"]),
        (["both.npz"], ["Expected one array of predictions", "logits, probabilities"]),
        (["text.npz"], ["Expected y in text.npz to be", "Received: <U1"]),
        (["flat.npz"], ["predictions of shape (..., K)", "(600,)"]),
        (["fractions.npz"], ["Received", "labels from y"]),
        (["short.npz", "--labels", "nope"], ["after --labels", "'nope'; it has y, logits"]),
        (["short.npz", "--logits", "y", "--probabilities", "y"], ["Received: both"]),
        (["y.npy"], ["Expected an .npz file; of .npy files, --labels FILE", "y.npy"]),
        (["--labels", "y.npy"], ["--labels FILE with --logits FILE", "Received: --labels"]),
        ([], ["Expected FILE.npz", "Received: neither"]),
        (["--labels", "y.npy", "--logits", "gone.npy"], ["readable file gone.npy"]),
        (["gone.npz"], ["readable file gone.npz"]),
        (["y.npy.npz"], ["a readable file"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_unusable_arrays_are_refused_in_one_line(folder, arguments, parts):
    for name, arrays in BAD.items():
        if f"{name}.npz" in arguments:
            np.savez(f"{name}.npz", allow_pickle=True, **arrays)
    np.save("y.npy", Y)
    (folder / "y.npy.npz").write_bytes((folder / "y.npy").read_bytes())
    done = lsk("diagnose", *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("Error: Expected ")
    assert done.stderr.count("\n") == 1
    for part in (*parts, "Received: "):
        assert part in done.stderr
    assert not (folder / "diagnosis.png").exists()
