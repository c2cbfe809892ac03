import inspect
import re

import pytest

from ls_base.errors import InputError
from ls_keras.decoding import Unsmoothing, beam_search, greedy_search
from ls_keras.decoding.search_options import TokenConstraints, read_arguments

GOOD = {
    "batch_size": 2,
    "max_length": 5,
    "start_token": 1,
    "end_token": 2,
    "pad_token": 0,
    "min_length": 3,
    "forbidden_tokens": (4, 0, 4),
    "unsmooth": Unsmoothing(0.1),
}


def documented(function) -> dict[str, str]:
    """Returns the documentation of each argument of a function."""
    text = inspect.getdoc(function).partition("Args:\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", text, re.MULTILINE))


def test_shared_arguments_are_read_together():
    read = read_arguments(**GOOD)
    constraints = TokenConstraints(end_token=2, min_length=3, forbidden_tokens=(0, 4))
    assert read == (2, 5, 1, constraints, Unsmoothing(0.1))
    assert read_arguments(**{**GOOD, "unsmooth": Unsmoothing(0)}).unsmooth is None


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("batch_size", 0),
        ("batch_size", "2"),
        ("max_length", 0),
        ("max_length", 2),  # below min_length
        ("start_token", -1),
        ("end_token", 1.5),
        ("pad_token", 2**31),
        ("min_length", -1),
        ("max_length", 2**28),
        ("forbidden_tokens", (-1,)),
        ("forbidden_tokens", 3),
        ("unsmooth", 0.1),
    ],
)
def test_wrong_arguments_raise_input_errors(argument, value):
    with pytest.raises(InputError, match=r"Expected .*Received"):
        read_arguments(**{**GOOD, argument: value})


def test_shared_arguments_are_documented_in_greedy_search():
    greedy, beam = documented(greedy_search), documented(beam_search)
    assert set(greedy) == set(inspect.signature(greedy_search).parameters)
    assert set(beam) == set(inspect.signature(beam_search).parameters)
    assert set(GOOD) <= set(greedy) & set(beam)
    for name in set(greedy) & set(beam):
        assert beam[name].startswith("As in `greedy_search`"), name
