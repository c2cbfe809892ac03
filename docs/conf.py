"""Sphinx configuration. `make docs` builds with warnings as errors; no network is used."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import ls_keras

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs" / "extensions"))

project = "ls-keras"
project_copyright = "the ls-keras authors, Apache-2.0"
version = release = ls_keras.__version__

extensions = [
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "myst_nb",
    "sphinx_copybutton",
    "cli_reference",
    "markdown_docstrings",
    "mathml",
    "tutorials",
]
html_math_renderer = "mathml"
# The tutorials run when their pages are built, and keep what came out for the next build.
nb_execution_mode = "cache"
nb_execution_timeout = 900  # seconds a cell, on a busy machine
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_output_stderr = "warn"
nb_merge_streams = True
# What is copied of an example is what is typed: without prompts, without what came back.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
exclude_patterns = ["_build", "generated", "example_plugin", "api/generated/*/modules.rst"]
html_theme = "furo"
html_title = "ls-keras"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["pages.css"]

# In docstrings as in Markdown, `x` is code.
default_role = "code"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    # Methods of every Keras object that users do not call.
    "exclude-members": "build, compute_mask, compute_output_shape, compute_output_spec, "
    "from_config, get_config",
}
# Pages of every module of the engine; those of the library list what its packages export.
apidoc_modules = [
    {
        "path": path,
        "destination": f"api/generated/{name}",
        "separate_modules": True,
        "module_first": True,
    }
    for name, path in {"engine": "../engine/lsk_engine", "base": "../ls_base"}.items()
]
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Call arguments", "params_style")]
python_maximum_signature_line_length = 88
