"""What the commands share: the home, dates, settings with the command line laid over them, the sandbox, the lock."""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lyrics_assets.home_guard import hold, telling_of_a_full_disk
from lyrics_assets.settings import SANDBOX_ADDRESSES, Settings
from scrapy_project.genres import find_genres

if TYPE_CHECKING:
    from lyrics_assets.resources.tracking import RegisteredModel, Tracking

Command = Callable[..., Any]


def home_option(command: Command) -> Command:
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of every file that is written; also LYRICS_HOME. Default: var/ in the project.",
    )(command)


def read_settings(home: Path | None, **overrides: Any) -> Settings:
    """Return the environment's settings with what the command line says laid over them."""
    given = {name: value for name, value in overrides.items() if value is not None}
    if home is not None:
        given["home"] = home.absolute()
    return Settings.from_environment().model_copy(update=given)


def parse_date(text: str | None) -> dt.date:
    from lyrics_assets.partitions import FIRST_DATE, today

    try:
        date = dt.date.fromisoformat(text) if text else today()
    except ValueError as error:
        raise click.UsageError(f"--date: {text!r} is no date; write YYYY-MM-DD") from error
    if not FIRST_DATE <= date <= today():
        raise click.UsageError(f"--date: {date} is not between {FIRST_DATE} and today, {today()}")
    return date


def parse_any_date(option: str, text: str | None) -> dt.date | None:
    """Return the date, which need not be one that can be extracted."""
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise click.UsageError(f"{option}: {text!r} is no date; write YYYY-MM-DD") from error


def check_genres(text: str) -> None:
    try:
        find_genres(text)
    except ValueError as error:
        raise click.UsageError(f"--{error}") from error


def with_songbook(settings: Settings, songbook: Path | None) -> Settings:
    """Check the whole songbook before anything is written; give it a page archive of its own."""
    if songbook is None:
        return settings
    if settings.sites == "live":
        raise click.UsageError("--songbook: only the sandbox shows a songbook, and the sites are live")
    from scrapy_project.sandbox.songbook import SongbookError, load_songbook

    try:
        songs = load_songbook(songbook)
    except SongbookError as error:
        raise click.UsageError(f"--songbook: {error}") from error
    # Pages of another songbook would else be taken for this one's, which has the same addresses.
    digest = hashlib.blake2b(repr(songs).encode(), digest_size=6).hexdigest()
    archive = settings.home.absolute() / "archive" / f"songbook-{digest}.sqlite"
    return settings.model_copy(update={"archive_url": settings.archive_url or f"sqlite:///{archive}"})


@contextmanager
def sandbox_for(settings: Settings, songbook: Path | None, *, fixed_ports: bool = False) -> Iterator[Settings]:
    """Run the sandbox, if the settings ask for it, while the context lasts; yield settings with its addresses."""
    if settings.sites == "live":
        yield settings
        return
    from scrapy_project.sandbox.launcher import running_sandbox

    ports = {site: int(url.rsplit(":", 1)[1]) if fixed_ports else 0 for site, url in SANDBOX_ADDRESSES.items()}
    with running_sandbox(songbook, letras_port=ports["letras"], vagalume_port=ports["vagalume"]) as addresses:
        yield settings.model_copy(
            update={"letras_url": addresses["letras"], "vagalume_url": addresses["vagalume"]},
        )


@contextmanager
def at_work(settings: Settings, lock: str = "run") -> Iterator[int]:
    """Hold the home, so that no second command writes the same files; tell of its disk if it is full.

    Before all else, for a command that is refused to have changed nothing. Yields the open lock.
    """
    home = settings.home.absolute()
    with telling_of_a_full_disk(home), hold(home, lock, click.get_current_context().command_path) as held:
        yield held


def registered(tracking: "Tracking") -> "list[RegisteredModel]":
    """Return all versions, newest first; an error for people if there is none."""
    versions = tracking.versions()
    if not versions:
        raise click.ClickException("no model is registered: run the training job first")
    return versions
