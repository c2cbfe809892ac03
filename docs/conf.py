"""Sphinx configuration. `make docs` builds with warnings as errors; no network is used."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# First, so that everything is registered: `lsk.main` asks for lazy exports where it comes first.
import ls_keras

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "ls-keras"
project_copyright = "the ls-keras authors, Apache-2.0"
version = release = ls_keras.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_parser",
    "cli_reference",
    "markdown_docstrings",
    "public_symbols",
]
exclude_patterns = ["_build", "generated", "example_plugin"]
html_theme = "furo"
html_title = "ls-keras"
html_copy_source = False

# In docstrings as in Markdown, `x` is code.
default_role = "code"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    # What every Keras object has, and nobody calls by hand.
    "exclude-members": "build, compute_mask, compute_output_shape, compute_output_spec, "
    "from_config, get_config",
}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Call arguments", "params_style")]
python_maximum_signature_line_length = 88
