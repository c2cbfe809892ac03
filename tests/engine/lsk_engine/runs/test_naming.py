import dataclasses
import itertools
import re

import pytest

from lsk_engine.runs.naming import run_name, unique_paths
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.resolving import resolve_config
from lsk_engine.tasks.registry import load_task


def name(task, settings=None, *, teacher=None, **taught):
    """The name of a new run of a task with these settings."""
    task = load_task(task)
    config = resolve_config(task, None, settings or {})
    if teacher:
        distillation = DistillationConfig(teacher=teacher, teacher_sha256="", **taught)
        config = dataclasses.replace(config, distillation=distillation)
    return run_name(task, config)


@pytest.mark.parametrize(
    ("task", "settings", "expected"),
    [
        ("image", {"data.source": "/photos/flowers"}, "image-flowers-mlp-alpha0-seed0"),
        ("image", {"data.source": "/x/y.v2/"}, "image-y.v2-mlp-alpha0-seed0"),
        ("image", {"data.source": "tfds:cifar10"}, "image-cifar10-mlp-alpha0-seed0"),
        ("image", {"data.source": "/x/digits.npz"}, "image-digits-mlp-alpha0-seed0"),
        ("image", {"data.source": "/x/Blüten im Mai!"}, "image-Bluten-im-Mai-mlp-alpha0-seed0"),
        ("image", {"data.source": "/x/花"}, "image-data-mlp-alpha0-seed0"),
        ("translation", {"training.seed": "3"}, "translation-cldr-alpha0-seed3"),
        (
            "translation",
            {"data.source": "wmt14_translate/de-en"},
            "translation-wmt14_translate-de-en-alpha0-seed0",
        ),
        ("speech", {"data.source": "/an4/all.tsv"}, "speech-all-alpha0-seed0"),
    ],
)
def test_data_and_model_give_the_name(task, settings, expected):
    assert name(task, settings) == expected


def test_code_is_called_by_file_and_function(tmp_path):
    file = tmp_path / "net.py"
    file.write_text("def build_model(): ...\ndef load(): ...\n")
    settings = {"data.source": f"{file}:load", "model.name": f"{file}:build_model"}
    assert name("keras", settings) == "keras-net-load-net-build_model-alpha0-seed0"


def test_a_student_names_its_teacher():
    plain = name("image", teacher="/runs/teacher", teacher_temperature=4.0)
    assert plain == "image-digits-mlp-alpha0-seed0-student-of-teacher-T4-beta1"
    named = name("image", teacher=f"/runs/{name('image')}", beta=0.5)
    assert named.endswith("student-of-digits-mlp-alpha0-seed0-T1-beta0.5")


@pytest.mark.parametrize("source", ["/x/" + "long" * 50, "/x/..", "/x/a:b*c?d", "/", "/x/-"])
def test_every_name_is_a_file_s_and_not_long(source):
    found = name("image", {"data.source": source}, teacher="/x/" + "t" * 200)
    assert re.fullmatch(r"image-[A-Za-z0-9._-]*[A-Za-z0-9]", found)
    assert len(found) <= 120


def test_what_is_there_is_left_out(tmp_path):
    for name in ("run", "run-3"):
        (tmp_path / name).mkdir()
    found = itertools.islice(unique_paths(tmp_path / "run"), 3)
    assert [path.name for path in found] == ["run-2", "run-4", "run-5"]


def test_a_name_with_a_point_keeps_it(tmp_path):
    (tmp_path / "alpha0.1").mkdir()
    assert next(unique_paths(tmp_path / "alpha0.1")).name == "alpha0.1-2"
