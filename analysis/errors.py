"""What analysis refuses."""

from __future__ import annotations


class TableError(ValueError):
    """A table of results that breaks its contract (docs/design.md), or that cannot give what is asked of it."""


class UnstableError(ValueError):
    """A queue that has no steady state: more work arrives than its servers can do."""
