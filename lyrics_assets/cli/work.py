"""Commands that run the graph in this process."""

import datetime as dt
from pathlib import Path

import click

from lyrics_assets.cli.options import (
    at_work,
    check_genres,
    home_option,
    parse_date,
    read_settings,
    sandbox_for,
    with_songbook,
)


@click.command()
@click.option("--date", "date_text", metavar="DATE", help="Extraction date, YYYY-MM-DD. Default: today in São Paulo.")
@click.option("--sites", type=click.Choice(["sandbox", "live"]), help="Imitated sites on loopback, or the real ones.")
@click.option("--songbook", type=click.Path(path_type=Path), help="Songs that the sandbox shows: a file or a folder.")
@click.option("--genres", default="", help="Genres to ask for, parted by commas. Default: all.")
@click.option("--songs-per-genre", type=click.IntRange(1, 1000), help="Songs asked of each site for each genre.")
@home_option
@click.pass_obj
def run(
    verbose: bool,
    date_text: str | None,
    sites: str | None,
    songbook: Path | None,
    genres: str,
    songs_per_genre: int | None,
    home: Path | None,
) -> None:
    """Materialize the whole graph for one date."""
    date = parse_date(date_text)
    check_genres(genres)
    settings = read_settings(home, sites=sites, songs_per_genre=songs_per_genre, genres=genres or None)
    settings = with_songbook(settings, songbook)
    # Only now: it takes seconds, and a wrong argument is to be told at once.
    from lyrics_assets.cli.sessions import open_session

    with (
        at_work(settings),
        sandbox_for(settings, songbook) as settings,
        open_session(settings, verbose=verbose) as session,
    ):
        session.extract(date)
        session.train()
        session.summarize()


@click.command()
@home_option
@click.pass_obj
def demo(verbose: bool, home: Path | None) -> None:
    """Show the whole project at work: three dates of the sandbox, a model, a Bento that answers a lyric."""
    from lyrics_assets.partitions import today

    settings = read_settings(home, sites="sandbox")
    from lyrics_assets.cli.sessions import open_session

    with at_work(settings), sandbox_for(settings, None) as settings, open_session(settings, verbose=verbose) as session:
        for days_ago in (2, 1, 0):
            session.extract(today() - dt.timedelta(days=days_ago))
        session.train()
        session.ask_the_bento()
        session.summarize()
