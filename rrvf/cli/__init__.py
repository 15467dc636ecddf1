"""The command `rrvf` (also `python -m rrvf`): one thin function per command; the rest of the package does the work.

Each file of this package holds a group of commands. Commands import what they call when they run, so that `--help` is
fast.

Exit codes: 0 success; 1 a render, a comparison or a check failed; 2 bad input, or a machine that cannot do it
(`harness_error`), with one line that says why.
"""

from __future__ import annotations

import sys
from io import TextIOWrapper

import typer
from typer.exceptions import TyperException

from rrvf.cli import data, evaluate, judge, machine, pictures, plan, score, train
from rrvf.environment import listed
from rrvf.errors import UserError
from rrvf.outputs import end_on_signals, exit_code, say

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="RRVF: from the picture of a chart or a web page to the code that draws it. "
    "Render, judge, train, evaluate.\n\n"
    "Exit codes: 0 success; 1 a render, a comparison or a check failed; "
    "2 bad input, in one line.",
    # Click rewraps paragraphs, except those that begin with \b.
    epilog=f"\b\nSettings that are environment variables:\n{listed()}",
)
# Commands of a group without a name become commands of `rrvf` itself.
app.add_typer(pictures.app)
app.add_typer(judge.app, name="judge")
app.add_typer(data.app, name="data")
app.add_typer(plan.app)
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app)
app.add_typer(score.app, name="score")
app.add_typer(machine.app)


def main() -> None:
    """Run the command line and exit. An error that the user can mend gives one line on stderr and exit code 2."""
    end_on_signals()
    for stream in (sys.stdout, sys.stderr):  # a terminal without umlauts gets \\xfc, not a traceback
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run())


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code. arguments: None: those of the process."""
    return exit_code(lambda: _called(arguments), say)


def _called(arguments: list[str] | None) -> int:
    try:
        return typer.main.get_command(app).main(arguments, prog_name="rrvf", standalone_mode=False) or 0
    except typer.Abort:
        raise KeyboardInterrupt from None
    except TyperException as error:  # a wrong command line
        message = error.format_message()
        if message.startswith("Usage:"):  # a command without arguments prints its help
            print(message, file=sys.stderr)
            return 2
        asked = getattr(error, "ctx", None)
        raise UserError(
            " ".join(message.removeprefix("Invalid value for ").split()).rstrip(".")
            + (f" (see `{asked.command_path} --help`)" if asked else "")
        ) from None
