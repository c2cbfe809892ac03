"""The definition of a study, and its file. Nothing is trained."""

import re

import pytest

from ls_base.errors import FileError, InputError
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.study import Study, read_study

ALPHAS = {"training.alpha": (0, 0.05, 0.1)}


def study(**changes):
    return Study(**{"question": "Does it help?", "task": "image", "axes": ALPHAS, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 10**30}, "Expected 1 to 1,000 seeds"),
        ({"seeds": 0}, "1 to 1,000 seeds. Received: 0"),
        ({"axes": {}}, "an axis with at least one value"),
        ({"axes": {"training.alpha": ()}}, "Received: training.alpha"),
        ({"axes": {"training.alpha": (0.1,)}}, "at least two values.*training.alpha=0.1"),
        ({"measures": ()}, "at least one measure"),
        (
            {"settings": {"training.alpha": 1}},
            "other than the settings. Received: training.alpha in both",
        ),
        ({"settings": {"training.seed": 1}}, "settings without training.seed: a study sets"),
        ({"grids": ({},)}, "an axis with at least one value"),
        ({"grids": ({"model.width": ()},)}, "Received: model.width"),
        ({"student": {"model.width": 8}}, "the measure distillation.*accuracy, calibration"),
    ],
)
def test_invalid_studies_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        study(**changes)


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


def test_a_file_defines_a_study(tmp_path):
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


def test_a_file_may_have_grids_and_axes_of_several_settings(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text("""
question = "Do smoothed teachers teach worse?"
task = "image"
measure = ["accuracy", "distillation"]
teacher_preset = "digits-mlp"
cache = true
student = { model.width = 8 }

[axes]
"teacher.training.alpha,optimizer.learning_rate" = [[0, 0.01], [0.1, 0.1]]

[[grids]]
training.alpha = [0]
""")
    found = read_study(file)
    (axis,) = found.axes
    assert found.axes[axis] == ([0, 0.01], [0.1, 0.1])
    assert found.grids == ({"training.alpha": (0,)},)
    assert found.keys() == [*axis.split(","), "training.alpha"]
    assert (found.teacher_preset, found.cache) == ("digits-mlp", True)
    assert found.student == {"model.width": 8}
    with pytest.raises(FileError, match="nowhere.toml"):
        read_study(tmp_path / "nowhere.toml")
    for old, new, message in (
        ("cache = true", "cache = 1", "cache in .* to be bool. Received: 1"),
        ("training.alpha = [0]", "training.alpha = 0", r"grids\[0\] in .* to be array"),
    ):
        file.with_name("other.toml").write_text(file.read_text().replace(old, new))
        with pytest.raises(InputError, match=message):
            read_study(file.with_name("other.toml"))
    file.write_text('question = "Q"\ntask = "image"\naxes = {}\ngrids = [1]')
    with pytest.raises(InputError, match=r"grids\[0\] in .* to be object. Received: 1"):
        read_study(file)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds = 2", "seed = 2", "a key of a study in .*Near matches: seeds. Received: 'seed'"),
        ("margin = 1", "margins = 1", "a key of a claim in .*Near matches: margin"),
        ("margin = 1", "", r"a valid claims\[0\] in .*missing required field margin"),
        ("margin = 1", 'margin = "1"', r"claims\[0\].margin in .* to be float. Received: '1'"),
        ('task = "image"', "", "missing required field task"),
        ('task = "image"', "task = 3", "task in .* to be str. Received: 3"),
        ("seeds = 2", "seeds = 2.5", "seeds in .* to be int. Received: 2.5"),
        ("seeds = 2", "seeds = true", "seeds in .* to be int. Received: True"),
        ("seeds = 2", "seeds = 0", "1 to 1,000 seeds. Received: 0"),
        ('["accuracy"]', '"accuracy"', "measures in .* to be array. Received: 'accuracy'"),
        ("[0, 0.1]", "0.1", "axes in .* to be array"),
        ('"better"', '"best"', r"claims\[0\].direction in .*Received: 'best'"),
        ("[[claims]]", "[claims]", "claims in .* to be array"),
        ("seeds = 2", "seeds = 10_000_000_000", "1 to 1,000 seeds. Received: 10000000000"),
        ("seeds = 2", "seeds =", "Expected TOML in"),
        ("[[claims]]", "claims = []\n[other]", "a key of a study"),
        ('measure = "accuracy"', 'name = ""\nmeasure = "accuracy"', "a name and a statement"),
        ("[[claims]]", FILE[FILE.index("[[claims]]") :] + "[[claims]]", "claims with different"),
    ],
)
def test_invalid_files_are_refused_in_one_line(tmp_path, old, new, message):
    file = tmp_path / "study.toml"
    assert old in FILE
    file.write_text(FILE.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        read_study(file)
    assert not re.search("\n", str(error.value))
