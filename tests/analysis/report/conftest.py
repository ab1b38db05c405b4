"""Finished runs to report, and a browser to look at them with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import chromium
import made_up
import pytest

from analysis.report.folder import Results, read


@pytest.fixture(scope="session")
def browser() -> Iterator[chromium.Browser]:
    found = chromium.find()
    if found is None:
        pytest.skip(f"no Chromium: none of {', '.join(chromium.NAMES)} is installed, and RECFLEET_CHROMIUM names none")
    opened = chromium.Browser(found)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; a test that changes it makes its own copy."""
    return made_up.make(tmp_path_factory.mktemp("results") / "made-up")


@pytest.fixture(scope="session")
def results(folder: Path) -> Results:
    return read(folder)
