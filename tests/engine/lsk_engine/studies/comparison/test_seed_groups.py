import shutil

import pytest

from ls_base.errors import InputError
from lsk_engine.studies.comparison.compare_runs import group_by_seed
from reported_runs import bare_run


def test_runs_that_differ_only_in_their_seed_form_a_group(tmp_path):
    made = [(0.1, 2), (0.0, 0), (0.1, 0), (0.0, 1)]
    runs = [bare_run(tmp_path / f"{alpha}-{seed}", alpha, seed) for alpha, seed in made]
    smoothed, hard = group_by_seed(runs)
    assert smoothed.settings == {"training.alpha": 0.1}
    assert list(smoothed.runs.items()) == [(0, runs[2]), (2, runs[0])]
    assert list(hard.runs.items()) == [(0, runs[1]), (1, runs[3])]


def test_a_single_group_has_no_different_settings(tmp_path):
    (group,) = group_by_seed([bare_run(tmp_path / "a", 0.1, 5)])
    assert (dict(group.settings), list(group.runs)) == ({}, [5])


@pytest.mark.parametrize("key", ["distillation.teacher", "training.init_from"])
def test_teachers_and_initial_runs_are_compared_by_their_settings(tmp_path, key):
    for sweep, seed, width in (("narrow", 0, 8), ("narrow", 1, 8), ("wide", 1, 9)):
        bare_run(tmp_path / sweep / f"alpha0.1-seed{seed}", 0.1, seed, model={"width": width})

    def run(name, of):
        seed = int(name[-1])
        training, other = {"alpha": 0.0, "seed": seed}, str(tmp_path / of)
        if key == "training.init_from":
            begun = {"init_from": other, "init_sha256": of}
            return bare_run(tmp_path / name, training={**training, **begun})
        taught = {"teacher": other, "teacher_sha256": of, "beta": 1.0}
        return bare_run(tmp_path / name, training=training, distillation=taught)

    first = run("a0", "narrow/alpha0.1-seed0")
    alike, other = run("a1", "narrow/alpha0.1-seed1"), run("b1", "wide/alpha0.1-seed1")
    beyond = {"distillation.teacher": "teacher", "training.init_from": "init_from"}[key]
    for setting, values in (("model.width", (8, 9)), ("folder", ("narrow", "wide"))):
        (group,) = group_by_seed([first, alike])
        assert list(group.runs) == [0, 1]
        groups = group_by_seed([first, other])
        assert [group.settings.keys() for group in groups] == [{f"{beyond}.{setting}"}] * 2
        for group, value in zip(groups, values, strict=True):
            assert str(group.settings[f"{beyond}.{setting}"]).endswith(str(value))
        for sweep in ("narrow", "wide"):  # elsewhere now
            shutil.rmtree(tmp_path / sweep, ignore_errors=True)


def test_ignored_settings_do_not_split_a_group(tmp_path):
    runs = [
        bare_run(tmp_path / f"{n}", 0.1, n, decoding={"beam_size": n, "other": 1}) for n in (1, 2)
    ]
    assert len(group_by_seed(runs)) == 2
    (group,) = group_by_seed(runs, without=["decoding.beam_size"])
    assert (dict(group.settings), list(group.runs)) == ({}, [1, 2])


def test_runs_that_cannot_be_grouped_are_refused(tmp_path):
    first = bare_run(tmp_path / "a", 0.1, 0)
    with pytest.raises(InputError, match="one or more different runs"):
        group_by_seed([])
    with pytest.raises(InputError, match="one or more different runs"):
        group_by_seed([first, first])
    with pytest.raises(InputError, match="differ in a setting or the seed"):
        group_by_seed([first, bare_run(tmp_path / "b", 0.1, 0)])
    with pytest.raises(InputError, match="runs of one task"):
        group_by_seed([first, bare_run(tmp_path / "c", 0.1, 0, task="other")])
