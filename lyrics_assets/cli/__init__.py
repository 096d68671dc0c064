"""The command `lyrics`: the whole graph from a terminal. Exit code 0 is success, 1 a failure, 2 a wrong argument.

A module a kind of command; what they share is in `options` (arguments, settings, locks) and `terminal`.
"""

import gc
import os
import signal
import sys
from functools import partial
from typing import Any, NoReturn

import click

from lyrics_assets.cli import imports, questions, servers, upkeep, work
from lyrics_assets.home_guard import keep_private
from lyrics_assets.settings import SettingsError

_COLLECT_AT = (50_000, 20, 20)
"""Objects until Python looks for garbage: at its own 700, the imports of a run take a sixth longer and leave none."""


class Group(click.Group):
    """Tells every error that a user can mend in one line; the traceback comes with --verbose."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except SettingsError as error:
            raise click.UsageError(str(error)) from error
        except Exception as error:
            if ctx.params.get("verbose"):
                raise
            ours = type(error).__module__.startswith(("lyrics_assets.", "scrapy_project."))
            raise click.ClickException(str(error) if ours else f"{type(error).__name__}: {error}") from error


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--verbose", is_flag=True, help="Show Dagster's log and the traceback of an error.")
@click.pass_context
def main(ctx: click.Context, verbose: bool) -> None:
    """Learn the musical genre of Portuguese song lyrics, from the crawl to the endpoint."""
    ctx.obj = verbose
    # Given back for whoever runs the command within a process of their own.
    ctx.call_on_close(partial(os.umask, keep_private()))
    ctx.call_on_close(partial(gc.set_threshold, *gc.get_threshold()))
    gc.set_threshold(*_COLLECT_AT)
    signal.signal(signal.SIGTERM, _stop)


for _command in (
    *(work.run, work.demo, servers.sandbox, servers.ui, servers.serve),
    *(questions.classify, questions.trends, questions.models, questions.status),
    *(upkeep.rollback, upkeep.agent, upkeep.prune, upkeep.migrate, imports.import_songs),
):
    main.add_command(_command)


def _stop(*_: object) -> NoReturn:
    """Turn SIGTERM into an ordinary way out, on which everything that was started is stopped."""
    sys.exit(128 + signal.SIGTERM)
