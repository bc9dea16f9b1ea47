"""Asks the search as a reader does."""

import re


def ask(tab, query):
    """Type a query as if it was pasted, and wait for its results."""
    tab.locator(".search-field").fill("")
    tab.locator(".search-field").focus()
    tab.keyboard.insert_text(query.strip())
    wait(tab)


def wait(tab):
    """Wait for the results of what was typed."""
    tab.locator(".search-results[aria-busy=false]").wait_for(state="attached")


def addresses(tab, selector=".search-title"):
    """Return where the results lead, below the language."""
    links = tab.locator(f".search-results {selector}")
    found = links.evaluate_all("links => links.map((link) => link.href)")
    return [re.sub(r".*/(en|zh-cn)/", "", address) for address in found]
