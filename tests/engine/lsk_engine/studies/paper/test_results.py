"""The tables of the paper's results are consistent: nothing is trained."""

import pytest

from lsk.reproduce import RESULTS as NAMES
from lsk.reproduce import SCALES as SCALE_NAMES
from lsk_engine.studies.arms import arms_of
from lsk_engine.studies.claims import Claim
from lsk_engine.studies.measurements import SCORE, check_measures, numbers_of
from lsk_engine.studies.paper.paper_studies import SCALES, STUDIES
from lsk_engine.studies.paper.results import RESULTS
from lsk_engine.tasks.registry import load_task

PARTS = [(scale, name) for scale in STUDIES for name in STUDIES[scale]]


def claim(scale: str, study: str, name: str) -> Claim:
    return next(c for c in STUDIES[scale][study].study.claims if c.name == name)


def test_the_command_lists_ten_results_and_the_scales():
    assert tuple(RESULTS) == NAMES
    assert len(NAMES) == 10
    assert tuple(SCALES) == tuple(STUDIES) == SCALE_NAMES


@pytest.mark.parametrize("scale", STUDIES)
def test_each_result_has_studies_at_each_scale(scale):
    used = set()
    for result in RESULTS.values():
        parts = result.parts(scale)
        assert parts, result.name
        made = {claim.name for part in parts.values() for claim in part.study.claims}
        assert {*result.claims} <= made, result.name
        used |= {*parts}
    assert used == {*STUDIES[scale]}


@pytest.mark.parametrize(("scale", "name"), PARTS)
def test_each_study_is_valid(scale, name):
    part = STUDIES[scale][name]
    task = load_task(part.study.task)
    check_measures(part.study.measures, task)
    arms = arms_of(part.study, task)
    about = [a for a in arms if a.baseline is not None]
    known = {SCORE, *numbers_of(part.study.measures)}
    for one in part.study.claims:
        assert {one.measure, one.against or one.measure} <= known
        assert any(one.axis in (None, *arm.baselines) for arm in about)
    assert {arm.config.training.alpha for arm in about if arm.teacher is None} <= {
        *(0.05, 0.1, 0.15, 0.3, 0.45, 0.6, 0.75)
    }
    if part.study.cache:  # logits that are computed once are of images as they are
        taught = [arm.config.data for arm in arms if arm.teacher is not None]
        assert not any(data.shift or data.flip or data.random_resized_crop for data in taught)


def test_figures_show_what_is_measured():
    needs = {
        "projection": "representation",
        "information": "information",
        "temperature": "beam",
        "reliability": "calibration",
        "distillation": "teacher",
    }
    for result in RESULTS.values():
        for scale in STUDIES if result.figure else ():
            for part in result.parts(scale).values():
                assert needs[result.figure] in part.study.measures
                if result.figure == "projection":
                    assert len(part.classes) == 3


def test_differences_match_the_papers_numbers():
    """Table 1: 25.3 and 25.8. Table 3: 0.150, 0.021, 0.024; 0.056, 0.018, 0.019. Section 4."""
    assert claim("paper", "text", "score").paper == pytest.approx(25.8 - 25.3)
    assert claim("paper", "speech", "score").paper is None  # the paper does not assign 7.0 and 6.7
    assert claim("paper", "images", "score").paper == pytest.approx(86.8 - 86.7)
    assert claim("paper", "residual", "score").paper == pytest.approx(72.1 - 72.7)
    assert claim("paper", "residual", "calibration").paper == pytest.approx(0.024 - 0.150)
    assert claim("paper", "residual", "against a fitted T").paper == pytest.approx(0.024 - 0.021)
    assert claim("paper", "text", "calibration").paper == pytest.approx(0.019 - 0.056)
    assert claim("paper", "imagenet", "calibration").paper == pytest.approx(0.035 - 0.071)
    assert claim("paper", "mnist", "teachers").paper == pytest.approx(0.59 - 0.67)
    assert claim("paper", "mnist", "teaching").paper == pytest.approx(0.91 - 0.74)
    transfer = (0.91 - 0.59) - (0.74 - 0.67)
    assert claim("paper", "mnist", "transfer").paper == pytest.approx(transfer)
