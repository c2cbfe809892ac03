import pytest

from ls_base.errors import InputError
from lsk_engine.studies.seed_groups import seed_groups
from reported_runs import bare_run


def test_runs_that_differ_in_their_seed_are_together_in_the_order_of_seeds(tmp_path):
    made = [(0.1, 2), (0.0, 0), (0.1, 0), (0.0, 1)]
    runs = [bare_run(tmp_path / f"{alpha}-{seed}", alpha, seed) for alpha, seed in made]
    smoothed, hard = seed_groups(runs)
    assert smoothed.settings == {"training.alpha": 0.1}
    assert list(smoothed.runs.items()) == [(0, runs[2]), (2, runs[0])]
    assert list(hard.runs.items()) == [(0, runs[1]), (1, runs[3])]


def test_one_group_differs_in_nothing(tmp_path):
    (group,) = seed_groups([bare_run(tmp_path / "a", 0.1, 5)])
    assert (dict(group.settings), list(group.runs)) == ({}, [5])


def test_settings_that_do_not_count_keep_runs_together(tmp_path):
    runs = [
        bare_run(tmp_path / f"{n}", 0.1, n, decoding={"beam_size": n, "other": 1}) for n in (1, 2)
    ]
    assert len(seed_groups(runs)) == 2
    (group,) = seed_groups(runs, without=["decoding.beam_size"])
    assert (dict(group.settings), list(group.runs)) == ({}, [1, 2])


def test_runs_that_cannot_be_grouped_are_refused(tmp_path):
    first = bare_run(tmp_path / "a", 0.1, 0)
    with pytest.raises(InputError, match="one or more different runs"):
        seed_groups([])
    with pytest.raises(InputError, match="one or more different runs"):
        seed_groups([first, first])
    with pytest.raises(InputError, match="differ in a setting or the seed"):
        seed_groups([first, bare_run(tmp_path / "b", 0.1, 0)])
    with pytest.raises(InputError, match="runs of one task"):
        seed_groups([first, bare_run(tmp_path / "c", 0.1, 0, task="other")])
