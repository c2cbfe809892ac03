"""Runs with scores known by hand; none is trained."""

import json
import shutil

import pytest
from scipy import stats

from ls_base.errors import FileError, InputError
from lsk_engine.reports.score_tables import comparison
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.compare_runs import SeedGroup, beam_means, compare_runs, group_by_seed
from reported_runs import bare_run
from stored_files import CONFIG, metrics


def run(folder, name, *, alpha=0.0, seed=0, bleu=20.0, nll=1.0, split="test", **parts):
    training = {"alpha": alpha, "seed": seed}
    made = RunDirectory.create(folder / name, {**CONFIG, "training": training, **parts})
    scores = {"bleu": bleu, "nll": nll}
    made.write_json(made.metrics_file, metrics({"bleu": "BLEU"}, **{split: scores}))
    return made


@pytest.fixture
def runs(tmp_path):
    """Differences of BLEU by seed: 1, 2, 3; the smoothed runs have one seed more."""
    hard = [run(tmp_path, f"h{s}", seed=s, bleu=20 + s) for s in (2, 0, 1)]
    smooth = [run(tmp_path, f"s{s}", alpha=0.1, seed=s, bleu=21 + 2 * s) for s in range(4)]
    return [*hard, *smooth]


def test_runs_that_differ_only_in_their_seed_form_a_group(runs):
    found = compare_runs(runs)
    assert [dict(group.settings) for group in found.groups] == [
        {"training.alpha": 0.0},
        {"training.alpha": 0.1},
    ]
    assert [list(group.runs) for group in found.groups] == [[0, 1, 2], [0, 1, 2, 3]]
    assert found.labels == {"bleu": "BLEU", "nll": "NLL (nats)"}
    mean, low, high = found.difference("bleu", found.groups[1])
    half = 4.302653 / 3**0.5  # t of two degrees of freedom; differences 1, 2, 3 deviate by 1
    assert (mean, low, high) == pytest.approx((2, 2 - half, 2 + half))


def taught_by(teacher, temperature):
    """Returns the distillation settings of a student of a teacher with a seed."""
    return {
        "teacher": f"/somewhere/{teacher}",
        "teacher_sha256": teacher,
        "teacher_temperature": temperature,
        "beta": 1.0,
    }


def test_students_are_grouped_by_teacher_whatever_its_seed(tmp_path, runs):
    students = [
        run(
            tmp_path,
            f"t{t}-{s}",
            seed=s,
            bleu=30 + t,
            distillation=taught_by(f"a0.1-seed{s}", t),
        )
        for t in (1.0, 2.0)
        for s in (0, 1)
    ]
    found = compare_runs([*runs[:3], *students])
    assert [list(group.runs) for group in found.groups] == [[0, 1, 2], [0, 1], [0, 1]]
    (means, _) = comparison(found)
    assert [row[0].text for row in means.rows()] == [
        "no teacher",
        "student of a0.1, T 1",
        "student of a0.1, T 2",
    ]


def test_tables_and_json_have_the_same_numbers(runs):
    found = compare_runs(runs)
    means, differences = comparison(found)
    assert [[cell.text for cell in row] for row in means.rows()] == [
        ["hard", "3", "21.00", "1.000"],
        ["α 0.1", "4", "24.00", "1.000"],
    ]
    (row,) = differences.rows()
    assert [cell.text for cell in row][:3] == ["α 0.1", "3", "+2.00 [−0.48, +4.48]"]
    assert "Student’s t" in differences.note
    values = json.loads(json.dumps(found.to_dict()))
    assert values["groups"][1]["differences"]["bleu"][0] == 2
    assert values["groups"][1]["scores"]["bleu"]["3"] == 27
    assert "differences" not in values["groups"][0]


def test_without_a_shared_seed_there_is_no_difference(tmp_path):
    pair = [run(tmp_path, "a", seed=1), run(tmp_path, "b", alpha=0.1, seed=2)]
    found = compare_runs(pair)
    (row,) = list(comparison(found))[1].rows()
    assert [cell.text for cell in row] == ["α 0.1", "0", "–", "–"]
    assert found.to_dict()["groups"][1]["differences"]["bleu"] == [None, None, None]
    (means,) = comparison(compare_runs(pair[:1]))
    assert means.rows()[0][0].text == "all"
    (group,) = group_by_seed(pair[:1])
    assert (dict(group.settings), list(group.runs)) == ({}, [1])


def test_scores_that_a_run_lacks_are_left_out(tmp_path, runs):
    other = run(tmp_path, "other", alpha=0.2)
    other.write_json(other.metrics_file, metrics({"chrf": "chrF"}, test={"nll": 1.0, "chrf": 1.0}))
    assert compare_runs([*runs, other]).labels == {"nll": "NLL (nats)"}


def test_runs_whose_data_have_changed_are_not_paired(runs):
    def write_fingerprint(run, sha256, train="a"):
        splits = {
            name: {"examples": 1, "labels": 1, "sha256": digest}
            for name, digest in (("test", sha256), ("train", train))
        }
        state = {"schema": 1, "classes": 2, "class_counts": "1 1", "splits": splits}
        run.write_json(run.data_file, state)

    for one in runs:
        write_fingerprint(one, "a", train=one.path.name)  # other splits do not matter
    assert len(compare_runs(runs).groups) == 2
    write_fingerprint(runs[-2], "b")
    with pytest.raises(InputError, match=r"the same test split; .*changed.*Received: .*h2 .*s2"):
        compare_runs(runs)


def test_runs_that_cannot_be_compared_are_refused(tmp_path, runs):
    with pytest.raises(InputError, match="one or more different runs"):
        compare_runs([runs[0], runs[0]])
    with pytest.raises(InputError, match="one or more different runs"):
        compare_runs([])
    with pytest.raises(InputError, match="differ in a setting or the seed.*same.*h2"):
        compare_runs([*runs, run(tmp_path, "same", seed=2)])
    with pytest.raises(InputError, match="runs of one task. Received: other, tiny"):
        compare_runs([*runs, run(tmp_path, "task", task="other")])
    with pytest.raises(InputError, match="a split that all runs have;.*dev has dev. .*'test'"):
        compare_runs([*runs, run(tmp_path, "dev", alpha=0.3, split="dev")])
    unfinished = RunDirectory.create(tmp_path / "new", CONFIG)
    with pytest.raises(InputError, match="finished runs.*--resume.*new, which has no scores yet"):
        compare_runs([*runs, unfinished])
    (runs[0].path / "metrics.json").write_text("[]")
    with pytest.raises(FileError, match="metrics.json"):
        compare_runs(runs)


@pytest.mark.parametrize("key", ["distillation.teacher", "training.init_from"])
def test_teachers_and_initial_runs_are_compared_by_their_settings(tmp_path, key):
    for sweep, seed, width in (("narrow", 0, 8), ("narrow", 1, 8), ("wide", 1, 9)):
        bare_run(tmp_path / sweep / f"alpha0.1-seed{seed}", 0.1, seed, model={"width": width})

    def run(name, of):
        seed = int(name[-1])
        training, other = {"alpha": 0.0, "seed": seed}, str(tmp_path / of)
        if key == "training.init_from":
            initial = {"init_from": other, "init_sha256": of}
            return bare_run(tmp_path / name, training={**training, **initial})
        options = {"teacher": other, "teacher_sha256": of, "beta": 1.0}
        return bare_run(tmp_path / name, training=training, distillation=options)

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


def row(run, undone, beam_size, bleu, **more):
    found = {"run": run, "alpha": 0.1, "undone_alpha": undone, "beam_size": beam_size}
    return {**found, "bleu": bleu, "ratio": bleu / 40, **more}


def group(*runs, **settings):
    return SeedGroup(settings, {seed: RunDirectory(run) for seed, run in enumerate(runs)})


def test_means_over_seeds_have_students_intervals_and_paired_differences():
    scores = {"a": (30.0, 28.0, 30.5, 31.0), "b": (32.0, 30.5, 32.0, 32.5)}
    searches = [(0.0, 4), (0.0, 16), (0.1, 4), (0.1, 16)]
    rows = [
        row(run, *search, value)
        for run, values in scores.items()
        for search, value in zip(searches, values, strict=True)
    ]
    means = beam_means(rows, [group("a", "b", **{"training.alpha": 0.1})], ["bleu", "ratio"])
    assert [(one["undone_alpha"], one["beam_size"], one["seeds"]) for one in means] == [
        (*search, 2) for search in searches
    ]
    assert [one["name"] for one in means] == ["α 0.1"] * 2 + ["α 0.1, undone"] * 2
    first, wide, undone, both = means
    expected = stats.ttest_1samp([30.0, 32.0], 0).confidence_interval()
    assert first["bleu"] == 31.0
    assert (first["bleu_low"], first["bleu_high"]) == pytest.approx(tuple(expected))
    assert first["ratio"] == pytest.approx(31 / 40)
    assert first["from_smallest_beam"] is first["from_undoing"] is None
    expected = stats.ttest_rel([28.0, 30.5], [30.0, 32.0]).confidence_interval()
    assert wide["from_smallest_beam"] == -1.75
    assert (wide["from_smallest_beam_low"], wide["from_smallest_beam_high"]) == pytest.approx(
        tuple(expected)
    )
    assert undone["from_smallest_beam"] is None
    assert undone["from_undoing"] == 0.25
    assert (both["from_smallest_beam"], both["from_undoing"]) == (0.5, 2.5)


def test_a_single_run_keeps_its_interval_over_examples():
    rows = [row("a", 0.0, b, s, bleu_low=s - 1, bleu_high=s + 1) for b, s in ((1, 30.0), (4, 31.0))]
    _, wide = beam_means(rows, [group("a")], ["bleu"])
    assert (wide["name"], wide["seeds"]) == ("unchanged", 1)
    assert (wide["bleu_low"], wide["bleu_high"]) == (30.0, 32.0)
    assert wide["from_smallest_beam"] == 1.0
    assert wide["from_smallest_beam_low"] is None


def test_another_removed_alpha_than_the_runs_own_is_named():
    (one,) = beam_means([row("a", 0.05, 4, 30.0)], [group("a")], ["bleu"])
    assert one["name"] == "α = 0.05 undone"


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("x/uniform-seed0", "x/unigram-seed0"), ["uniform", "unigram"]),
        (("x/run-seed0", "y/run-seed0"), ["x/run-seed0", "y/run-seed0"]),
    ],
)
def test_groups_with_the_same_heading_are_named_by_their_folders(paths, names):
    rows = [row(path, 0.0, 4, 30.0) for path in paths]
    groups = [
        group(path, **{"training.alpha": 0.0, "training.smoothing": name})
        for path, name in zip(paths, ("uniform", "unigram"), strict=True)
    ]
    assert [one["name"] for one in beam_means(rows, groups, ["bleu"])] == names


def test_groups_are_averaged_separately():
    rows = [row("hard", 0.0, 4, 30.0), row("smoothed", 0.0, 16, 31.0)]
    groups = [
        group(name, **{"training.alpha": a}) for name, a in (("hard", 0.0), ("smoothed", 0.1))
    ]
    means = beam_means(rows, groups, ["bleu"])
    assert [(one["name"], one["bleu"]) for one in means] == [("hard", 30.0), ("α 0.1", 31.0)]
    assert all(one["from_smallest_beam"] is None for one in means)
