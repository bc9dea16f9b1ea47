"""Settings of Sphinx. The docstring of each extension says what it adds."""

from importlib import metadata

import gradguide_site
from gradguide_site.running.packages import filename_pattern

project = html_title = "gradguide"
author = "The gradguide authors"
copyright = f"2026, {author}"  # noqa: A001 (Sphinx's name for it)

extensions = [
    *("myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"),
    *("sphinx_copybutton", "sphinx_design", "sphinx_gallery.gen_gallery"),
    "gradguide_site",
]
exclude_patterns = [
    *("errors", "examples", "gallery/backreferences", "locale"),
    "reference/errors/index.rst",  # reference/errors.md is the index
]
templates_path = [str(path) for path in gradguide_site.folders("templates")]
locale_dirs = ["locale"]
gettext_compact = False  # one catalogue for each page
smartquotes_action = "D"  # only dashes: other quotes would hide a message
smartquotes_excludes = {}
# files that the book leaves out, and spaces in the path of the checkout
suppress_warnings = ["epub.unknown_project_files", "sphinx_gallery.space_in_filename"]
torch_docs = "https://docs.pytorch.org/docs/stable/"

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence"]
myst_heading_anchors = 3
add_module_names = False
autodoc_typehints = "signature"
napoleon_use_ivar = True
python_use_unqualified_type_names = True
# references to other projects, whose inventories would need the network
nitpick_ignore_regex = [("py:class", r"(collections|types|typing)\..*|Axes")]

# only for the book, but equal for all builders: Sphinx reads all pages again after a
# change of a setting
epub_tocscope = "includehidden"  # the toctrees are hidden on the site
epub_exclude_files = ["_static/cards/en.png", "_static/cards/zh-CN.png"]

html_theme = "furo"
html_static_path = [str(path) for path in gradguide_site.folders("static")]
html_css_files = ["gradguide.css", "search/search.css"]
html_js_files = [
    (f"{name}.js", {"defer": ""})
    for name in (
        "copy_all",
        "errors/old_addresses",
        "language",
        "scrolling",
        "search/open",
        "tags",
    )
]
html_favicon = str(gradguide_site.HERE / "pages/static/favicon.svg")
html_context = {"torch_version": metadata.version("torch").partition("+")[0]}
html_last_updated_fmt = "%Y-%m-%d"
html_show_sourcelink = html_copy_source = html_use_index = False
copybutton_exclude = ".linenos, .gp, .go"  # copy code, never prompts and outputs
copybutton_selector = "div:not(.sphx-glr-script-out) > div.highlight > pre"

sphinx_gallery_conf = {
    "examples_dirs": ["examples", "errors"],
    "gallery_dirs": ["gallery", "reference/errors"],
    "filename_pattern": filename_pattern("examples", "errors"),
    "subsection_order": "gradguide_site.running.reading_order.chapter",
    "within_subsection_order": "gradguide_site.running.reading_order.Pages",
    "reset_modules": ("gradguide_site.running.fresh_start.guard",),
    "reset_modules_order": "both",  # before and after each script
    "image_scrapers": (
        "gradguide_site.running.figures.scrape",
        "gradguide_site.running.fresh_start.keep",
    ),
    "only_warn_on_example_error": True,  # one build reports every script that fails
    "default_thumb_file": str(gradguide_site.HERE / "pages/static/script.svg"),
    "capture_repr": ("_repr_html_",),  # show tables, besides what a script prints
    "backreferences_dir": "gallery/backreferences",  # the pages that use a function
    "doc_module": ("gradguide",),
    "inspect_global_variables": False,  # reading `.grad` of a non-leaf gives a warning
    "min_reported_time": 10**9,  # no times on pages: they differ in each build
    "write_computation_times": False,
    "show_signature": False,
    "download_all_examples": False,  # gradguide_site.pages.page_bar offers each chapter
}
