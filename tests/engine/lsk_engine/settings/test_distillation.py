import dataclasses

import pytest

from ls_base.errors import FileError, InputError
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.runs.stored_run import model_sha256, with_teacher
from lsk_engine.settings.distillation import DistillationConfig
from lsk_engine.settings.resolving import resolve_config, restore_config
from tiny_task import TinyTask

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def teacher(tmp_path):
    run = RunDirectory.create(tmp_path / "teacher", resolve_config(TinyTask(), None, {}).to_dict())
    run.model_file.write_bytes(b"abc")
    return run


def test_a_teacher_is_named_by_its_path_and_its_model(teacher, monkeypatch):
    monkeypatch.chdir(teacher.path.parent)
    task = TinyTask()
    plain = resolve_config(task, None, {})
    student = with_teacher("teacher", plain, beta=0.5, teacher_temperature=4.0)
    assert student.distillation == DistillationConfig(
        str(teacher.path), SHA256_OF_ABC, beta=0.5, teacher_temperature=4.0
    )
    assert dataclasses.replace(student, distillation=None) == plain
    assert restore_config(task, student.to_dict()) == student
    assert "distillation" not in plain.to_dict()


def test_an_unfinished_teacher_or_none_is_told(teacher, tmp_path):
    student = resolve_config(TinyTask(), None, {})
    with pytest.raises(FileError, match="Expected a run directory"):
        with_teacher(tmp_path / "nobody", student)
    with pytest.raises(InputError, match="of the student's task, 'other'.*of task 'tiny'"):
        with_teacher(teacher.path, dataclasses.replace(student, task="other"))
    teacher.model_file.unlink()
    with pytest.raises(InputError, match=r"Expected a finished teacher.*without model\.keras"):
        model_sha256(teacher)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 1.1}, r"beta to be a number in \[0, 1\]. Received: 1.1"),
        ({"beta": float("nan")}, r"beta to be a number in \[0, 1\]. Received: nan"),
        ({"teacher_temperature": 0.0}, "teacher_temperature to be a number above 0. Received: 0.0"),
        ({"student_temperature": float("inf")}, "student_temperature .* Received: inf"),
        ({"loss": "kl"}, "to be cross-entropy or squared-logits. Received: 'kl'"),
        ({"loss": "squared-logits", "teacher_temperature": 2.0}, "squared logits at temperatures"),
        ({"loss": "squared-logits", "cache": "c", "top_k": 5}, "squared logits at temperatures"),
        ({"top_k": 5}, "Expected top_k with a cache. Received: top_k=5"),
        ({"cache": "c", "top_k": 0}, "top_k to be an integer of at least 1"),
    ],
)
def test_options_out_of_range_are_refused(teacher, options, message):
    with pytest.raises(InputError, match=message):
        with_teacher(teacher.path, resolve_config(TinyTask(), None, {}), **options)
