import pytest

from ls_base.errors import InputError
from ls_keras.losses import Neighborhood, SmoothedCE, Uniform
from ls_keras.losses.smoothing_registry import get, serialize


def test_names():
    assert get("uniform") == Uniform()
    assert get("neighborhood") == Neighborhood()
    for name, wanted in [
        ("unigram", r"Unigram\(counts\)"),
        ("prior", "Prior"),
        ("no", "'uniform'"),
        ("max_sup", "'uniform'"),
    ]:
        with pytest.raises(InputError, match=wanted):
            get(name)
    for wrong in (None, 3, Uniform, SmoothedCE()):
        with pytest.raises(InputError, match="Expected smoothing"):
            get(wrong)


def test_a_configuration_tells_by_the_registered_name_not_by_the_module():
    config = serialize(Uniform(exclude=[1]))
    assert config["registered_name"] == "ls_keras>Uniform"
    moved = config | {"module": "ls_keras.losses.smoothing"}  # where models saved before have it
    assert get(moved) == Uniform(exclude=[1])
