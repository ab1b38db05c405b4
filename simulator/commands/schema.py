"""`recfleet schema`: the JSON Schema of a scenario."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Print the JSON Schema of a scenario, with which an editor completes and checks as you write.

    Save it, and open a scenario with the line  # yaml-language-server: $schema=FILE
    """
    import json

    from simulator.policies import AnyScenario

    schema = AnyScenario.model_json_schema()
    schema["title"] = "recfleet scenario"
    for name, definition in schema["$defs"].items():
        if name.startswith("Sweep"):
            definition["title"] = "Sweep"
    click.echo(json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2))
