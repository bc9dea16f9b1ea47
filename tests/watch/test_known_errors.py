"""The command names the page that explains an error."""

import pytest
import torch

from gradguide._watch.known_errors import PAGES, page_of


@pytest.mark.parametrize(
    ("cause", "name"),
    [
        (
            lambda: torch.ones(1).backward(),
            "element_0_of_tensors_does_not_require_grad",
        ),
        (lambda: torch.optim.SGD([], lr=1), "optimizer_got_an_empty_parameter_list"),
        (lambda: {}["initial_lr"], "keyerror_initial_lr"),
        (lambda: {}["lr"], None),
        (lambda: torch.ones(2) @ torch.ones(3), None),
    ],
)
def test_an_error_leads_to_its_page(cause, name):
    """An error that the guide does not explain has none."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 of several classes
        cause()
    assert page_of(caught.value) == (f"{PAGES}{name}.html" if name else None)


def test_no_error_has_no_page():
    """The script has ended."""
    assert page_of(None) is None
