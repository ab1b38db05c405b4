"""What analysis refuses."""

from __future__ import annotations


class AnalysisError(ValueError):
    """A table that breaks its contract, or numbers outside the domain of a formula."""


class UnstableError(AnalysisError):
    """A queue that has no steady state: more work arrives than its servers can do."""
