"""Stores the results of `lsk reproduce`, and writes the page about them.

    lsk reproduce all --scale demo --jobs 2
    python benchmarks/evidence.py keep runs/reproduce-demo --scale demo
    python benchmarks/evidence.py join runs/reproduce-data --scale data --study speech
    python benchmarks/evidence.py page

`keep` copies the numbers of each study, with commit, command, machine and training time, and the
figures into `docs/evidence/SCALE/`. `join` adds arms that were trained later to a stored study and
decides the claims of all arms together; the folder needs the runs of the new arms only. `page`
writes `docs/evidence.md` and the table of verdicts in the README. `docs/evidence/notes.toml`, which
is written by hand, explains why a claim of the paper is not supported, and why a study was not run.
"""

import argparse
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ls_base.files import nan_to_none
from lsk_engine.progress import estimate
from lsk_engine.runs.run_directory import RunDirectory
from lsk_engine.studies.analysis import decide_claims
from lsk_engine.studies.arms import arms_of
from lsk_engine.studies.jobs import jobs_of, run_of
from lsk_engine.studies.paper.paper_studies import SCALES, STUDIES
from lsk_engine.studies.paper.results import RESULTS, Result, results_of
from lsk_engine.studies.settings_diff import heading, signed
from lsk_engine.studies.smoothing import sentences_about
from lsk_engine.studies.study_result import FIGURE_FILE, RESULTS_FILE, SCORE, Number
from lsk_engine.tasks.registry import load_task

ROOT = Path(__file__).parents[1]
EVIDENCE = ROOT / "docs" / "evidence"
PAGE = ROOT / "docs" / "evidence.md"
README = ROOT / "README.md"
TABLE_OF_VERDICTS = re.compile(r"(?<=<!-- verdicts -->\n).*?(?=<!-- end of verdicts -->)", re.S)
NOTES = "notes.toml"
NOT_RUN = "not_run"  # key of the notes: a reason for a scale, or one for each study
JOINED = "joined"  # key of a study's file: provenance of the arms that were added
EXPLAINED = ("contradicted", "equivalent")  # verdicts that need a note
INTRODUCTION = """\
# Evidence for the paper's claims

This page compares the claims of [*When Does Label Smoothing
Help?*](https://arxiv.org/abs/1906.02629) with the results of [`lsk reproduce`](reproduce.md). For
each claim it shows the mean difference between two settings (smoothed and hard targets, or students
of a smoothed and of a hard teacher), its 95 % interval over seeds by Student's t, and a verdict.
All claims of a study are decided together ([how it is decided](studies.md#how-it-is-decided)).
Errors and BLEU are in points.

In the following table, *minutes* is the training time of all networks, added up; two were trained
at a time. *Commit* is the version of the code that measured and decided; some networks were trained
by an earlier version. If there are two commits, the second one belongs to arms that were trained
later, beside other work, and compared with the stored ones.

`benchmarks/evidence.py` generates this page from the files in `docs/evidence/`, which have the
numbers by seed.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    kept = commands.add_parser("keep", help="store the results in a folder of lsk reproduce")
    kept.add_argument("folder", type=Path)
    kept.add_argument("--scale", choices=SCALES, required=True)
    joined = commands.add_parser("join", help="add arms to a stored study")
    joined.add_argument("folder", type=Path)
    joined.add_argument("--scale", choices=SCALES, required=True)
    joined.add_argument("--study", required=True)
    commands.add_parser("page", help="write docs/evidence.md and the README's table")
    options = parser.parse_args()
    if options.command == "keep":
        keep(options.folder, options.scale, EVIDENCE)
    elif options.command == "join":
        join(options.folder, options.scale, options.study, EVIDENCE)
    else:
        PAGE.write_text(page(EVIDENCE))
        table = "\n".join(["", *verdicts(EVIDENCE), "", ""])
        README.write_text(TABLE_OF_VERDICTS.sub(lambda _: table, README.read_text()))


def keep(folder: Path, scale: str, evidence: Path) -> None:
    """Copies the results and figures of the studies in a folder."""
    target, commit = evidence / scale, _commit()
    target.mkdir(parents=True, exist_ok=True)
    for name, part in STUDIES[scale].items():
        file = folder / name / RESULTS_FILE
        if not file.is_file():
            continue
        found = json.loads(file.read_text())
        task = load_task(part.study.task)
        runs = [j.run for j in jobs_of(folder / name, arms_of(part.study, task), found["seeds"])]
        command = f"lsk reproduce {_one(name, scale)} --scale {scale} --seeds {found['seeds']}"
        command += " --data-dir FOLDER" * (part.data is not None)
        content = {"command": command, **_provenance(runs, commit), "study": name, **found}
        _write(target / f"{name}.json", content)
    for result in RESULTS.values():
        for name in result.parts(scale):
            if result.figure is not None:
                _copy_figure(folder, name, result, target)


def join(folder: Path, scale: str, name: str, evidence: Path) -> None:
    """Adds the scores of new arms to a stored study, and decides all claims again."""
    study, file = STUDIES[scale][name].study, evidence / scale / f"{name}.json"
    content = json.loads(file.read_text())
    task, seeds = load_task(study.task), range(content["seeds"])
    arms = arms_of(study, task)
    runs = {arm.name: [run_of(folder / name, arm, seed) for seed in seeds] for arm in arms}
    added = {
        arm.name: runs[arm.name]
        for arm in arms
        if arm.name not in content["arms"] and all(r.metrics_file.is_file() for r in runs[arm.name])
    }
    if not added:
        raise SystemExit(f"Expected {len(seeds)} finished runs of an arm to add. Received: none")
    content["arms"] |= {arm.name: dict(arm.values) for arm in arms if arm.name in added}
    for arm, of_arm in added.items():
        scores = [run.read_metrics().splits[content["split"]] for run in of_arm]
        for number, values in content["values"].items():
            values[arm] = [one[number] for one in scores]
    numbers = {number: Number(**one) for number, one in content["numbers"].items()}
    first = next(iter(numbers))  # stored under its own name, not as SCORE
    decided = decide_claims(
        study.claims or (),
        [arm for arm in arms if arm.name in content["arms"]],
        {SCORE: numbers[first], **numbers},
        {SCORE: content["values"][first], **content["values"]},
    )
    content["claims"] = [one.to_dict() for one in decided]
    content["sentences"] = [
        sentence
        for one in decided
        for sentence in sentences_about([one], {SCORE: numbers[first]}, content["arms"][one.arm])
    ]
    together = [run for of_arm in added.values() for run in of_arm]
    more = {"arms": list(added), **_provenance(together, _commit())}
    _write(file, {**content, JOINED: [*content.get(JOINED, []), more]})


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(nan_to_none(content), indent=1, ensure_ascii=False) + "\n")


def _one(study: str, scale: str) -> str:
    """Returns the arguments of `lsk reproduce` that run one study alone."""
    least = min(results_of(study, scale), key=lambda result: len(result.parts(scale)))
    return least.name if len(least.parts(scale)) == 1 else f"{least.name} --only {study}"


def _commit() -> str:
    """Returns the commit of the code; call it before anything is written."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.check_output(command, cwd=ROOT, text=True).strip()


def _provenance(runs: list[RunDirectory], commit: str) -> dict[str, Any]:
    finished = [run for run in runs if run.metrics_file.is_file()]
    starts = [run.read_starts()[0] for run in finished]
    first = min(starts, key=lambda start: start["started"])
    return {
        "commit": commit,
        "started": first["started"],
        "machine": {key: first[key] for key in ("platform", "cores", "python", "backend")},
        "packages": first["packages"],
        "runs": len(finished),
        "seconds": round(sum(run.read_metrics().seconds for run in finished)),
    }


def _copy_figure(folder: Path, study: str, result: Result, target: Path) -> None:
    drawn = folder / f"{result.name}-{study}.png"
    if result.figure == "distillation":
        drawn = folder / study / FIGURE_FILE
    for suffix in (".png", ".svg"):
        if drawn.with_suffix(suffix).is_file():
            shutil.copyfile(drawn.with_suffix(suffix), target / f"{result.name}-{study}{suffix}")


def page(evidence: Path) -> str:
    """Returns the page about the results in a folder."""
    notes = tomllib.loads((evidence / NOTES).read_text())
    kept = _kept(evidence)
    lines = [INTRODUCTION, *_runs(kept)]
    for result in RESULTS.values():
        lines += [f"\n## {result.name}: {result.title}\n"]
        lines += [f"- Paper: {line}" for line in result.paper]
        for scale in SCALES:
            for study in result.parts(scale):
                if study in kept[scale]:
                    lines += _study(result, scale, kept[scale][study], notes)
                    lines += _figure(evidence, result, scale, study)
        if not any(study in kept[scale] for scale in SCALES for study in result.parts(scale)):
            lines += ["\nNot run yet."]
    lines += _not_run(kept, notes[NOT_RUN])
    return "\n".join(lines) + "\n"


def verdicts(evidence: Path) -> Iterator[str]:
    """Yields a table of the results with the verdicts about their claims, by study."""
    kept = _kept(evidence)
    yield "| | the paper | here |"
    yield "|---|---|---|"
    for result in RESULTS.values():
        texts = []
        for scale in SCALES:
            for study in (name for name in result.parts(scale) if name in kept[scale]):
                texts.append(f"*{study}, {scale}*: {_verdicts(result, kept[scale][study])}")
        yield f"| {result.name} | {result.title} | {'<br>'.join(texts) or 'not run yet'} |"


def _verdicts(result: Result, found: Mapping[str, Any]) -> str:
    """Returns the verdicts about a result's claims, with counts if there are several settings."""
    by_claim: dict[str, list[str]] = {}
    for one in found["claims"]:
        if one["name"] in result.claims:
            by_claim.setdefault(one["name"], []).append(one["verdict"])
    texts = []
    for claim, found_verdicts in by_claim.items():
        counts = [(found_verdicts.count(one), one) for one in dict.fromkeys(found_verdicts)]
        several = [f"{verdict} ({n} of {len(found_verdicts)})" for n, verdict in counts]
        texts.append(f"{claim} {counts[0][1] if len(counts) == 1 else ', '.join(several)}")
    return "; ".join(texts)


def _kept(evidence: Path) -> dict[str, dict[str, Any]]:
    """Returns the stored results, by scale and study."""
    return {
        scale: {
            file.stem: json.loads(file.read_text())
            for file in sorted(evidence.glob(f"{scale}/*.json"))
        }
        for scale in SCALES
    }


def _runs(kept: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "| scale | study | task, recipe | seeds | networks | minutes | commit |"
    yield "|---|---|---|---:|---:|---:|---|"
    for scale, studies in kept.items():
        for name, found in studies.items():
            parts = [found, *found.get(JOINED, [])]
            runs, seconds = (sum(part[key] for part in parts) for key in ("runs", "seconds"))
            commits = ", ".join(f"`{part['commit']}`" for part in parts)
            yield (
                f"| {scale} | `{name}` | {found['task']}, {found['preset']} | {found['seeds']} "
                f"| {runs} | {seconds / 60:.0f} | {commits} |"
            )


def _not_run(kept: Mapping[str, Mapping[str, Any]], why: Mapping[str, Any]) -> Iterator[str]:
    """Yields a table of the recipes without results, with the reasons."""
    yield "\n## Not run here\n"
    yield "| scale | study | results | task, recipe | seeds | estimated time | reason |"
    yield "|---|---|---|---|---:|---|---|"
    for scale in SCALES:
        where = "on a GPU" if scale == "paper" else "on 2 cores"
        for name, part in STUDIES[scale].items():
            if name in kept[scale]:
                continue
            of = ", ".join(result.name for result in results_of(name, scale))
            study, reason = part.study, why[scale]
            text = _flowing(reason if isinstance(reason, str) else reason[name])
            yield (
                f"| {scale} | `{name}` | {of} | {study.task}, {study.preset} | {study.seeds} "
                f"| {estimate(part.cost())} {where} | {text} |"
            )


def _study(
    result: Result, scale: str, found: Mapping[str, Any], notes: Mapping[str, Any]
) -> Iterator[str]:
    decided = [one for one in found["claims"] if one["name"] in result.claims]
    about = ", ".join(found[key] for key in ("task", "preset", "split"))
    yield f"\n**`{found['study']}`, {scale}** ({about}):\n"
    yield "| claim | setting | paper | here | 95 % interval | seeds | verdict |"
    yield "|---|---|---:|---:|---|---:|---|"
    for one in decided:
        paper = "" if one["paper"] is None else signed(one["paper"])
        mean, low, high = (
            float("nan" if one[k] is None else one[k]) for k in ("mean", "low", "high")
        )
        interval = "–" if low != low else f"{signed(low)} … {signed(high)}"
        seeds = sum(value is not None for value in one["differences"])
        arm = heading(found["arms"][one["arm"]])
        yield (
            f"| {one['statement']} | {arm} | {paper} | {signed(mean)} | {interval} "
            f"| {seeds} | {one['verdict']} |"
        )
    for name in dict.fromkeys(one["name"] for one in decided if one["verdict"] in EXPLAINED):
        text = note_of(notes, scale, found["study"], name)
        if text is not None:
            yield f"\n*{name}*: {text}"


def note_of(notes: Mapping[str, Any], scale: str, study: str, claim: str) -> str | None:
    """Returns the note about a claim that is not supported, if there is one."""
    text = notes.get(scale, {}).get(study, {}).get(claim)
    return None if text is None else _flowing(text)


def _flowing(text: str) -> str:
    return " ".join(text.split())


def _figure(evidence: Path, result: Result, scale: str, study: str) -> Iterator[str]:
    name = f"{scale}/{result.name}-{study}.png"
    if (evidence / name).is_file():
        yield f"\n![{result.title}: {study}, {scale}](evidence/{name})"


if __name__ == "__main__":
    main()
