"""The schema of a scenario file."""

from scenarios.schema.scenario import SCHEMA_VERSION, Scenario, Sweep

__all__ = ["SCHEMA_VERSION", "Scenario", "Sweep"]
