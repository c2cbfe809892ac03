"""Docstrings as this code base writes them (as Keras does), for Sphinx's reStructuredText.

What Markdown has in them: fences around code, single backticks for code (`default_role` in
`conf.py`), indented formulas, links, |x| for an absolute value, and examples right below their
heading.
"""

import re

_CODE = re.compile(r"(`+[^`]*`+)")
# What an argument is, in one letter, would begin a list: "num_classes: K."
_LETTER = re.compile(r"^( +\*{0,2}\w+(?: \(.*\))?: )(?=(?:[A-Za-z]|[ivxlcdm]+|\d+)\.(?: |$))")
_LINK = re.compile(r"\[([^\]\[]+)\]\((https?://[^)\s]+)\)")


def convert(lines: list[str]) -> list[str]:
    """Returns the lines of a docstring with Markdown's forms in reStructuredText's.

    Args:
        lines: Without the common indentation.
    """
    # Links first: they may go over the end of a line.
    lines = _LINK.sub(_link, "\n".join(lines)).split("\n")
    converted: list[str] = []
    fence: str | None = None  # the indentation of the open fence
    literal: int | None = None  # the indentation of the text that a literal block belongs to
    before = ""  # the last line that was not blank
    for number, line in enumerate(lines):
        text, indent = line.strip(), len(line) - len(line.lstrip())
        if text.startswith("```"):
            if fence is None:
                fence = line[:indent]
                converted += ["", f"{fence}.. code-block:: {text[3:].strip() or 'text'}", ""]
            else:
                fence = None
                converted.append("")
            before = line
            continue
        if fence is not None:
            converted.append(f"    {line}" if text else "")
            continue
        if before.strip() in ("Returns:", "Yields:") and ":" in text:
            # What stands before a colon would be taken for the type; signatures have that.
            line = f"{line[:indent]}: {text}"
        if text in ("Example:", "Examples:") and not _next_is_indented(lines, number, indent):
            converted += [f"{line[:indent]}.. rubric:: {text[:-1]}", ""]
            before = line
            continue
        if literal is not None and text and indent <= literal:
            literal = None
        if literal is None and text and indent >= 4 and _starts_formula(lines, number, before):
            converted += ["::", ""]
            literal = 0
        if literal is None and not text.startswith((">>>", "...")):
            parts = _CODE.split(line)
            parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
            line = _LETTER.sub(r"\1\\", "".join(parts))
        if text.endswith("::") and literal is None:
            literal = indent
        converted.append(line)
        before = line if text else before
    return converted


def _link(match: re.Match) -> str:
    return f"`{' '.join(match[1].split())} <{match[2]}>`__"


def _starts_formula(lines: list[str], number: int, before: str) -> bool:
    """Whether an indented line follows a blank one and unindented prose, as code does."""
    blank = number > 0 and not lines[number - 1].strip()
    prose = bool(before) and not before[0].isspace() and not before.startswith(("- ", "* ", "```"))
    return blank and prose


def _next_is_indented(lines: list[str], number: int, indent: int) -> bool:
    following = next((line for line in lines[number + 1 :] if line.strip()), "")
    return len(following) - len(following.lstrip()) > indent


def _process(app, what, name, obj, options, lines: list[str]) -> None:
    lines[:] = convert(lines)
    if what in ("attribute", "data", "property") and ":" in lines[0]:
        lines[0] = f": {lines[0]}"  # as of what is returned: no type stands before a colon


def _skip(app, what, name, obj, skip, options):
    """Skips fields of named tuples, and names that a package of the engine only re-exports."""
    doc = getattr(obj, "__doc__", None) or ""
    if doc.startswith("Alias for field number"):
        return True
    page = app.env.docname.rpartition("/")[2]
    return True if page == "lsk_engine" and what == "module" else None


def setup(app):
    """Connects the conversion to autodoc, before Napoleon reads the sections."""
    app.connect("autodoc-process-docstring", _process, priority=400)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True}
