"""What the command line does with the graph: extract dates, train, ask the Bento, sum up; progress as it goes."""

import datetime as dt
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TextIO

import dagster as dg
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.mails.evaluation import mail_report
from lyrics_assets.resources.mailer import MailError
from lyrics_assets.runs import Progress, open_instance, run_job
from lyrics_assets.settings import Settings
from scrapy_project.progress import CrawlProgress

if TYPE_CHECKING:
    from lyrics_assets.resources.bento_store import BentoStore
    from lyrics_assets.resources.feature_store import FeatureStore
    from lyrics_assets.resources.lake import Lake
    from lyrics_assets.resources.mailer import Mailer


BAR_WIDTH = 24
UNBROKEN_WIDTH = 400
"""Columns where the output is no terminal: room for paths, which are not to be broken."""


class Steps:
    """The steps of a run on the terminal: one line each, the running ones with what they say last."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._running: dict[str, tuple[float, str]] = {}
        self._live = Live(console=console, transient=True, get_renderable=self._render, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._console.print(Text(self._title, style="bold"))
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def listen(self, progress: Progress) -> None:
        """Take in what a step did."""
        name = progress.step
        started, said = self._running.get(name, (progress.at, ""))
        if progress.state in ("started", "says"):
            said = progress.text.splitlines()[0] if progress.text else said
            self._running[name] = (started, said)
            return
        self._running.pop(name, None)
        mark = Text(" ✔ ", style="green") if progress.state == "done" else Text(" ✘ ", style="red")
        line = Text(f"{name:<46} {progress.at - started:5.1f} s")
        self._console.print(mark + line + Text(f"   {said}" if said else "", style="dim"))

    def _render(self) -> Table:
        grid = Table.grid(padding=(0, 1))
        for name, (started, said) in self._running.items():
            seconds = f"{time.time() - started:.0f} s"
            crawl = CrawlProgress.parse(said)
            bar = ProgressBar(crawl.pages_expected, crawl.pages, width=BAR_WIDTH) if crawl else ""
            left = f", about {crawl.seconds_left:.0f} s left" if crawl and crawl.seconds_left else ""
            grid.add_row(Spinner("dots"), name, seconds, bar, Text(said + left, style="dim"))
        return grid


class Session:
    """The project opened on one home, with its terminal."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, console: Console, *, verbose: bool) -> None:
        self._console = console
        self._resources = build_resources(settings)
        self._run: Callable[..., None] = partial(
            run_job, build_defs(settings, **self._resources), instance=instance, verbose=verbose
        )
        self._instance = instance

    def extract(self, date: dt.date) -> None:
        """Crawl both sites for a date, build its dataset, store its features."""
        with Steps(self._console, f"Extraction of {date}") as steps:
            self._run(name="extraction_job", partition=date.isoformat(), listen=steps.listen)

    def train(self) -> None:
        """Search, train, evaluate, release, watch; mail the report."""
        for title, job in (("Tuning", "tuning_job"), ("Training", "training_job"), ("Monitoring", "monitoring_job")):
            with Steps(self._console, title) as steps:
                self._run(name=job, listen=steps.listen)
        self.mail()

    def mail(self) -> None:
        """Mail the newest report; that it could not be delivered is told, and ends nothing: the model is there."""
        lake: Lake = self._resources["lake"]  # type: ignore[assignment]
        mailer: Mailer = self._resources["mailer"]  # type: ignore[assignment]
        try:
            mail_report(lake, mailer, self._metadata("evaluation_report")["folder"])
        except MailError as error:
            self._console.print(Text(f" ✘ mail: {error}", style="red"))

    def release(self) -> None:
        """Build the Bento and the Space of the champion."""
        with Steps(self._console, "Release") as steps:
            self._run(name="release_job", listen=steps.listen)

    def ask_the_bento(self) -> None:
        """Serve the newest Bento on loopback, ask it a lyric of the test set over HTTP, stop it."""
        from lyrics_assets.assets.training import TRAINING_SET
        from lyrics_assets.serving.client import classify

        lake: Lake = self._resources["lake"]  # type: ignore[assignment]
        store: BentoStore = self._resources["bento_store"]  # type: ignore[assignment]
        songs = lake.read_table(TRAINING_SET).to_pandas()
        song = songs[songs["split"] == "test"].sort_values("song_id").iloc[0]
        self._console.print(Text("The Bento over HTTP", style="bold"))
        with store.serving(store.newest()) as address:
            answer = classify(address, song["lyrics"])
        best = ", ".join(f"{genre} {share:.0%}" for genre, share in list(answer["probabilities"].items())[:3])
        listed = f" “{song['title']}” by {song['artist']} is listed as {song['genre']}; answered: {best}"
        self._console.print(Text(listed))

    def summarize(self) -> None:
        """Print the table of what is there now."""
        store: FeatureStore = self._resources["feature_store"]  # type: ignore[assignment]
        report, bento = self._metadata("evaluation_report"), self._metadata("lyrics_service")
        tuned = self._metadata("best_hyperparameters").get("parameters", {})
        dates = store.dates()
        genres = store.read_date(dates[-1], ["genre"])["genre"].to_pylist()
        low, high = report["macro_f1_interval"]
        mailer: Mailer = self._resources["mailer"]  # type: ignore[assignment]
        table = Table(show_header=False, title="Summary", title_justify="left", title_style="bold")
        for name, value in (
            ("dates stored", f"{len(dates)}, {dates[0]} to {dates[-1]}"),
            (f"songs of {dates[-1]}", str(len(genres))),
            ("genres", str(len(set(genres)))),
            ("tuned hyperparameters", _plain(tuned)),
            ("macro-F1 on new artists", f"{report['macro_f1']:.3f} (95 % interval {low:.3f} to {high:.3f})"),
            ("model version", f"{report['model_version']}: {report['promotion']}"),
            ("Bento", bento["bento"]),
            ("report", report["report"]),
            ("mails", mailer.destination),
        ):
            table.add_row(name, Text(value, overflow="fold"))
        self._console.print(table)

    def _metadata(self, asset: str) -> dict[str, Any]:
        event = self._instance.get_latest_materialization_event(dg.AssetKey(asset))
        if event is None or event.asset_materialization is None:
            return {}
        return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def _plain(hyperparameters: Mapping[str, Any]) -> str:
    """Return those that are set, numbers to three digits."""
    shown = {name: f"{value:.3g}" if isinstance(value, float) else value for name, value in hyperparameters.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items() if value is not None)


@contextmanager
def open_session(settings: Settings, *, verbose: bool) -> Iterator[Session]:
    """Open the project on the settings' home for as long as the context lasts.

    What libraries print meanwhile goes to logs/lyrics.log in the home, unless `verbose`.
    """
    home = settings.home.absolute()
    log = None if verbose else home / "logs" / "lyrics.log"
    with _terminal(log) as terminal, open_instance(home, settings.dagster_home) as instance:
        width = None if terminal.isatty() else UNBROKEN_WIDTH
        yield Session(settings, instance, Console(file=terminal, width=width, highlight=False), verbose=verbose)


@contextmanager
def _terminal(log: Path | None) -> Iterator[TextIO]:
    """Yield the standard output as it is now; until the end, what anybody writes to it or to stderr goes to the log."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as terminal:
        try:
            if log:
                log.parent.mkdir(parents=True, exist_ok=True)
                with log.open("ab") as file:
                    os.dup2(file.fileno(), 1)
                    os.dup2(file.fileno(), 2)
            yield terminal
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):  # the log's disk is full, which whoever wrote last has been told
                    stream.flush()
            for number, original in zip((1, 2), saved, strict=True):
                os.dup2(original, number)
                os.close(original)
