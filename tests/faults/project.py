"""Faults of what is around the guide: examples in prose, the reference, versions."""

from __future__ import annotations

from tests.faults.checks import SOURCES, pytest
from tests.faults.fault import Replace, fault

API = pytest(f"{SOURCES}::test_every_public_name_is_in_the_reference")
VERSIONS = pytest(f"{SOURCES}::test_every_package_has_an_exact_version")
ACTIONS = pytest(f"{SOURCES}::test_every_action_is_pinned_to_a_commit")

# A fault reads better as a few full lines than as one for each argument.
# fmt: off
FAULTS = (
    fault("a doctest that lies", "README.md says that another parameter changed",
        pytest("README.md"), "['1.weight', '2.bias']",
        Replace("README.md", "['2.weight', '2.bias']", "['1.weight', '2.bias']")),
    fault("a doctest that lies", "the docstring of `explain` has another number",
        pytest("src/gradguide/_explain/explain.py"), "frozen            body.*  17",
        Replace("src/gradguide/_explain/explain.py", "body.*  16", "body.*  17")),
    fault("an API name without docs", "the reference lacks `saved`", API,
        "docs/reference/api.md lacks ['saved']",
        Replace("docs/reference/api.md", ".. autofunction:: saved\n", "")),
    fault("an API name without docs", "`gradguide` offers one more name", API,
        "docs/reference/api.md lacks ['thaw']",
        Replace("src/gradguide/__init__.py", '"unfreeze",', '"unfreeze", "thaw",')),
    fault("an unpinned dependency",
        "a group needs a package that constraints.txt doesn't know", VERSIONS,
        "has no exact version of ['left-pad']",
        Replace("pyproject.toml", '    "babel", ', '    "left-pad",\n    "babel", ')),
    fault("an unpinned dependency", "constraints.txt allows any newer version of one",
        VERSIONS, "has no exact version of ['sphinx-gallery']",
        Replace("constraints.txt", "sphinx-gallery==", "sphinx-gallery>=")),
    fault("an unpinned action", "nightly.yml names a tag in the place of a commit",
        ACTIONS, "nightly.yml uses ['actions/checkout@v5']",
        Replace(".github/workflows/nightly.yml",
            "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8",
            "actions/checkout@v5")),
)
# fmt: on
