"""Mails from their templates: plain text, and HTML of tables with inline styles, since mail programs strip the rest."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Bodies(NamedTuple):
    """One mail, said twice."""

    text: str
    html: str


def render(name: str, **values: Any) -> Bodies:
    """Return a mail from ``<name>.txt.j2`` and ``<name>.html.j2``; what is put into the page is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "span": span}
    text, html = (environment.get_template(f"{name}.{kind}.j2").render(values) for kind in ("txt", "html"))
    return Bodies(text, html)


def number(value: object, digits: int = 3) -> str:
    """Return a number with its digits; anything else as it is."""
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def span(ends: Sequence[float] | None, digits: int = 3) -> str:
    """Return an interval in words."""
    return f"{number(ends[0], digits)} to {number(ends[1], digits)}" if ends else "no interval"
