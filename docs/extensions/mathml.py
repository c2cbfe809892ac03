"""Formulas as MathML in the page itself: browsers draw it without a script or a network."""


def _inline(translator, node) -> None:
    from docutils.nodes import SkipNode
    from latex2mathml.converter import convert

    translator.body.append(convert(node.astext()))
    raise SkipNode


def _block(translator, node) -> None:
    from docutils.nodes import SkipNode
    from latex2mathml.converter import convert

    formulas = (convert(part, display="block") for part in parts(node.astext()))
    items = "".join(f"<div>{formula}</div>" for formula in formulas)
    translator.body.append(f'<div class="formula">{items}</div>\n')
    raise SkipNode


def parts(formula: str) -> list[str]:
    r"""Returns what stands beside one another in a display; narrow pages put it into several lines.

    Args:
        formula: In LaTeX; `\qquad` outside of braces parts it.
    """
    found: list[str] = []
    for part in formula.split(r"\qquad"):
        if found and (found[-1].count("{") != found[-1].count("}") or r"\begin" in found[-1]):
            found[-1] += rf"\qquad{part}"
        else:
            found.append(part)
    return [part.strip() for part in found if part.strip()]


def setup(app) -> dict[str, bool]:
    """Registers the renderer that `html_math_renderer = "mathml"` chooses."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
