import pytest
from hypothesis import given
from hypothesis import strategies as st

from ls_base.errors import InputError
from ls_keras.losses import alpha_from_off_target, off_target_from_alpha


@given(st.floats(0, 1), st.integers(2, 100_000))
def test_there_and_back(alpha, num_classes):
    epsilon = off_target_from_alpha(alpha, num_classes)
    # Each wrong class gets the same mass in both conventions, and so does the target.
    assert epsilon / (num_classes - 1) == pytest.approx(alpha / num_classes)
    assert 1 - epsilon == pytest.approx(1 - alpha + alpha / num_classes)
    if alpha <= 0.999:
        assert alpha_from_off_target(epsilon, num_classes) == pytest.approx(alpha)


def test_by_hand():
    assert alpha_from_off_target(0.1, 2) == pytest.approx(0.2)
    assert alpha_from_off_target(0.5, 2) == 1


@pytest.mark.parametrize("epsilon", [-0.1, 1.1, float("nan"), "0.1", None, True])
def test_no_fraction(epsilon):
    with pytest.raises(InputError, match="epsilon"):
        alpha_from_off_target(epsilon, 10)
    with pytest.raises(InputError, match="alpha"):
        off_target_from_alpha(epsilon, 10)


def test_alpha_above_1_is_refused():
    with pytest.raises(InputError, match=r"gives alpha=1\.2"):
        alpha_from_off_target(0.6, 2)


@pytest.mark.parametrize("num_classes", [1, 2.0, True])
def test_num_classes(num_classes):
    with pytest.raises(InputError, match="num_classes"):
        alpha_from_off_target(0.1, num_classes)
