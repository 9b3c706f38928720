# SPDX-License-Identifier: Apache-2.0
"""What a node serves over HTTP, read by Prometheus' own parser in Python."""

import time
import urllib.error
import urllib.request
from threading import Event

from prometheus_client.parser import text_string_to_metric_families

AT_ONCE = 10


def fetch(url: str) -> tuple[int, str]:
    """(status, body)"""
    try:
        with urllib.request.urlopen(url, timeout=AT_ONCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Page:
    """The families of one scrape. Python's exporter adds the time at which each counter was made; nobody else does."""

    def __init__(self, text: str):
        self.families = {family.name: family for family in text_string_to_metric_families(text)
                         if not family.name.endswith("_created")}

    def samples(self, name: str) -> dict[frozenset, float]:
        """{labels: value} of the samples of that very name."""
        return {frozenset(sample.labels.items()): sample.value
                for family in self.families.values() for sample in family.samples if sample.name == name}

    def value(self, name: str, **labels: str) -> float:
        found = self.samples(name)
        return found[frozenset(labels.items())]

    def label_names(self) -> dict[str, frozenset]:
        """The label names of each sample name."""
        return {sample.name: frozenset(sample.labels) for family in self.families.values()
                for sample in family.samples if not sample.name.endswith("_created")}

    def types(self) -> dict[str, str]:
        return {family.name: family.type for family in self.families.values() if family.samples}


def scrape(url: str) -> Page:
    status, body = fetch(url)
    assert status == 200, body
    return Page(body)


def scrape_until(url: str, holds, seconds: float = 60) -> Page:
    """Scrapes until holds(page): Python collects in the background, once a second."""
    end = time.monotonic() + seconds
    pause = Event()
    while True:
        page = scrape(url)
        if holds(page):
            return page
        assert time.monotonic() < end, f"it never came: {page.families.keys()}"
        pause.wait(0.1)
