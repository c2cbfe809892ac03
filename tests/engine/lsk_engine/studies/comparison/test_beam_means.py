import pytest
from scipy import stats

from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.comparison.beam_means import beam_means
from lsk_engine.studies.comparison.compare_runs import SeedGroup


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


def test_one_run_has_its_own_interval_and_differences_without():
    rows = [row("a", 0.0, b, s, bleu_low=s - 1, bleu_high=s + 1) for b, s in ((1, 30.0), (4, 31.0))]
    _, wide = beam_means(rows, [group("a")], ["bleu"])
    assert (wide["name"], wide["seeds"]) == ("unchanged", 1)
    assert (wide["bleu_low"], wide["bleu_high"]) == (30.0, 32.0)
    assert wide["from_smallest_beam"] == 1.0
    assert wide["from_smallest_beam_low"] is None


def test_another_alpha_than_that_of_the_training_is_told():
    (one,) = beam_means([row("a", 0.05, 4, 30.0)], [group("a")], ["bleu"])
    assert one["name"] == "α = 0.05 undone"


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("x/uniform-seed0", "x/unigram-seed0"), ["uniform", "unigram"]),
        (("x/run-seed0", "y/run-seed0"), ["x/run-seed0", "y/run-seed0"]),
    ],
)
def test_groups_that_read_alike_are_called_by_their_folders(paths, names):
    rows = [row(path, 0.0, 4, 30.0) for path in paths]
    groups = [
        group(path, **{"training.alpha": 0.0, "training.smoothing": name})
        for path, name in zip(paths, ("uniform", "unigram"), strict=True)
    ]
    assert [one["name"] for one in beam_means(rows, groups, ["bleu"])] == names


def test_groups_stand_apart():
    rows = [row("hard", 0.0, 4, 30.0), row("smoothed", 0.0, 16, 31.0)]
    groups = [
        group(name, **{"training.alpha": a}) for name, a in (("hard", 0.0), ("smoothed", 0.1))
    ]
    means = beam_means(rows, groups, ["bleu"])
    assert [(one["name"], one["bleu"]) for one in means] == [("hard", 30.0), ("α 0.1", 31.0)]
    assert all(one["from_smallest_beam"] is None for one in means)
