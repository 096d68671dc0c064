"""The command `lyrics`: the whole graph from a terminal. Exit code 0 is success, 1 a failure, 2 a wrong argument."""

import datetime as dt
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lyrics_assets.home_guard import hold, keep_private, must_be_writable, telling_of_a_full_disk
from lyrics_assets.settings import ROOT, SANDBOX_ADDRESSES, Settings, SettingsError
from scrapy_project.genres import GENRE_NAMES, find_genres

if TYPE_CHECKING:
    from rich.console import Console

    from lyrics_assets.lyrics.imports import ImportRules, Tally
    from lyrics_assets.resources.feature_store import FeatureStore
    from lyrics_assets.resources.lake import Lake
    from lyrics_assets.resources.tracking import RegisteredModel, Tracking
    from lyrics_assets.sessions import Session

Command = Callable[..., Any]


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


def _home_option(command: Command) -> Command:
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of every file that is written; also LYRICS_HOME. Default: var/ in the project.",
    )(command)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--verbose", is_flag=True, help="Show Dagster's log and the traceback of an error.")
@click.pass_context
def main(ctx: click.Context, verbose: bool) -> None:
    """Learn the musical genre of Portuguese song lyrics, from the crawl to the endpoint."""
    ctx.obj = verbose
    # Given back for whoever runs the command within a process of their own.
    ctx.call_on_close(partial(os.umask, keep_private()))
    signal.signal(signal.SIGTERM, _stop)


@main.command()
@click.option("--date", "date_text", metavar="DATE", help="Extraction date, YYYY-MM-DD. Default: today in São Paulo.")
@click.option("--sites", type=click.Choice(["sandbox", "live"]), help="Imitated sites on loopback, or the real ones.")
@click.option("--songbook", type=click.Path(path_type=Path), help="Songs that the sandbox shows: a file or a folder.")
@click.option("--genres", default="", help="Genres to ask for, parted by commas. Default: all.")
@click.option("--songs-per-genre", type=click.IntRange(1, 1000), help="Songs asked of each site for each genre.")
@_home_option
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
    date = _parse_date(date_text)
    _check_genres(genres)
    settings = _settings(home, sites=sites, songs_per_genre=songs_per_genre, genres=genres or None)
    settings = _with_songbook(settings, songbook)
    with (
        _at_work(settings),
        _sandbox_for(settings, songbook) as settings,
        _session(settings, verbose) as session,
    ):
        session.extract(date)
        session.train()
        session.summarize()


@main.command()
@_home_option
@click.pass_obj
def demo(verbose: bool, home: Path | None) -> None:
    """Show the whole project at work: three dates of the sandbox, a model, a Bento that answers a lyric."""
    from lyrics_assets.partitions import today

    settings = _settings(home, sites="sandbox")
    with _at_work(settings), _sandbox_for(settings, None) as settings, _session(settings, verbose) as session:
        for days_ago in (2, 1, 0):
            session.extract(today() - dt.timedelta(days=days_ago))
        session.train()
        session.ask_the_bento()
        session.summarize()


@main.command()
@click.option("--songbook", type=click.Path(path_type=Path), help="Songs to show: a file or a folder.")
@click.option("--latency-ms", type=click.IntRange(0), default=0, show_default=True, help="Delay of every answer.")
@click.option("--faults", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of failing answers.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of charts and faults.")
@click.option("--letras-port", type=click.IntRange(0, 65535), default=8701, show_default=True, help="0 for a free one.")
@click.option("--vagalume-port", type=click.IntRange(0, 65535), default=8702, show_default=True, help="0 likewise.")
def sandbox(songbook: Path | None, **options: float) -> None:
    """Serve both sites, imitated, on loopback until interrupted."""
    command = [sys.executable, "-m", "scrapy_project.sandbox"]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    if songbook:
        command += ["--songbook", str(songbook)]
    sys.exit(_wait(command, os.environ))


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=3000, show_default=True)
@_home_option
def ui(port: int, home: Path | None) -> None:
    """Serve the Dagster UI, and the sandbox unless the live sites are set, until interrupted."""
    from lyrics_assets.runs import end_dead_runs, open_instance, write_instance_config

    settings = _settings(home)
    # A second daemon would start whatever is on a second time. A run beside it is well: the pools part them.
    with _at_work(settings, "ui") as lock, _sandbox_for(settings, None, fixed_ports=True) as settings:
        with open_instance(settings.home) as instance:
            end_dead_runs(instance, launched_too=True)  # the lock says that no other daemon is here
        environment = os.environ | settings.to_environment()
        environment["DAGSTER_HOME"] = str(write_instance_config(settings.home))
        click.echo(f"Dagster UI: http://127.0.0.1:{port}  (Ctrl-C stops it)")
        command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
        sys.exit(_wait(command, environment, keep_open=(lock,)))


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=3001, show_default=True)
@click.option("--bento", default="latest", show_default=True, help="latest, previous, or a Bento's tag.")
@_home_option
def serve(port: int, bento: str, home: Path | None) -> None:
    """Serve a Bento, endpoint and page, until interrupted."""
    from lyrics_assets.definitions import build_resources

    settings = _settings(home)
    store = build_resources(settings)["bento_store"]
    if settings.home.exists():
        must_be_writable(settings.home.absolute())
    tag = store.find(bento)
    click.echo(f"{tag}: http://127.0.0.1:{port}  (Ctrl-C stops it)")
    # What is set empty means no log, here as everywhere.
    log = {"LYRICS_SERVICE_PREDICTION_LOG": str(settings.prediction_log)}
    sys.exit(_wait(store.serve_command(tag, port), log | os.environ | store.environment()))


@main.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--url", help="Ask a running service instead of the local champion.")
@_home_option
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

        tracking = build_resources(_settings(home))["tracking"]
        probabilities = tracking.load(tracking.get(CHAMPION)).probabilities(lyrics)
    for genre, probability in probabilities.items():
        click.echo(f"{genre:<12} {probability:6.1%}  {'█' * round(probability * 40)}")


@main.command()
@click.option("--genre", help="One genre in full. Default: all, side by side.")
@click.option("--since", metavar="DATE", help="First date, YYYY-MM-DD. Default: 90 days up to the last one.")
@click.option("--until", metavar="DATE", help="Last date, YYYY-MM-DD. Default: the newest stored one.")
@_home_option
def trends(genre: str | None, since: str | None, until: str | None, home: Path | None) -> None:
    """Print how the genres change: songs that come and go, words and themes that rise and fall."""
    from lyrics_assets.definitions import build_resources
    from lyrics_assets.lyrics.trends.history import COLUMNS
    from lyrics_assets.lyrics.trends.report import measure_trends, window
    from lyrics_assets.lyrics.trends.terminal import PLAIN_WIDTH, print_trends

    if genre:
        known = {name.casefold(): name for name in GENRE_NAMES}
        if genre.casefold() not in known:
            raise click.UsageError(f"--genre: {genre!r} is not known; allowed: {', '.join(GENRE_NAMES)}")
        genre = known[genre.casefold()]
    first, last = _parse_any_date("--since", since), _parse_any_date("--until", until)
    if first and last and first > last:
        raise click.UsageError(f"--since: {first} is after --until, {last}")
    store: FeatureStore = build_resources(_settings(home))["feature_store"]  # type: ignore[assignment]
    stored = store.dates()
    if not stored:
        raise click.ClickException("the feature store holds no date: run the extraction job first")
    dates, previous = window(stored, first, last)
    if not dates:
        raise click.ClickException(f"no date stored in that time; the store holds {stored[0]} to {stored[-1]}")
    report = measure_trends(dates, lambda date: store.read_date(date, COLUMNS), previous)
    if genre and genre not in report["genres"]:
        raise click.ClickException(f"no song of {genre} since {dates[0]}; genres: {', '.join(report['genres'])}")
    print_trends(report, _console(PLAIN_WIDTH), genre)


@main.command()
@_home_option
def models(home: Path | None) -> None:
    """Print the registered versions of the model: figures, champion and challenger, promoted or not and why."""
    from lyrics_assets.definitions import build_resources
    from lyrics_assets.model_table import PLAIN_WIDTH, model_table

    tracking: Tracking = build_resources(_settings(home))["tracking"]  # type: ignore[assignment]
    versions = _registered(tracking)
    console = _console(PLAIN_WIDTH)
    console.print(model_table(versions))
    if not any("champion" in model.aliases for model in versions):
        console.print("No version is champion, so none is served: the newest reports say why.")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print all facts as JSON.")
@_home_option
def status(as_json: bool, home: Path | None) -> None:
    """Tell how the installation is: what it holds, how old that is, what failed, what runs by itself.

    Exit code 0 if it is healthy, 1 if not. Looks only and writes nothing.
    """
    from lyrics_assets.status import find_problems, read_status
    from lyrics_assets.status_table import PLAIN_WIDTH, print_status

    facts = read_status(_settings(home), dt.datetime.now(dt.UTC))
    problems = find_problems(facts)
    if as_json:
        click.echo(json.dumps({"healthy": not problems, "problems": problems, **facts}, ensure_ascii=False, indent=2))
    else:
        print_status(facts, problems, _console(PLAIN_WIDTH))
    sys.exit(1 if problems else 0)


@main.command()
@click.option("--to", type=click.IntRange(1), metavar="VERSION", help="An earlier champion. Default: the one before.")
@click.option("--release/--no-release", default=True, help="Build its Bento and its Space too. Default: yes.")
@_home_option
@click.pass_obj
def rollback(verbose: bool, to: int | None, release: bool, home: Path | None) -> None:
    """Make the previous champion champion again, and release it."""
    from lyrics_assets.definitions import build_resources

    settings = _settings(home)
    tracking: Tracking = build_resources(settings)["tracking"]  # type: ignore[assignment]
    _registered(tracking)  # else a home would be made for nothing
    with _at_work(settings):
        _roll_back(tracking, to)
        if release:
            with _session(settings, verbose) as session:
                session.release()
        else:
            click.echo("The last Bento stays as it is until release_job is run.")


def _registered(tracking: "Tracking") -> "list[RegisteredModel]":
    """Return all versions, newest first; an error for people if there is none."""
    versions = tracking.versions()
    if not versions:
        raise click.ClickException("no model is registered: run the training job first")
    return versions


def _roll_back(tracking: "Tracking", to: int | None) -> None:
    done = tracking.rollback(to)
    tags = done.after.tags
    measured = f"macro-F1 {float(tags['macro_f1']):.3f}, " if "macro_f1" in tags else ""
    before = f" instead of version {done.before}" if done.before else ""
    click.echo(
        f"Version {done.after.version} is champion again{before} ({measured}lyrics up to "
        f"{tags.get('last_extraction_date', 'an unknown date')})."
    )


@main.command()
@click.argument("sweep_id")
@_home_option
def agent(sweep_id: str, home: Path | None) -> None:
    """Lend this machine to the W&B sweep SWEEP_ID, which another one has begun on the same training set."""
    from lyrics_assets.assets.training import TRAINING_SET
    from lyrics_assets.definitions import build_resources
    from lyrics_assets.resources.tuning import WandbTuner

    resources = build_resources(_settings(home))
    lake: Lake = resources["lake"]  # type: ignore[assignment]
    tuner = resources["tuner"]
    if not isinstance(tuner, WandbTuner):
        raise click.UsageError("LYRICS_WANDB_API_KEY is not set: there is no W&B to ask for the sweep")
    songs = lake.read_table(TRAINING_SET).to_pandas()
    trials = tuner.work(sweep_id, songs[songs["split"] == "train"].reset_index(drop=True))
    best = f", the best with macro-F1 {trials[0].macro_f1:.3f}" if trials else ""
    click.echo(f"The sweep {sweep_id} has {len(trials)} trials{best}.")


@main.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed, and why.")
@_home_option
def prune(dry_run: bool, home: Path | None) -> None:
    """Remove what is older than the settings keep; never what the champion stands on."""
    from lyrics_assets.definitions import build_resources
    from lyrics_assets.model_table import PLAIN_WIDTH
    from lyrics_assets.retention import Retention, carry_out, removal_table
    from lyrics_assets.runs import open_instance

    settings = _settings(home)
    must_be_writable(settings.home.absolute())
    resources = build_resources(settings)
    retention: Retention = resources["retention"]  # type: ignore[assignment]
    stores: list[Any] = [resources[name] for name in ("lake", "tracking", "bento_store")]
    with open_instance(settings.home.absolute(), settings.dagster_home) as instance:
        removals = list(retention.plan(instance, *stores))
        failures = [] if dry_run else carry_out(removals, lambda removal: None)
    _console(PLAIN_WIDTH).print(removal_table(removals, "would be removed" if dry_run else "removed"))
    if failures:
        raise click.ClickException("not removed: " + "; ".join(failures))


@main.command()
@click.argument("old_home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--to-env",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of variables that name the installation to migrate to, as deploy/.env. Default: the environment.",
)
def migrate(old_home: Path, to_env: Path | None) -> None:
    """Copy what OLD_HOME holds to the servers that the settings name; see deploy/README.md.

    Safe to repeat: what is there already is left as it is.
    """
    from dotenv import dotenv_values

    from lyrics_assets.migration import migrate as copy_everything

    if to_env:
        # Where the clients of PostgreSQL and of object stores look for their passwords and keys.
        os.environ.update({name: value for name, value in dotenv_values(to_env).items() if value})
    for part in copy_everything(old_home, Settings.from_environment(), os.environ):
        click.echo(f"{part.name:<34} {part.found:>9}, of them new {part.copied:>9}")


@main.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", required=True, help="Name of this source in the lake: a-z, 0-9, _; not a crawled site's.")
@click.option("--date", "date_text", required=True, metavar="DATE", help="Extraction date, YYYY-MM-DD.")
@click.option("--columns", default="", help="What FILE calls the fields: title=Titulo,artist=Banda; views= for none.")
@click.option("--genre-names", default="", help='What FILE calls the genres: "hip-hop/rap=Hip Hop,axé=Pop".')
@click.option("--genre", help="The genre of every row, instead of a column.")
@_home_option
def import_songs(
    file: Path, source: str, date_text: str, columns: str, genre_names: str, genre: str | None, home: Path | None
) -> None:
    """Import the songs of FILE as a source's raw songs of a date.

    FILE ends in .csv or .jsonl, maybe packed (.gz), or in .parquet. Rows that are no usable song are kept aside.
    """
    from lyrics_assets.assets.extraction import SOURCES
    from lyrics_assets.lyrics.imports import ImportArgumentError, check_file, parse_rules

    date = _parse_date(date_text)
    try:
        rules = parse_rules(source, columns, genre_names, genre, taken=SOURCES)
        check_file(file, rules)
        settings = _settings(home)
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


def _settings(home: Path | None, **overrides: Any) -> Settings:
    """Return the environment's settings with what the command line says laid over them."""
    given = {name: value for name, value in overrides.items() if value is not None}
    if home is not None:
        given["home"] = home.absolute()
    return Settings.from_environment().model_copy(update=given)


def _parse_date(text: str | None) -> dt.date:
    from lyrics_assets.partitions import FIRST_DATE, today

    try:
        date = dt.date.fromisoformat(text) if text else today()
    except ValueError as error:
        raise click.UsageError(f"--date: {text!r} is no date; write YYYY-MM-DD") from error
    if not FIRST_DATE <= date <= today():
        raise click.UsageError(f"--date: {date} is not between {FIRST_DATE} and today, {today()}")
    return date


def _parse_any_date(option: str, text: str | None) -> dt.date | None:
    """Return the date, which need not be one that can be extracted."""
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError as error:
        raise click.UsageError(f"{option}: {text!r} is no date; write YYYY-MM-DD") from error


def _check_genres(text: str) -> None:
    try:
        find_genres(text)
    except ValueError as error:
        raise click.UsageError(f"--{error}") from error


def _with_songbook(settings: Settings, songbook: Path | None) -> Settings:
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
def _sandbox_for(settings: Settings, songbook: Path | None, *, fixed_ports: bool = False) -> Iterator[Settings]:
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
def _at_work(settings: Settings, lock: str = "run") -> Iterator[int]:
    """Hold the home, so that no second command writes the same files; tell of its disk if it is full.

    Before all else, for a command that is refused to have changed nothing. Yields the open lock.
    """
    home = settings.home.absolute()
    with telling_of_a_full_disk(home), hold(home, lock, click.get_current_context().command_path) as held:
        yield held


def _session(settings: Settings, verbose: bool) -> "AbstractContextManager[Session]":
    from lyrics_assets.sessions import open_session

    return open_session(settings, verbose=verbose)


def _console(plain_width: int) -> "Console":
    """Return the terminal; where the output is none, lines of so many columns."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=plain_width, highlight=False)


def _wait(command: list[str], environment: Mapping[str, str], keep_open: Sequence[int] = ()) -> int:
    """Run a server in the foreground to its end; it never outlives this process, unless that is killed.

    Args:
        command: that starts it.
        environment: of it.
        keep_open: numbers of open files that it has too, such as a lock's.
    """
    process = subprocess.Popen(command, env=dict(environment), cwd=ROOT, pass_fds=keep_open)
    try:
        while True:
            # Ctrl-C reaches the server too, which then ends by itself.
            with suppress(KeyboardInterrupt):
                return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _stop(*_: object) -> NoReturn:
    """Turn SIGTERM into an ordinary way out, on which everything that was started is stopped."""
    sys.exit(128 + signal.SIGTERM)
