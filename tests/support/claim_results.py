"""Results of claims for tests of what shows or stores them."""

from typing import Any

from lsk_engine.studies.claims import Claim
from lsk_engine.studies.study_result import ClaimResult

INCONCLUSIVE = {
    "verdict": "inconclusive",
    "mean": -1.0,
    "low": -2.5,
    "high": 0.5,
    "p": 0.2,
    "reason": "the interval is too wide",
}


def make_result(
    claim: Claim, arm: str, baseline: str, differences: tuple[float | None, ...], **decision: Any
) -> ClaimResult:
    """Returns the result of a claim about an arm, by default an inconclusive one."""
    content = {**vars(claim), **(decision or INCONCLUSIVE)}
    return ClaimResult(**content, arm=arm, baseline=baseline, differences=differences)
