"""How long files stay, and what may never go: the champion, the model before it, and what they learned from.

`Retention.plan` says what is to go and why without touching anything; `Removal.carry_out` removes one thing. Each
removal is whole by itself, so that an interrupted pruning is finished by the next one. The feature store keeps every
date: it is the history that trends are read from, and its replaced files go by `DeltaFeatureStore.keep_days`.
"""

import datetime as dt
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg
from pydantic import Field

from lyrics_assets.assets.extraction import SOURCES
from lyrics_assets.mails.receipts import DAYS_LOOKED_BACK
from lyrics_assets.partitions import today
from lyrics_assets.resources.bento_store import BentoStore
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.tracking import CHALLENGER, CHAMPION, RegisteredModel, Tracking

if TYPE_CHECKING:
    from scrapy_project.archive import Archive

_SONG_PAGE_DAYS = 30
"""A date's crawl may have read a song's page that was archived so many days before it."""
_DAY_SECONDS = 24 * 60 * 60


class Removal(NamedTuple):
    """One thing that is to go."""

    kind: str
    name: str
    reason: str
    size: int | None
    """Bytes; None if nobody knows before it is gone."""
    carry_out: Callable[[], None]


class Window(NamedTuple):
    """The extraction dates that a model learned from."""

    first: dt.date
    last: dt.date

    def holds(self, date: dt.date) -> bool:
        """Tell whether the model may have learned from a date."""
        return self.first <= date <= self.last


class Retention(dg.ConfigurableResource):
    """For how many days, or in what number, each kind of file is kept; 0 keeps all for ever."""

    home: str = Field(description="Folder of the files that only this machine keeps")
    archive_url: str = Field(description="SQLAlchemy URL of the page archive")
    predictions: str = Field(description="Folder of the service's prediction log")
    archive_days: int = Field(90, ge=0, description="Days for which a downloaded page is kept; at least 31 unless 0")
    raw_days: int = Field(365, ge=0, description="Days for which raw songs, datasets and rejects are kept")
    report_days: int = Field(180, ge=0, description="Days for which reports are kept")
    run_days: int = Field(90, ge=0, description="Days for which Dagster's runs are kept that nothing refers to")
    bentos: int = Field(5, ge=0, description="Bentos that are kept, newest first; at least 2 unless 0")
    models: int = Field(20, ge=0, description="Model versions that are kept, newest first")
    prediction_days: int = Field(90, ge=0, description="Days for which the service's prediction log is kept")
    mail_days: int = Field(90, ge=0, description="Days for which mails in the outbox are kept")

    def plan(
        self, instance: dg.DagsterInstance, lake: Lake, tracking: Tracking, bento_store: BentoStore
    ) -> Iterator[Removal]:
        """Yield what is to go, oldest kind of file first; looks only, and can be asked at any time."""
        versions = tracking.versions()
        standing = _standing(versions, tracking)
        windows = [window for model in standing if (window := _window(model))]
        yield from self._pages(windows)
        yield from self._dated_files(lake, windows)
        yield from self._reports(instance, lake, standing)
        yield from self._receipts(lake)
        yield from self._models(tracking, versions, standing)
        yield from self._bentos(bento_store, {model.version for model in standing})
        yield from self._runs(instance, standing)
        yield from self._local_files()

    def _pages(self, windows: list[Window]) -> Iterator[Removal]:
        """Pages go by the date of their crawl, unless a model's window can be replayed from them."""
        if not self.archive_days or not self._archive_exists():
            return
        before = today() - dt.timedelta(days=max(self.archive_days, _SONG_PAGE_DAYS + 1))
        with self._archive() as archive:
            dates = archive.dates()
        spared = [Window(first - dt.timedelta(days=_SONG_PAGE_DAYS), last) for first, last in windows]
        for date, stored in dates.items():
            if date < before and not any(window.holds(date) for window in spared):
                yield Removal(
                    "archived pages",
                    f"{date}: {stored.pages} pages",
                    f"older than {self.archive_days} days",
                    stored.bytes,
                    lambda date=date: self._drop_pages(date),
                )

    def _drop_pages(self, date: dt.date) -> None:
        with self._archive() as archive:
            for source in SOURCES:
                archive.drop_date(date, source)
            archive.give_back()

    def _archive(self) -> "AbstractContextManager[Archive]":
        from scrapy_project.archive import Archive

        return closing(Archive(self.archive_url))

    def _archive_exists(self) -> bool:
        prefix = "sqlite:///"
        return not self.archive_url.startswith(prefix) or Path(self.archive_url.removeprefix(prefix)).exists()

    def _dated_files(self, lake: Lake, windows: list[Window]) -> Iterator[Removal]:
        """Raw songs, what was counted, datasets and rejects, by their extraction date."""
        if not self.raw_days:
            return
        before = today() - dt.timedelta(days=self.raw_days)
        sources = lake.folders("raw")
        folders = [*(f"raw/{name}" for name in sources), *(f"raw_stats/{name}" for name in sources)]
        for folder in (*folders, "lyrics", "rejects"):
            for name in lake.names(folder):
                date = _date_of(name)
                if date and date < before and not any(window.holds(date) for window in windows):
                    yield _file(lake, name, "raw and prepared songs", f"older than {self.raw_days} days")

    def _reports(
        self, instance: dg.DagsterInstance, lake: Lake, standing: Iterable[RegisteredModel]
    ) -> Iterator[Removal]:
        """Reports go by their age; those of standing models, and the newest one, stay."""
        if not self.report_days:
            return
        before = today() - dt.timedelta(days=self.report_days)
        kept = {model.tags.get("dagster_run_id") for model in standing} | {_newest_report(instance)}
        for folder in lake.folders("reports"):
            if folder in ("trends", "drift", "costs"):
                continue
            name = f"reports/{folder}/report.json"
            if folder not in kept and lake.exists(name) and lake.modified(name).date() < before:
                yield _folder(lake, f"reports/{folder}", "reports", f"older than {self.report_days} days")
        for folder in lake.folders("reports/trends"):
            date = _date_of(folder)
            if date and date < before:
                yield _folder(lake, f"reports/trends/{folder}", "reports", f"older than {self.report_days} days")
        for name in lake.names("reports/drift"):
            date = _date_of(name)
            if date and date < before:
                yield _file(lake, name, "reports", f"older than {self.report_days} days")

    def _receipts(self, lake: Lake) -> Iterator[Removal]:
        """Receipts of mails, by the day of the mail."""
        before = today() - dt.timedelta(days=max(self.mail_days, DAYS_LOOKED_BACK))
        for day in lake.folders("mails") if self.mail_days else []:
            date = _date_of(day)
            if date and date < before:
                yield _folder(lake, f"mails/{day}", "receipts of mails", f"older than {self.mail_days} days")

    def _models(
        self, tracking: Tracking, versions: list[RegisteredModel], standing: list[RegisteredModel]
    ) -> Iterator[Removal]:
        kept = {model.version for model in standing}
        for model in versions[self.models :] if self.models else []:
            if model.version not in kept:
                yield Removal(
                    "models",
                    f"version {model.version}",
                    f"{self.models} newer ones",
                    None,
                    lambda model=model: tracking.remove(model),
                )
        for run_id in tracking.abandoned_runs(dt.datetime.now(dt.UTC) - dt.timedelta(seconds=_DAY_SECONDS)):
            yield Removal(
                "training runs", run_id, "never ended", None, lambda run_id=run_id: tracking.remove_run(run_id)
            )

    def _bentos(self, bento_store: BentoStore, versions: set[int]) -> Iterator[Removal]:
        tags = bento_store.tags()
        for tag in tags[max(2, self.bentos) :] if self.bentos else []:
            if bento_store.version_of(tag) not in versions:
                yield Removal(
                    "Bentos",
                    tag,
                    f"{max(2, self.bentos)} newer ones",
                    bento_store.size(tag),
                    lambda tag=tag: bento_store.remove(tag),
                )

    def _runs(self, instance: dg.DagsterInstance, standing: list[RegisteredModel]) -> Iterator[Removal]:
        """A run goes if it ended long ago and no asset, partition or standing model stands on it any more.

        Its events are what Dagster knows of the partitions that it wrote, so a run goes only when all of them were
        written again since.
        """
        if not self.run_days:
            return
        before = dt.datetime.now(dt.UTC) - dt.timedelta(days=self.run_days)
        kept = _runs_of_newest_materializations(instance) | {model.tags.get("dagster_run_id", "") for model in standing}
        ended = dg.RunsFilter(
            created_before=before,
            statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
        )
        for run in instance.get_runs(filters=ended):
            if run.run_id not in kept:
                yield Removal(
                    "runs",
                    f"{run.job_name} {run.run_id[:8]}",
                    f"older than {self.run_days} days, and all that it wrote was written again",
                    None,
                    lambda run_id=run.run_id: self._remove_run(instance, run_id),
                )

    def _remove_run(self, instance: dg.DagsterInstance, run_id: str) -> None:
        instance.delete_run(run_id)
        for place in ("dagster", "dagster/compute_logs", "dagster/artifacts/storage", "dagster/storage"):
            shutil.rmtree(Path(self.home) / place / run_id, ignore_errors=True)

    def _local_files(self) -> Iterator[Removal]:
        """Days of the prediction log, mails in the outbox, and what rejected crawls left."""
        home = Path(self.home)
        for kind, folder, pattern, days in (
            ("prediction log", Path(self.predictions), "*.jsonl", self.prediction_days),
            ("mails", home / "outbox", "*.eml", self.mail_days),
            ("rejected crawls", home / "scratch" / "rejected", "*", self.archive_days),
        ):
            for path in sorted(folder.glob(pattern)) if days else []:
                if time.time() - path.stat().st_mtime > days * _DAY_SECONDS:
                    yield Removal(kind, path.name, f"older than {days} days", path.stat().st_size, path.unlink)


def carry_out(removals: Iterable[Removal], tell: Callable[[Removal], None]) -> list[str]:
    """Remove one thing after another, tell each that went, and return why others did not, one line each."""
    failures = []
    for removal in removals:
        try:
            removal.carry_out()
        except Exception as error:
            failures.append(f"{removal.kind}: {removal.name}: {error}")
        else:
            tell(removal)
    return failures


def _standing(versions: list[RegisteredModel], tracking: Tracking) -> list[RegisteredModel]:
    """Return the models that must stay: champion, challenger, and the champion that a rollback would bring back."""
    before = tracking.previous_champion()
    return [
        model
        for model in versions
        if {CHAMPION, CHALLENGER} & set(model.aliases) or (before is not None and model.version == before)
    ]


def _window(model: RegisteredModel) -> Window | None:
    try:
        return Window(
            dt.date.fromisoformat(model.tags["first_extraction_date"]),
            dt.date.fromisoformat(model.tags["last_extraction_date"]),
        )
    except (KeyError, ValueError):
        return None  # it was registered by something else, or by hand


def _date_of(name: str) -> dt.date | None:
    """Return the date that a file or folder is called by; None if it is called something else."""
    try:
        return dt.date.fromisoformat(name.rsplit("/", 1)[-1].split(".")[0])
    except ValueError:
        return None


def _file(lake: Lake, name: str, kind: str, reason: str) -> Removal:
    return Removal(kind, name, reason, lake.size(name), lambda: lake.remove(name))


def _folder(lake: Lake, folder: str, kind: str, reason: str) -> Removal:
    size = sum(lake.size(name) for name in lake.names(folder))
    return Removal(kind, folder, reason, size, lambda: lake.remove(folder))


def _newest_report(instance: dg.DagsterInstance) -> str | None:
    event = instance.get_latest_materialization_event(dg.AssetKey("evaluation_report"))
    return event.run_id if event else None


def _runs_of_newest_materializations(instance: dg.DagsterInstance) -> set[str]:
    """Return the runs that wrote what is now known of any asset, partition by partition."""
    kept: set[str] = set()
    for key in instance.all_asset_keys():
        seen: set[str | None] = set()
        cursor: str | None = None
        while True:
            page = instance.fetch_materializations(key, limit=1000, cursor=cursor)
            for record in page.records:
                if record.partition_key not in seen:
                    seen.add(record.partition_key)
                    kept.add(record.run_id)
            cursor = page.cursor
            if not page.has_more:
                break
    return kept
