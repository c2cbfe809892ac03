"""The page as a whole: complete without JavaScript, self-contained, and safe for any data."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ls_base.errors import FileError
from lsk_engine.reports.page import FILE, write_report
from read_pages import Page
from reported_runs import HOSTILE, OUTPUTS, bare_run, study, taught, whole_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A study, a sweep and two runs, with scripts wherever a text comes from outside."""
    folder = tmp_path_factory.mktemp("runs")
    study(folder / "study", statement=HOSTILE)
    taught(folder / "sweep")
    names = (HOSTILE, '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}")
    whole_run(folder / HOSTILE.replace("/", "∕"), names=names, model={"name": HOSTILE})
    run = whole_run(folder / '"onload="alert(1)', 0.0)
    run.record_start(command=["lsk", "train", HOSTILE, "'; rm -rf ~"], note=HOSTILE)
    return folder


@pytest.fixture(scope="module")
def text(folder) -> str:
    return write_report([folder]).file.read_text()


@pytest.fixture(scope="module")
def page(text) -> Page:
    return Page(text)


def test_every_element_is_closed(page):
    assert page.wrong == []


def test_no_text_becomes_an_element(page, text):
    assert len(page.all("script")) == 1
    assert not any(name.startswith("on") for _, found in page.elements for name in found)
    assert "alert(1)" not in re.sub(r"(?s)<script>.*</script>", "", text).split("</style>")[0]
    texts = " ".join(page.texts)
    for shown in (HOSTILE, f"no {HOSTILE}", "{{ 7 * 7 }}", '"onload="alert(1)'):
        assert shown.split()[-1] in texts
    assert "49" not in page.texts
    (command,) = (one for one in page.texts if "rm -rf" in one)
    assert command.startswith(f"lsk train '{HOSTILE}' ")
    attributes = [value for _, found in page.elements for value in found.values() if value]
    assert any(HOSTILE in value for value in attributes)  # alternative texts have it, too


def test_the_page_is_self_contained(page, text):
    for name, attributes in page.elements:
        for attribute in ("src", "href", "data", "action", "srcset"):
            value = attributes.get(attribute)
            assert value is None or value.startswith(("data:", "#")), (name, value)
    assert "@import" not in text
    assert "url(" not in text
    (policy,) = (m["content"] for m in page.all("meta") if m.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_links_have_targets_and_ids_are_unique(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    leads = {a["href"][1:] for a in page.all("a")}
    assert len(leads) > 10
    assert leads <= set(ids)


def test_every_picture_has_an_alternative_text(page):
    images = page.all("img")
    assert len(images) == 6
    assert all(len(image["alt"]) > 10 and image["width"] == "2" for image in images)
    charts = [svg for svg in page.all("svg") if svg.get("class") == "chart"]
    assert len(charts) > 10
    for svg in charts:
        assert svg["role"] == "img"
        assert " against " in svg["aria-label"]
    others = [svg for svg in page.all("svg") if svg.get("class") != "chart"]
    assert all(svg["aria-hidden"] == "true" for svg in others)


def test_tables_are_complete_without_javascript(page, text):
    assert "20.0 [18.0, 22.0]" in page.texts
    assert page.all("button") == []
    for table in re.findall(r"(?s)<table.*?</table>", text):
        rows = [len(re.findall(r"<t[hd]\b", row)) for row in re.findall(r"(?s)<tr>.*?</tr>", table)]
        assert len(set(rows)) == 1, table


def test_notes_are_shown_once(page):
    assert page.texts.count("test: made up") == 1


def test_the_same_files_give_the_same_bytes(folder, text, tmp_path):
    assert write_report([folder], tmp_path / "again.html").file.read_text() == text


def test_the_default_file_is_in_the_only_folder_or_the_current_one(tmp_path, monkeypatch):
    runs = [bare_run(tmp_path / name, seed=i).path for i, name in enumerate("ab")]
    assert write_report(runs[:1]).file == runs[0] / FILE
    monkeypatch.chdir(tmp_path)
    written = write_report(runs)
    assert written.file == Path(FILE)
    assert (tmp_path / FILE).is_file()
    assert (written.runs, written.problems) == (2, ())


def test_a_failed_write_leaves_no_partial_page(tmp_path):
    run = bare_run(tmp_path / "a").path
    out = tmp_path / "page.html"
    out.mkdir()
    with pytest.raises(FileError, match="Expected to be able to write"):
        write_report([run], out)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == []


def test_outputs_of_a_run_without_references_are_shown(tmp_path):
    run = whole_run(tmp_path / "a")
    run.references_file("test").unlink()
    page = Page(write_report([run.path]).file.read_text())
    assert OUTPUTS[0] in page.texts
    assert page.all("ins") == []
    assert "references beside outputs" in page.texts


def test_a_damaged_file_is_reported_and_the_rest_is_shown(tmp_path):
    run = whole_run(tmp_path / "a")
    run.metrics_file.write_text("{")
    other = bare_run(tmp_path / "b", 0.0)
    written = write_report([run.path, other.path], tmp_path / FILE)
    (problem,) = written.problems
    assert "metrics.json" in problem
    page = Page(written.file.read_text())
    assert problem in page.texts
    assert "20.0 [18.0, 22.0]" in page.texts


def test_a_folder_with_damaged_runs_only_is_refused_in_one_line(tmp_path):
    run = bare_run(tmp_path / "a")
    run.config_file.write_text("{")
    with pytest.raises(FileError, match="config.json"):
        write_report([run.path])
    assert not (run.path / FILE).exists()


def test_a_folder_name_that_is_not_unicode_is_shown(tmp_path):
    """No run is made under such a name, but it may be moved."""
    moved = tmp_path / os.fsdecode(b"run-\xff")
    try:
        bare_run(tmp_path / "run").path.rename(moved)
    except OSError:
        pytest.skip("this file system takes Unicode only")
    assert "run-\\udcff" in write_report([moved], tmp_path / FILE).file.read_text()


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
NARROW = 390
# Inside a frame of a telephone's width: how wide the page is, and what sorting by α gives.
MEASURE = """<script>addEventListener("load", () => {
  const button = [...document.querySelectorAll("th button")].find((b) => b.textContent === "α");
  button.click(); button.click();
  const first = button.closest("table").tBodies[0].rows[0].textContent;
  parent.postMessage([document.documentElement.scrollWidth, innerWidth, first].join("|"), "*");
})</script></head>"""
FRAME = f"""<!DOCTYPE html><script>
addEventListener("message", (e) => document.documentElement.dataset.found = e.data)
</script><iframe src="page.html" width="{NARROW}" height="800" style="border: 0"></iframe>"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to open the page with")
def test_a_browser_opens_the_page_without_errors_or_horizontal_scrolling(text, tmp_path):
    (tmp_path / "original.html").write_text(text)
    shown = opened(tmp_path / "original.html")
    assert shown.count("<button") > 20  # the policy allows its own script
    # The policy does not allow the test's own script.
    open_to_all = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    (tmp_path / "page.html").write_text(open_to_all.replace("</head>", MEASURE))
    (tmp_path / "frame.html").write_text(FRAME)
    (found,) = re.findall(r'data-found="([^"]*)"', opened(tmp_path / "frame.html"))
    width, window, first = found.split("|")
    assert int(window) == NARROW
    assert int(width) <= NARROW
    assert "0.1" in first


def opened(page: Path) -> str:
    """Returns the elements of a page once it is there; the browser must have no complaint."""
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu"),
            *("--enable-logging=stderr", f"--user-data-dir={page.parent / 'browser'}"),
            *("--virtual-time-budget=5000", "--dump-dom", page.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    return done.stdout


def test_an_anonymous_page_has_no_absolute_path_and_no_user_name(tmp_path, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    secret = (
        "/home/alice/data/x.npz",
        "/Users/secret corp/y",
        "~/secret",
        "C:\\Users\\secret\\z",
        "file:///srv/secret",
    )
    run = whole_run(tmp_path / "runs" / "of alice", data={"source": secret[1]})
    run.record_start(command=["lsk", "train", *secret, f"--set=data.source={secret[0]}"])
    bare = bare_run(tmp_path / "runs" / "unfinished")
    bare.record_start(command=["lsk", "train", "--run-dir", str(tmp_path / "secret")])
    named = write_report([tmp_path / "runs"], tmp_path / "named.html").file.read_text()
    found = write_report([tmp_path / "runs"], tmp_path / "page.html", anonymous=True)
    text = found.file.read_text()
    assert "alice" in named
    assert "secret" in named
    for one in ("alice", "secret", str(tmp_path), "/home", "npz"):
        assert one not in text
    assert "lsk train" in text
    page = Page(text)
    assert page.wrong == []
    assert len(page.elements) == len(Page(named).elements)


@pytest.mark.parametrize(("runs", "folded"), [(2, False), (201, True)])
def test_tables_of_more_than_200_rows_are_folded(runs, folded, tmp_path):
    for seed in range(runs):
        bare_run(tmp_path / f"run-{seed}", seed=seed)
    text = write_report([tmp_path]).file.read_text()
    assert (f": {runs} rows</summary>" in text) is folded
