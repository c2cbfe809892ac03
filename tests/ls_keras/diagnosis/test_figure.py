import json

import numpy as np
import pytest

import ls_keras
from diagnosed import predictions
from ls_base.errors import InputError
from ls_keras.plots import reliability_rows, risk_coverage_rows


@pytest.fixture(scope="module")
def found():
    y, z = predictions()
    return ls_keras.diagnose(y, z, from_logits=True, resamples=100)


def test_three_panels_have_the_curves_of_the_numbers(found):
    figure = found.plot(title="Digits")
    reliability, counts, risk = figure.axes
    assert figure.get_suptitle() == "Digits"
    assert [ax.get_title() for ax in figure.axes] == ["Reliability", "", "Risk against coverage"]
    labels = [text.get_text() for text in counts.get_legend().get_texts()]
    assert labels[:3] == [
        "perfectly calibrated",
        f"as given: ECE {found.reliability.ece:.3f}",
        f"scaled, held out: ECE {found.scaled.ece:.3f}, T {found.fit.temperature:.2f}",
    ]
    points = [line for line in reliability.lines if line.get_linestyle() == "None"]
    given = {y for line in points for y in line.get_ydata()}
    some = np.asarray(found.reliability.counts) > 0
    assert given >= set(np.asarray(found.reliability.accuracy)[some])
    assert counts.get_ylabel() == "Examples (%)"
    ranked = [text.get_text().partition(":")[0] for text in risk.get_legend().get_texts()]
    assert ranked == [
        "largest probability", f"logit norm, p = {found.norm_p}", "best possible ranking",
    ]  # fmt: skip
    assert risk.lines[0].get_ydata()[-1] == pytest.approx(1 - found.accuracy.value)


def test_legends_lie_below_the_data(found):
    figure = found.plot(title="Title")
    figure.draw_without_rendering()
    for ax in figure.axes:
        legend = ax.get_legend()
        if legend is not None:
            box = legend.get_window_extent()
            assert not any(box.overlaps(other.get_window_extent()) for other in figure.axes)
            assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert 0 <= box.y0 < box.y1


def test_it_is_saved_with_what_it_shows(found, tmp_path):
    paths = found.save(tmp_path / "diagnosis", title="Digits")
    assert [path.name for path in paths] == ["diagnosis.png", "diagnosis.svg", "diagnosis.json"]
    shown = json.loads(paths[2].read_text())
    curves = {"as given": found.reliability, "scaled, held out": found.scaled}
    assert shown["reliability"] == reliability_rows(curves)
    risks = {
        "largest probability": found.risk_coverage,
        f"logit norm, p = {found.norm_p}": found.normalized,
    }
    assert shown["risk_coverage"] == risk_coverage_rows(risks)


def test_without_folds_and_norm_one_curve_each():
    z = np.float32([[1, 0, -np.inf], [0, 1, -np.inf], [1, 0, -np.inf]])
    found = ls_keras.diagnose([0, 0, 0], z, from_logits=True, groups=[4, 4, 4], resamples=100)
    reliability, _, risk = found.plot().axes
    assert {line.get_label() for line in reliability.lines if line.get_label()[0] != "_"} == {
        "perfectly calibrated",
        f"as given: ECE {found.reliability.ece:.3f}",
    }
    assert len(risk.get_legend().get_texts()) == 2


def test_a_title_is_words(found):
    with pytest.raises(InputError, match="title"):
        found.plot(title=3)
