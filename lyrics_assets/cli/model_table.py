"""The registered versions of the model as a table for the terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lyrics_assets.resources.tracking import RegisteredModel


def model_table(versions: "Sequence[RegisteredModel]") -> Table:
    """Return one row a version: what it learned from, how good it is for new artists, why it was promoted or not."""
    table = Table(title="Registered models", title_justify="left", title_style="bold", expand=False)
    table.add_column("version", justify="right")
    table.add_column("alias")
    table.add_column("trained, UTC")
    table.add_column("lyrics of")
    table.add_column("songs", justify="right")
    table.add_column("macro-F1, new artists\n95 % interval", justify="right")
    table.add_column("promoted", overflow="fold")
    for model in versions:
        tags = model.tags
        style = "bold" if "champion" in model.aliases else None
        table.add_row(
            str(model.version),
            "\n".join(sorted(model.aliases)),
            tags.get("trained_at", "?")[:16].replace("T", " "),
            f"{tags.get('first_extraction_date', '?')}\n{tags.get('last_extraction_date', '?')}",
            tags.get("n_train", "?"),
            _figure(tags),
            Text(_verdict(tags)),
            style=style,
        )
    return table


def _figure(tags: dict[str, str]) -> str:
    if "macro_f1" not in tags:
        return "not evaluated"
    value, low, high = (float(tags[name]) for name in ("macro_f1", "macro_f1_low", "macro_f1_high"))
    songs = f"\n{tags['n_test']} songs" if "n_test" in tags else ""
    return f"{value:.3f}\n{low:.3f} to {high:.3f}{songs}"


def _verdict(tags: dict[str, str]) -> str:
    back = f"; rolled back {tags['rolled_back_at'][:10]}" if "rolled_back_at" in tags else ""
    if "promotion" not in tags:
        return f"unknown{back}"
    return f"{'yes' if tags.get('promoted') == 'true' else 'no'}: {tags['promotion']}{back}"
