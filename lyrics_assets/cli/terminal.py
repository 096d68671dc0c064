"""The terminal that the commands print to."""

from rich.console import Console

PLAIN_WIDTH = 140
"""Columns where the output is no terminal."""


def open_console() -> Console:
    """Return the terminal; where the output is none, lines of so many columns."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=PLAIN_WIDTH, highlight=False)
