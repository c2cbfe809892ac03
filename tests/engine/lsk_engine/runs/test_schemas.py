import pytest

from ls_base.errors import FileError, InputError, LsKerasError
from ls_base.records import convert_record
from lsk_engine.runs.schemas import Calibration, Metrics, SweepPoints
from stored_files import metrics

SPLIT = {"nll": 1.0, "bleu": 20.0}


def test_metrics_hold_the_splits_beside_the_rest():
    content = metrics({"bleu": "BLEU"}, validation=SPLIT, test={**SPLIT, "bleu": 21.0})
    found = Metrics.of(content, "metrics.json")
    assert found.first_score("test") == ("bleu", "BLEU", 21.0)
    assert found.to_dict() == content
    with pytest.raises(InputError, match="Expected a split of validation, test. Received: 'dev'"):
        found.first_score("dev")


def test_metrics_may_be_of_a_student():
    content = metrics(distillation={"teacher": "runs/teacher"}, test=SPLIT)
    assert Metrics.of(content, "metrics.json").to_dict() == content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": None}, "Expected alpha in metrics.json to be float. Received: None"),
        ({"labels": ["BLEU"]}, "Expected labels in metrics.json to be object"),
        ({"notes": "none"}, "Expected notes in metrics.json to be array"),
        ({"test": {"bleu": 1.0}}, "valid test of metrics.json. .*missing required field nll"),
        ({"test": {"nll": "low"}}, "test of metrics.json to be float"),
    ],
)
def test_other_content_is_refused(change, message):
    with pytest.raises(FileError, match=message):
        Metrics.of({**metrics(test=SPLIT), **change}, "metrics.json")


@pytest.mark.parametrize("labels", [{}, {"wer": "WER"}])
def test_metrics_without_the_first_score_are_refused(labels):
    with pytest.raises(LsKerasError, match="the task's own score of test"):
        Metrics.of(metrics(labels, test=SPLIT), "metrics.json").first_score("test")


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf"), "1", True])
def test_temperatures_are_above_0(temperature):
    with pytest.raises(FileError, match="temperature in c.json"):
        convert_record({"method": "temperature", "temperature": temperature}, Calibration, "c.json")


def test_points_have_both_ends_of_their_intervals():
    point = {"search": "a", "temperature": 1, "values": {"x": 1}, "labels": {"x": "X"}}
    content = {"points": [{**point, "intervals": {"x": [1.0]}}]}
    with pytest.raises(FileError, match=r"points\[0\].intervals"):
        convert_record(content, SweepPoints, "points.json")
