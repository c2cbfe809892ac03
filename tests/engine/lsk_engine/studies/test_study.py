"""Studies as data: what they expand into, and what is refused. Nothing is trained."""

import re

import pytest

from ls_base.errors import FileError, InputError
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.study import Study, arms_of, base_config, read_study
from lsk_engine.tasks.registry import load_task

ALPHAS = {"training.alpha": (0, 0.05, 0.1)}


@pytest.fixture(scope="module")
def task():
    return load_task("image")


def study(**changes):
    return Study(**{"question": "Does it help?", "task": "image", "axes": ALPHAS, **changes})


def test_an_arm_is_a_configuration_that_is_compared_with_its_baseline(task):
    arms = arms_of(study(settings={"training.steps": 7}), task)
    assert [arm.name for arm in arms] == ["alpha0", "alpha0.05", "alpha0.1"]
    assert [arm.baseline for arm in arms] == [None, "alpha0", "alpha0"]
    assert {arm.config.training.steps for arm in arms} == {7}
    config = arms[2].seeded(4)
    assert (config.training.alpha, config.training.seed) == (0.1, 4)
    assert config.preset == task.presets[0].name


def test_a_task_says_which_recipe_studies_take():
    """The default of translation is nearly solved: it would hide every effect."""
    translation = load_task("translation")
    config = base_config(study(task="translation"), translation)
    assert config.preset == translation.study_preset != translation.presets[0].name
    assert config.data.pairs == 500
    for given in ("settings", "axes"):
        values = {"data.source": "x" if given == "settings" else ("x", "y")}
        other = base_config(study(task="translation", **{given: values}), translation)
        assert other.preset == translation.presets[0].name
    named = base_config(study(task="translation", preset="cldr-small"), translation)
    assert named.preset == "cldr-small"


def test_the_first_axis_is_compared_and_the_others_are_conditions(task):
    axes = {"training.alpha": (0, 0.1), "data.examples": (100, 1000)}
    baselines = {arm.name: arm.baseline for arm in arms_of(study(axes=axes), task)}
    assert baselines == {
        "alpha0-examples100": None,
        "alpha0-examples1000": None,
        "alpha0.1-examples100": "alpha0-examples100",
        "alpha0.1-examples1000": "alpha0-examples1000",
    }


@pytest.mark.parametrize("alpha_first", [True, False])
def test_without_mass_all_smoothings_are_one_arm(task, alpha_first):
    axes = {"training.smoothing": ("unigram", "uniform"), "training.alpha": ("0", "0.1")}
    if alpha_first:
        axes = dict(reversed(axes.items()))
    arms = arms_of(study(axes=axes), task)
    hard = [arm for arm in arms if arm.config.training.alpha == 0]
    assert [arm.config.training.smoothing for arm in hard] == ["unigram"]
    assert len(arms) == 3
    if alpha_first:
        assert {arm.baseline for arm in arms if arm not in hard} == {hard[0].name}


def test_names_are_those_of_folders(task):
    axes = {"data.source": ("digits", "tfds:a/b 1"), "model.width": (8,), "training.seed": (1,)}
    with pytest.raises(InputError, match=r"without training\.seed: seeds are counted"):
        study(axes=axes)
    del axes["training.seed"]
    arms = arms_of(study(axes=axes), task)
    assert [arm.name for arm in arms] == ["source-digits-width8", "source-tfds_a_b_1-width8"]
    axes = {"model.width": (1000000, 1000001)}
    with pytest.raises(InputError, match="names that differ.*1000000.*1000001"):
        arms_of(study(axes=axes), task)


def test_what_runs_have_in_common_does_not_know_the_axes(task):
    settings = {"model.width": 8}
    first = base_config(study(settings=settings), task)
    assert first == base_config(study(settings=settings, axes={"training.alpha": (0, 1)}), task)
    assert first.model.width == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 0}, "at least one seed. Received: 0"),
        ({"axes": {}}, "an axis with at least one value"),
        ({"axes": {"training.alpha": ()}}, "Received: training.alpha"),
        ({"axes": {"training.alpha": (0.1,)}}, "two values or more.*training.alpha=0.1"),
        ({"measures": ()}, "at least one measure"),
        ({"settings": {"training.alpha": 1}}, "without training.alpha: the settings have it"),
        ({"settings": {"training.seed": 1}}, "settings without training.seed"),
    ],
)
def test_studies_that_are_none_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        study(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": {"training.aplha": (0, 1)}}, "an axis that is a setting.*: training.alpha"),
        ({"axes": {"training.alpha": (0, 2)}}, r"training.alpha in \[0, 1\]"),
        ({"axes": {"training.alpha": (0, 0.0)}}, "values of the first axis that differ"),
        ({"settings": {"model.wdith": 1}}, "Near matches: model.width"),
        ({"preset": "digit-mlp"}, "Near matches: digits-mlp"),
    ],
)
def test_arms_that_cannot_be_are_refused(task, changes, message):
    with pytest.raises(InputError, match=message):
        arms_of(study(**changes), task)


FILE = """
question = "Does it help?"
task = "image"
preset = "digits-mlp"
seeds = 2
measure = ["accuracy"]
split = "validation"

[axes]
training.alpha = [0, 0.1]
"model.width" = [8, 16]

[settings]
training.steps = 5

[[claims]]
statement = "It rises"
measure = "accuracy"
direction = "better"
margin = 1
"""


def test_a_file_is_a_study(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(FILE)
    assert read_study(file) == Study(
        question="Does it help?",
        task="image",
        axes={"training.alpha": (0, 0.1), "model.width": (8, 16)},
        seeds=2,
        measures=("accuracy",),
        preset="digits-mlp",
        settings={"training.steps": 5},
        claims=(Claim("accuracy", "It rises", "accuracy", "better", 1),),
        split="validation",
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = 2", "seed = 2", "a key of a study in .*Near matches: seeds. Received: 'seed'"),
        ("margin = 1", "margins = 1", "a key of a claim in .*Near matches: margin"),
        ("margin = 1", "", "the key margin of a claim"),
        ("margin = 1", 'margin = "1"', "margin of a claim .* a number. Received: '1'"),
        ('task = "image"', "", "the key task in .* a file without it"),
        ('task = "image"', "task = 3", "task in .* a text. Received: 3"),
        ("seeds = 2", "seeds = 2.5", "seeds in .* a whole number. Received: 2.5"),
        ("seeds = 2", "seeds = true", "seeds in .* a whole number. Received: True"),
        ("seeds = 2", "seeds = 0", "at least one seed. Received: 0"),
        ('["accuracy"]', '"accuracy"', "measure in .* a list. Received: 'accuracy'"),
        ("[0, 0.1]", "0.1", "a list of values of training.alpha"),
        ('"better"', '"best"', "direction of claim 'accuracy'.*Received: 'best'"),
        ("[[claims]]", "[claims]", "claims in .* a list"),
        ("seeds = 2", "seeds =", "Expected TOML in"),
    ],
)
def test_files_that_are_none_are_refused_in_a_line(tmp_path, old, new, message):
    file = tmp_path / "study.toml"
    assert old in FILE
    file.write_text(FILE.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        read_study(file)
    assert not re.search("\n", str(error.value))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileError, match="study.toml"):
        read_study(tmp_path / "study.toml")
