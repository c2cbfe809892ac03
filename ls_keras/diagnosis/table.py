"""Text table of a diagnosis, 80 columns wide."""

import re
import textwrap
from collections.abc import Sequence

from ls_keras.diagnosis.findings import Estimate, Findings, number

WIDTH = 80
_LABEL = 45


def table(found: Findings, sentences: Sequence[str]) -> str:
    """Returns a table with one row per number, followed by the recommendations.

    Args:
        found: Numbers of the diagnosis.
        sentences: Recommendations.
    """
    counts = f"{found.num_examples:,} example{'s' * (found.num_examples > 1)}"
    if found.num_groups != found.num_examples:
        counts += f" in {found.num_groups:,} groups"
    head = f"{counts}, {found.num_classes:,} classes"
    lines = [_line(head, "value", f"{100 * found.level:g} % interval")]
    lines += [_line(*row) for row in _rows(found)]
    lines.append("")
    for sentence in sentences:
        whole = re.sub(r"\[[^]]*]", lambda found: found[0].replace(" ", "\xa0"), sentence)
        wrapped = textwrap.wrap(whole, WIDTH, initial_indent="- ", subsequent_indent="  ")
        lines += [line.replace("\xa0", " ") for line in wrapped]
    return "\n".join(lines)


def _rows(found: Findings) -> list[tuple[str, str, str]]:
    """Returns label, value and interval of each row."""
    bins = len(found.reliability.counts)
    held_out = f"held out, {found.folds} folds" if found.folds else "held out: one group only"
    worst, least = (_short(found.name_of(k)) for k in (found.worst_class, found.least_class))
    norm = "not tried" if found.norm_p is None else f"p = {found.norm_p}"
    half = "other half" if found.folds else "same examples"
    scaled = ", with T" if found.temperature_helps else ""
    return [
        _of("accuracy", found.accuracy),
        _of("NLL (nats)", found.nll),
        _of("Brier score", found.brier),
        ("ECE, " + f"{bins} bins, plug-in (biased up)", number(found.reliability.ece), ""),
        _of("  bias-corrected", found.ece),
        ("smECE, plug-in (biased up)", number(found.smooth.error), ""),
        _of("  bias-corrected", found.smooth_ece),
        _of("mean confidence − accuracy", found.bias),
        _of(_bounded("temperature T", found.fit.at_bound), found.temperature),
        (f"with T ({held_out}):", "", ""),
        _of("  NLL falls by", found.nll_gain),
        _of("  Brier score falls by", found.brier_gain),
        _of("  bias-corrected ECE", found.scaled_ece),
        _of("AURC, ranked by largest probability", found.aurc),
        ("  E-AURC: a perfect ranking would save", number(found.risk_coverage.excess), ""),
        _of(f"  logit normalization ({norm}) saves", found.aurc_gain),
        (f"worst calibrated class, {worst} ({half}{scaled}):", "", ""),
        _of("  bias-corrected ECE of its probability", found.worst_ece),
        (f"least recognized class, {least} ({half}):", "", ""),
        _of("  share of its examples", found.least_recall),
    ]


def _of(label: str, estimate: Estimate) -> tuple[str, str, str]:
    return label, number(estimate.value), estimate.interval


def _bounded(label: str, at_bound: str | None) -> str:
    return label if at_bound is None else f"{label}, at its {at_bound} bound"


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}…"


def _line(label: str, value: str, interval: str) -> str:
    return f"{label:{_LABEL}}{value:>10}  {interval}".rstrip()
