"""The command that brings in a file of songs."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lyrics_assets.cli.options import home_option, parse_date, read_settings
from lyrics_assets.home_guard import must_be_writable, telling_of_a_full_disk
from lyrics_assets.settings import Settings

if TYPE_CHECKING:
    from lyrics_assets.lyrics.imports import ImportRules, Tally
    from lyrics_assets.resources.lake import Lake


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", required=True, help="Name of this source in the lake: a-z, 0-9, _; not a crawled site's.")
@click.option("--date", "date_text", required=True, metavar="DATE", help="Extraction date, YYYY-MM-DD.")
@click.option("--columns", default="", help="What FILE calls the fields: title=Titulo,artist=Banda; views= for none.")
@click.option("--genre-names", default="", help='What FILE calls the genres: "hip-hop/rap=Hip Hop,axé=Pop".')
@click.option("--genre", help="The genre of every row, instead of a column.")
@home_option
def import_songs(
    file: Path, source: str, date_text: str, columns: str, genre_names: str, genre: str | None, home: Path | None
) -> None:
    """Import the songs of FILE as a source's raw songs of a date.

    FILE ends in .csv or .jsonl, maybe packed (.gz), or in .parquet. Rows that are no usable song are kept aside.
    """
    from lyrics_assets.assets.extraction import SOURCES
    from lyrics_assets.lyrics.imports import ImportArgumentError, check_file, parse_rules

    date = parse_date(date_text)
    try:
        rules = parse_rules(source, columns, genre_names, genre, taken=SOURCES)
        check_file(file, rules)
        settings = read_settings(home)
        must_be_writable(settings.home.absolute())
        with telling_of_a_full_disk(settings.home.absolute()):
            tally = _import(file, rules, date.isoformat(), settings)
    except ImportArgumentError as error:
        raise click.UsageError(str(error)) from error
    width = max(len(name) for name, _ in tally.lines())
    for name, count in tally.lines():
        click.echo(f"{name:<{width}} {count:>9}")


def _import(file: Path, rules: "ImportRules", date: str, settings: Settings) -> "Tally":
    """Publish the songs and the rejects of a file, whole or not at all, and report them to Dagster."""
    import dagster as dg

    from lyrics_assets.assets.extraction import raw_name
    from lyrics_assets.definitions import build_resources
    from lyrics_assets.lyrics.imports import import_rejects_name, import_songs
    from lyrics_assets.runs import open_instance

    lake: Lake = build_resources(settings)["lake"]  # type: ignore[assignment]
    scratch = settings.home.absolute() / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="import-", dir=scratch) as folder:
        good, bad = Path(folder, "songs.jsonl"), Path(folder, "rejects.jsonl")
        with good.open("w", encoding="utf-8") as songs, bad.open("w", encoding="utf-8") as rejects:
            tally = import_songs(file, rules, songs, rejects)
        # Also without a reject: those of an import before this one are no longer true.
        rejects_address = lake.publish(str(bad), import_rejects_name(rules.source, date))
        address = lake.publish(str(good), raw_name(rules.source, date))
    with open_instance(settings.home.absolute(), settings.dagster_home) as instance:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                ["raw", "imported"],
                partition=date,
                metadata={
                    "dagster/row_count": tally.imported,
                    "source": rules.source,
                    "rows": tally.rows,
                    "rejected": tally.rejected.total(),
                    "file": dg.MetadataValue.path(address),
                    "rejects": dg.MetadataValue.path(rejects_address),
                },
            )
        )
    return tally
