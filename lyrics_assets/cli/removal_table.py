"""What was removed from the stores, or would be, as a table for the terminal."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from lyrics_assets.retention import Removal


def removal_table(removals: "Iterable[Removal]", verb: str) -> Table:
    """Return one row a kind and reason: how many things, how many bytes, the first of them by name."""
    table = Table(title=f"What {verb}", title_justify="left", title_style="bold")
    for name in ("kind", "reason", "number", "MB", "the first"):
        table.add_column(name, justify="right" if name in ("number", "MB") else "left", overflow="fold")
    groups: dict[tuple[str, str], list[Removal]] = {}
    for removal in removals:
        groups.setdefault((removal.kind, removal.reason), []).append(removal)
    for (kind, reason), members in groups.items():
        known = [member.size for member in members if member.size is not None]
        megabytes = f"{sum(known) / 1e6:.2f}" if known else "?"
        table.add_row(kind, reason, str(len(members)), megabytes, members[0].name)
    if not groups:
        table.add_row("nothing", "all is younger than what the settings keep", "0", "0", "")
    return table
