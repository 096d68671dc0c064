"""Commands that only look: the genre of a lyric, trends, models, the status of the installation."""

import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lyrics_assets.cli.options import home_option, parse_any_date, read_settings, registered
from scrapy_project.genres import GENRE_NAMES

if TYPE_CHECKING:
    from lyrics_assets.resources.feature_store import FeatureStore
    from lyrics_assets.resources.tracking import Tracking


@click.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--url", help="Ask a running service instead of the local champion.")
@home_option
def classify(file: Any, url: str | None, home: Path | None) -> None:
    """Tell the genre of the lyric in FILE, or on standard input for -."""
    from lyrics_assets.lyrics.text import count_words

    lyrics = file.read()
    if not count_words(lyrics):
        raise click.UsageError(f"{file.name}: holds no word")
    if url:
        from lyrics_assets.serving.client import classify as ask

        probabilities = ask(url, lyrics)["probabilities"]
    else:
        from lyrics_assets.definitions import build_resources
        from lyrics_assets.resources.tracking import CHAMPION

        tracking = build_resources(read_settings(home))["tracking"]
        probabilities = tracking.load(tracking.get(CHAMPION)).probabilities(lyrics)
    for genre, probability in probabilities.items():
        click.echo(f"{genre:<12} {probability:6.1%}  {'█' * round(probability * 40)}")


@click.command()
@click.option("--genre", help="One genre in full. Default: all, side by side.")
@click.option("--since", metavar="DATE", help="First date, YYYY-MM-DD. Default: 90 days up to the last one.")
@click.option("--until", metavar="DATE", help="Last date, YYYY-MM-DD. Default: the newest stored one.")
@home_option
def trends(genre: str | None, since: str | None, until: str | None, home: Path | None) -> None:
    """Print how the genres change: songs that come and go, words and themes that rise and fall."""
    from lyrics_assets.cli.terminal import open_console
    from lyrics_assets.definitions import build_resources
    from lyrics_assets.lyrics.trends.history import COLUMNS
    from lyrics_assets.lyrics.trends.report import measure_trends, window
    from lyrics_assets.lyrics.trends.terminal import print_trends

    if genre:
        known = {name.casefold(): name for name in GENRE_NAMES}
        if genre.casefold() not in known:
            raise click.UsageError(f"--genre: {genre!r} is not known; allowed: {', '.join(GENRE_NAMES)}")
        genre = known[genre.casefold()]
    first, last = parse_any_date("--since", since), parse_any_date("--until", until)
    if first and last and first > last:
        raise click.UsageError(f"--since: {first} is after --until, {last}")
    store: FeatureStore = build_resources(read_settings(home))["feature_store"]  # type: ignore[assignment]
    stored = store.dates()
    if not stored:
        raise click.ClickException("the feature store holds no date: run the extraction job first")
    dates, previous = window(stored, first, last)
    if not dates:
        raise click.ClickException(f"no date stored in that time; the store holds {stored[0]} to {stored[-1]}")
    report = measure_trends(dates, lambda date: store.read_date(date, COLUMNS), previous)
    if genre and genre not in report["genres"]:
        raise click.ClickException(f"no song of {genre} since {dates[0]}; genres: {', '.join(report['genres'])}")
    print_trends(report, open_console(), genre)


@click.command()
@home_option
def models(home: Path | None) -> None:
    """Print the registered versions of the model: figures, champion and challenger, promoted or not and why."""
    from lyrics_assets.cli.model_table import model_table
    from lyrics_assets.cli.terminal import open_console
    from lyrics_assets.definitions import build_resources

    tracking: Tracking = build_resources(read_settings(home))["tracking"]  # type: ignore[assignment]
    versions = registered(tracking)
    console = open_console()
    console.print(model_table(versions))
    if not any("champion" in model.aliases for model in versions):
        console.print("No version is champion, so none is served: the newest reports say why.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print all facts as JSON.")
@home_option
def status(as_json: bool, home: Path | None) -> None:
    """Tell how the installation is: what it holds, how old that is, what failed, what runs by itself.

    Exit code 0 if it is healthy, 1 if not. Looks only and writes nothing.
    """
    from lyrics_assets.cli.status import find_problems, read_status
    from lyrics_assets.cli.status_table import print_status
    from lyrics_assets.cli.terminal import open_console

    facts = read_status(read_settings(home), dt.datetime.now(dt.UTC))
    problems = find_problems(facts)
    if as_json:
        click.echo(json.dumps({"healthy": not problems, "problems": problems, **facts}, ensure_ascii=False, indent=2))
    else:
        print_status(facts, problems, open_console())
    sys.exit(1 if problems else 0)
