import itertools

from lsk_engine.runs.numbered import numbered


def test_what_is_there_is_left_out(tmp_path):
    for name in ("run", "run-3"):
        (tmp_path / name).mkdir()
    found = itertools.islice(numbered(tmp_path / "run"), 3)
    assert [path.name for path in found] == ["run-2", "run-4", "run-5"]


def test_a_name_with_a_point_keeps_it(tmp_path):
    (tmp_path / "alpha0.1").mkdir()
    assert next(numbered(tmp_path / "alpha0.1")).name == "alpha0.1-2"
