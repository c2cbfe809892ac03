from lsk_engine.reports.groups import group_runs
from lsk_engine.reports.run_files import read_run
from lsk_engine.runs.run_directory import RunDirectory
from reported_runs import bare_run, config


def read(folder, *names):
    return [read_run(name, folder / name) for name in names]


def test_runs_that_differ_only_in_their_seed_are_one_group(tmp_path):
    for alpha in (0.0, 0.1):
        for seed in range(2):
            bare_run(tmp_path / f"a{alpha:g}-seed{seed}", alpha, seed)
    groups = group_runs(read(tmp_path, "a0-seed0", "a0.1-seed0", "a0-seed1", "a0.1-seed1"))
    assert [(group.label, group.look) for group in groups] == [("hard", 0), ("α 0.1", 1)]
    assert [run.name for run in groups[0].runs] == ["a0-seed0", "a0-seed1"]


def test_a_single_run_is_named_by_its_folder(tmp_path):
    bare_run(tmp_path / "mine")
    (group,) = group_runs(read(tmp_path, "mine"))
    assert group.label == "mine"


def test_groups_with_many_differences_are_named_by_their_folders(tmp_path):
    for name in ("a-seed0", "a-seed1", "b"):
        source = "x" * 50 if name == "b" else "y" * 50
        bare_run(tmp_path / name, seed=int(name[-1] == "1"), data={"source": source})
    groups = group_runs(read(tmp_path, "a-seed0", "a-seed1", "b"))
    assert [group.label for group in groups] == ["a", "b"]


def test_students_of_two_teachers_are_two_groups(tmp_path):
    for teacher in ("hard", "smoothed"):
        for seed in range(2):
            path = tmp_path / f"of-{teacher}-seed{seed}"
            taught = {"distillation": {"teacher": f"/runs/{teacher}-seed{seed}"}}
            RunDirectory.create(path, config(0.0, seed) | taught)
    names = [f"of-{teacher}-seed{seed}" for teacher in ("hard", "smoothed") for seed in range(2)]
    groups = group_runs(read(tmp_path, *names))
    assert [(group.label, len(group.runs)) for group in groups] == [
        *(("student of hard", 2), ("student of smoothed", 2))
    ]


def test_a_run_with_a_damaged_configuration_is_in_no_group(tmp_path):
    run = bare_run(tmp_path / "a")
    run.config_file.write_text("{")
    assert group_runs(read(tmp_path, "a")) == []
