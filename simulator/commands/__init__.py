"""The command line. A command's module is imported only when that command is used, so that `--help` answers at once."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Sequence

import click

COMMANDS = {
    "run": "Run a scenario and draw its accuracy-versus-request-cost curve.",
    "check": "Check a scenario without running it.",
    "plot": "Draw the curve of finished results again, with other axes or in another format.",
    "report": "Write finished results as one HTML page to show to others.",
    "trace": "Write what happened in a run as a trace, to look at in Perfetto.",
    "compare": "Lay the results of several runs side by side.",
    "stress": "Raise the load until the cloud breaks, and draw the map.",
    "plan": "Find the cheapest cloud and threshold that keep an objective.",
    "evaluate": "Rank the whole catalogue with models by themselves, side by side.",
    "validate": "Hold the engine against queueing theory.",
    "bench": "Measure how fast a scenario runs, beside what, and what bounds it.",
    "calibrate": "Measure how long this machine takes to make candidate lists, as a table of service times.",
    "data": "List, fetch, describe and import behaviour data.",
    "models": "List and fetch published language models.",
    "schema": "Print the JSON Schema of a scenario, for editors.",
}


class Lazy(click.Group):
    """A group that knows its commands' names and first lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command that is used."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"simulator.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="recfleet", prog_name="recfleet")
def recfleet() -> None:
    """Simulate device-cloud recommendation fleets: accuracy against request cost.

    Start with:  recfleet run scenarios/quickstart.yaml
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Bad input ends in one line and exit code 2, Ctrl-C in exit code 130."""
    try:
        code = recfleet.main(args=arguments, prog_name="recfleet", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nrecfleet: stopped; what was finished is kept, the same command goes on from there", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        click.echo(f"recfleet: {error.filename or 'a file'}: cannot be written ({error.strerror})", err=True)
        sys.exit(2)
    except Exception as error:
        if not _is_for_the_user(error):
            raise
        click.echo(f"recfleet: {error}", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)


def _is_for_the_user(error: Exception) -> bool:
    """Whether an error describes bad input. Its class is loaded already if it was raised."""
    rooms = [sys.modules.get("scenarios.errors"), sys.modules.get("analysis.errors")]
    kinds = [getattr(room, name) for room in rooms for name in ("UserError", "TableError") if hasattr(room, name)]
    return isinstance(error, tuple(kinds))
