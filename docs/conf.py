"""How the pages of this folder become a book: `make docs`."""

from amierules import __version__

project = "amierules"
author = "the amierules developers"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "index"
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"amierules {release}"
# Pages speak of files of the repository that are no pages of the book (a test looks whether they exist), and show CSV.
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]
autodoc_typehints = "description"
