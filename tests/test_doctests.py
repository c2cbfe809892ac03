"""The examples in docstrings run."""

import doctest
import importlib
import importlib.util
import pkgutil

import pytest

import ls_keras

PACKAGES = (
    *("ls_base", "ls_keras", "lsk_engine", "lsk"),
    *("lsk_image", "lsk_speech", "lsk_translation"),
)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules() -> list[str]:
    """Returns every module that is shipped."""
    found = []
    for name in PACKAGES:
        package = importlib.import_module(name)
        found += [name, *(m.name for m in pkgutil.walk_packages(package.__path__, f"{name}."))]
    if importlib.util.find_spec("torch") is None:  # make test-peers has it
        found = [name for name in found if ".torch_" not in name]
    return found


class Parser(doctest.DocTestParser):
    """Reads examples between Markdown fences, too: the closing fence is no output."""

    def parse(self, string, name="<string>"):
        """Blanks the fences out, so that line numbers stay."""
        lines = ["" if line.strip().startswith("```") else line for line in string.split("\n")]
        return super().parse("\n".join(lines), name)


def examples(name: str) -> list[doctest.DocTest]:
    """Returns the docstrings of a module that have examples."""
    finder = doctest.DocTestFinder(parser=Parser(), exclude_empty=True)
    tests = finder.find(importlib.import_module(name), name)
    return [test for test in tests if test.examples]


@pytest.mark.parametrize("name", modules())
def test_the_examples_of_a_module_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report: list[str] = []
    for test in examples(name):
        runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
        runner.run(test, out=report.append)
    assert not report, "".join(report)


def test_examples_between_fences_are_found_and_can_fail():
    text = "```python\n>>> 1 + 1\n2\n>>> 1 + 1\n3\n```\n"
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(Parser().get_doctest(text, {}, "text", None, 0), out=report.append)
    assert (runner.tries, runner.failures) == (2, 1)


def test_the_loss_has_examples():
    names = [test.name for test in examples(ls_keras.SmoothedCE.__module__)]
    assert any(name.endswith(".SmoothedCE") for name in names)
