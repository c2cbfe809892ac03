"""The arms of a study, their baselines and teachers. Nothing is trained."""

import pytest

from ls_base.errors import InputError
from lsk_engine.studies.arms import arms_of, base_settings, student_of
from lsk_engine.studies.distillation import distillation_study
from lsk_engine.studies.smoothing import smoothing_question
from lsk_engine.studies.study import TEACHER_ALPHA, TEACHER_TEMPERATURE, Study
from lsk_engine.tasks.registry import load_task

ALPHAS = {"training.alpha": (0, 0.05, 0.1)}
TEACHERS = {TEACHER_ALPHA: (0, 0.1)}


@pytest.fixture(scope="module")
def task():
    return load_task("image")


def study(**changes):
    return Study(**{"question": "Does it help?", "task": "image", "axes": ALPHAS, **changes})


def test_an_arm_has_a_configuration_and_a_baseline(task):
    arms = arms_of(study(settings={"training.steps": 7}), task)
    assert [arm.name for arm in arms] == ["alpha0", "alpha0.05", "alpha0.1"]
    assert [arm.baseline for arm in arms] == [None, "alpha0", "alpha0"]
    assert {arm.config.training.steps for arm in arms} == {7}
    config = arms[2].seeded(4)
    assert (config.training.alpha, config.training.seed) == (0.1, 4)
    assert config.preset == task.presets[0].name


def test_studies_use_the_study_preset_of_the_task():
    """The default preset of translation is nearly solved: it would hide every effect."""
    translation = load_task("translation")
    default = translation.presets[0].name

    def preset(**changes):
        return base_settings(study(task="translation", **changes), translation)["preset"]

    assert preset() == translation.study_preset != default
    assert preset(settings={"data.source": "x"}) == default
    assert preset(axes={"data.source": ("x", "y")}) == default
    assert preset(preset="cldr-small") == "cldr-small"


def test_arms_are_compared_along_the_first_axis(task):
    axes = {"training.alpha": (0, 0.1), "data.max_train_examples": (100, 1000)}
    baselines = {arm.name: arm.baseline for arm in arms_of(study(axes=axes), task)}
    assert baselines == {
        "alpha0-max_train_examples100": None,
        "alpha0-max_train_examples1000": None,
        "alpha0.1-max_train_examples100": "alpha0-max_train_examples100",
        "alpha0.1-max_train_examples1000": "alpha0-max_train_examples1000",
    }


def test_losses_are_compared_with_the_first(task):
    axes = {"training.loss,training.loss_options.gamma": (("focal_ce", 1), ("focal_ce", 3))}
    arms = arms_of(smoothing_question("image", axes=axes), task)
    assert [arm.config.training.loss_options for arm in arms] == [{"gamma": 1.0}, {"gamma": 3.0}]
    definition = smoothing_question("image", axes={"training.loss": ("smoothed_ce", "max_sup")})
    first, second = arms_of(definition, task)
    assert (first.name, second.baseline) == ("loss-smoothed_ce", first.name)
    assert student_of(second, definition, task).config.training.loss == "smoothed_ce"


@pytest.mark.parametrize("alpha_first", [True, False])
def test_all_smoothings_with_alpha_0_are_one_arm(task, alpha_first):
    axes = {"training.smoothing": ("unigram", "uniform"), "training.alpha": ("0", "0.1")}
    if alpha_first:
        axes = dict(reversed(axes.items()))
    arms = arms_of(study(axes=axes), task)
    hard = [arm for arm in arms if arm.config.training.alpha == 0]
    assert [arm.config.training.smoothing for arm in hard] == ["unigram"]
    assert len(arms) == 3
    if alpha_first:
        assert {arm.baseline for arm in arms if arm not in hard} == {hard[0].name}


def test_names_of_arms_are_valid_folder_names(task):
    axes = {"data.source": ("digits", "tfds:a/b 1"), "model.width": (8,), "training.seed": (1,)}
    with pytest.raises(InputError, match=r"without training\.seed: a study sets the seeds"):
        study(axes=axes)
    del axes["training.seed"]
    arms = arms_of(study(axes=axes), task)
    assert [arm.name for arm in arms] == ["source-digits-width8", "source-tfds_a_b_1-width8"]
    axes = {"model.width": (1000000, 1000001)}
    with pytest.raises(InputError, match="different names.*1000000.*1000001"):
        arms_of(study(axes=axes), task)


def test_base_settings_do_not_depend_on_the_values_of_axes(task):
    settings = {"model.width": 8}
    first = base_settings(study(settings=settings), task)
    assert first == base_settings(study(settings=settings, axes={"training.alpha": (0, 1)}), task)
    assert first["settings"] == {"model.width": "8"}


def test_an_axis_of_teachers_defines_students(task):
    settings = {"model.width": 8, "teacher.model.width": 64, "distillation.beta": "0.6"}
    definition = study(axes=TEACHERS, preset="mnist-mlp-student", settings=settings)
    hard, smoothed = arms_of(definition, task)
    assert [hard.name, smoothed.name] == ["teacher_alpha0", "teacher_alpha0.1"]
    assert smoothed.baseline == hard.name
    assert (smoothed.config.training.alpha, smoothed.config.model.width) == (0, 8)
    assert smoothed.distillation["beta"] == 0.6
    teacher = smoothed.teacher
    assert (teacher.name, teacher.folder) == ("alpha0.1", "teachers")
    assert (teacher.config.training.alpha, teacher.config.model.width) == (0.1, 64)
    assert teacher.config.data.source == "mnist"


def test_teachers_with_the_same_name_must_be_equal(task):
    axes = {"distillation.teacher_temperature": (1, 2), "data.source": ("digits", "mnist")}
    with pytest.raises(InputError, match="teachers with data.source=digits and mnist; use a study"):
        arms_of(study(axes=axes), task)
    own = {TEACHER_TEMPERATURE: (1, 2), "data.source,teacher.data.source": (("x", "x"), ("y", "y"))}
    assert {arm.teacher.name for arm in arms_of(study(axes=own), task)} == {"source-x", "source-y"}


def test_epochs_override_earlier_steps(task):
    definition = study(axes={"training.epochs": (3, 5)}, settings={"training.steps": 7})
    lengths = [
        (a.config.training.epochs, a.config.training.steps) for a in arms_of(definition, task)
    ]
    assert lengths == [(3, None), (5, None)]
    taught = study(
        settings={"training.steps": 7},
        measures=("distillation",),
        student={"training.epochs": 5},
    )
    student = student_of(arms_of(taught, task)[0], taught, task)
    assert (student.config.training.epochs, student.config.training.steps) == (5, None)


def test_an_axis_may_be_a_setting_without_default(tmp_path):
    keras = load_task("keras")
    for name in "ab":
        (tmp_path / f"{name}.py").write_text("def build(): ...\n")
    models = [f"{tmp_path / name}.py:build" for name in "ab"]
    data = [f"{tmp_path / name}.npz" for name in "xy"]

    axes = {"model.name": tuple(models), "data.source": tuple(data)}
    definition = study(task="keras", axes=axes)
    assert len(arms_of(definition, keras)) == 4


def test_grids_share_arms(task):
    definition = distillation_study("image", alphas=(0.0, 0.3), temperatures=(1.0, 4.0))
    arms = {arm.name: arm for arm in arms_of(definition, task)}
    assert {name: arm.baseline for name, arm in arms.items()} == {
        "alpha0": None,
        "alpha0.3": "alpha0",
        "teacher_alpha0-T1": None,
        "teacher_alpha0.3-T1": "teacher_alpha0-T1",
        "teacher_alpha0-T4": "teacher_alpha0-T1",
    }
    assert arms["alpha0.3"].teacher is None
    assert arms["teacher_alpha0-T4"].distillation["teacher_temperature"] == 4
    assert arms["teacher_alpha0-T4"].teacher.name == "alpha0"
    assert [*arms["teacher_alpha0.3-T1"].baselines] == [f"{TEACHER_ALPHA},{TEACHER_TEMPERATURE}"]
    definition = distillation_study(
        "image", alphas=(0.0, 0.3), temperatures=(1.0, 4.0), hard_temperature=4.0
    )
    compared = {arm.name: arm.baseline for arm in arms_of(definition, task)}
    assert {*compared} == {*arms}
    assert compared["teacher_alpha0.3-T1"] == "teacher_alpha0-T4"


def test_an_arm_of_two_grids_has_two_baselines(task):
    rate, alpha = "optimizer.learning_rate", "training.alpha"
    axes = {alpha: (0, 0.1), rate: (0.01, 0.1)}
    definition = study(axes=axes, grids=({rate: (0.01, 0.1), alpha: (0, 0.1)},))
    compared = {arm.name: dict(arm.baselines) for arm in arms_of(definition, task)}
    assert compared == {
        "alpha0-learning_rate0.01": {},
        "alpha0-learning_rate0.1": {rate: "alpha0-learning_rate0.01"},
        "alpha0.1-learning_rate0.01": {alpha: "alpha0-learning_rate0.01"},
        "alpha0.1-learning_rate0.1": {
            alpha: "alpha0-learning_rate0.1",
            rate: "alpha0.1-learning_rate0.01",
        },
    }


def test_joined_axes_with_alpha_0_have_the_first_smoothing(task):
    axes = {"training.alpha,training.smoothing": ((0.1, "unigram"), (0, "uniform"), (0, "unigram"))}
    names = [arm.name for arm in arms_of(study(axes=axes), task)]
    assert names == ["alpha0.1-smoothing-unigram", "alpha0-smoothing-unigram"]


def test_settings_joined_by_commas_are_one_axis(task):
    axes = {f"{TEACHER_ALPHA},optimizer.learning_rate": ((0, 0.01), (0.1, 0.1))}
    hard, smoothed = arms_of(study(axes=axes), task)
    assert (hard.config.optimizer.learning_rate, hard.baseline) == (0.01, None)
    assert smoothed.values == {TEACHER_ALPHA: 0.1, "optimizer.learning_rate": 0.1}
    assert smoothed.baseline == hard.name
    with pytest.raises(
        InputError, match="tuples of 2 values of the axis .*learning_rate. Received: 0"
    ):
        arms_of(study(axes={next(iter(axes)): (0, 1)}), task)


def test_the_student_of_an_arm_has_its_settings_and_hard_targets(task):
    definition = study(
        axes=ALPHAS | {"data.max_train_examples": (100, 200)},
        measures=("accuracy", "distillation"),
        student={"model.width": "16", TEACHER_TEMPERATURE: 2},
    )
    arm = arms_of(definition, task)[-1]
    student = student_of(arm, definition, task)
    assert (student.name, student.folder, student.teacher) == (arm.name, "students", arm)
    assert (arm.config.training.alpha, student.config.training.alpha) == (0.1, 0)
    assert (student.config.data.max_train_examples, student.config.model.width) == (200, 16)
    assert student.distillation["teacher_temperature"] == 2
    for student, message in (
        ({"teacher.model.width": 4}, "the study has their teachers.*teacher.model.width"),
        ({"model.wdith": 4}, "Near matches: model.width"),
        ({"distillation.betta": 1}, "Near matches: distillation.beta"),
        ({"distillation.beta": 2}, r"beta to be a number in \[0, 1\]"),
    ):
        with pytest.raises(InputError, match=message):
            student_of(arm, study(student=student, measures=definition.measures), task)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": {"training.aplha": (0, 1)}}, "an axis that is a setting.*: training.alpha"),
        ({"axes": {"training.alpha": (0, 2)}}, r"training.alpha to be a number in \[0, 1\]"),
        ({"axes": {"training.alpha": (0, 0.0)}}, "values of the first axis that differ"),
        ({"settings": {"model.wdith": 1}}, "Near matches: model.width"),
        ({"preset": "digit-mlp"}, "Near matches: digits-mlp"),
        ({"axes": {"teacher.training.aplha": (0, 1)}}, "matches: teacher.training.alpha"),
        ({"axes": {TEACHER_TEMPERATURE: (1, 0)}}, "a number above 0"),
        ({"axes": {"distillation.cache": ("a", "b")}}, "an axis that is a setting"),
        ({"axes": TEACHERS, "teacher_preset": "digit-mlp"}, "Near matches: digits-mlp"),
        ({"axes": TEACHERS, "settings": {"teacher.data.source": "x"}}, "with the same data"),
        ({"settings": {"distillation.beta": 1}}, "Expected an axis of teacher.… or distillation"),
        ({"teacher_preset": "digits-mlp"}, "Received: teacher_preset, and the axes training.alpha"),
        ({"grids": ({"model.wdith": (1,)},)}, "Near matches: model.width"),
    ],
)
def test_invalid_arms_are_refused(task, changes, message):
    with pytest.raises(InputError, match=message):
        arms_of(study(**changes), task)
