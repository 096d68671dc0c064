"""How an installation is: what it holds, how old that is, what failed, what runs by itself. Looks only, writes nothing.

`read_status` gathers the facts, each part by itself: what cannot be read is told and hides nothing else.
`find_problems` says what is wrong with them.
"""

import datetime as dt
import email
import email.policy
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from lyrics_assets.assets.extraction import SOURCES
from lyrics_assets.cli.read_only import open_instance_to_read, read_aliases
from lyrics_assets.costs.accounts import REPORT as COSTS
from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.freshness import find_stale
from lyrics_assets.partitions import local_iso
from lyrics_assets.resources.mailer import OutboxMailer
from lyrics_assets.resources.tracking import CHALLENGER, CHAMPION
from lyrics_assets.runs import UNDER_WAY
from lyrics_assets.settings import Settings

if TYPE_CHECKING:
    from lyrics_assets.resources.bento_store import BentoStore
    from lyrics_assets.resources.feature_store import FeatureStore
    from lyrics_assets.resources.home import Home
    from lyrics_assets.resources.lake import Lake
    from lyrics_assets.resources.mailer import Mailer
    from lyrics_assets.resources.tracking import Tracking

Status = dict[str, Any]

MIN_FREE_SHARE = 0.05
"""Of the disk."""
MIN_DAYS_UNTIL_FULL = 14
DAEMON_SILENT_AFTER = dt.timedelta(minutes=5)
"""Dagster's daemon says every half minute that it is there."""
MAILS_SHOWN = 3
FAILURES_LOOKED_AT = 200
"""Of failed runs, the newest ones."""

_DRIFT = "reports/drift/newest.json"


def read_status(settings: Settings, now: dt.datetime) -> Status:
    """Return all facts, as JSON can hold them; times are ISO 8601 in São Paulo.

    Raises:
        SettingsError: a setting is not usable.
    """
    # Only looked at, they write nothing: each makes its files when something is kept.
    resources: Mapping[str, Any] = build_resources(settings)
    definitions = build_defs(settings)
    home = settings.home.absolute()
    status: Status = {"home": str(home), "at": local_iso(now), "unreadable": {}}
    with ExitStack() as stack:
        instance = None
        try:
            instance = stack.enter_context(open_instance_to_read(home, settings.dagster_home))
        except Exception as error:
            status["unreadable"]["instance"] = _reason(error)
        parts: dict[str, Callable[[], Any]] = {
            "dates": lambda: _dates(resources["lake"], resources["feature_store"]),
            "models": lambda: _models(resources["tracking"], now),
            "drift": lambda: _drift(resources["lake"]),
            "costs": lambda: _costs(resources["lake"]),
            "bento": lambda: _bento(resources["bento_store"]),
            "disk": lambda: _disk(resources["home"]),
            "mails": lambda: _mails(resources["mailer"], resources["lake"]),
            "stale": lambda: _stale(instance, definitions, settings, now) if instance else [],
            "runs": lambda: _runs(instance) if instance else None,
            "automation": lambda: _automation(instance, definitions, now),
        }
        for name, read in parts.items():
            try:
                status[name] = read()
            except Exception as error:
                status[name] = None
                status["unreadable"][name] = _reason(error)
    return status


def _reason(error: Exception) -> str:
    """Return an error in one line."""
    said = str(error).strip()
    return f"{type(error).__name__}: {said.splitlines()[0]}" if said else type(error).__name__


def is_empty(status: Status) -> bool:
    """Tell whether nothing was ever run: no date, no run, and nothing that could not be read."""
    dates, runs = status["dates"], status["runs"]
    return not status["unreadable"] and not dates["sources"] and not dates["store"] and not (runs and runs["newest"])


def find_problems(status: Status) -> list[str]:
    """Return what is wrong, one line each; none if the installation is healthy."""
    if is_empty(status):
        return [f"nothing is in {status['home']} yet: run `lyrics demo`, or `lyrics run` for today"]
    return [
        *(f"{part}: cannot be read: {reason}" for part, reason in status["unreadable"].items()),
        *_stale_problems(status["stale"] or []),
        *_data_problems(status),
        *_run_problems(status["runs"]),
        *_automation_problems(status["automation"]),
        *_disk_problems(status["disk"], status["costs"]),
    ]


def _stale_problems(stale: list[Status]) -> Iterator[str]:
    """Yield one line for all assets that became stale on the same day."""
    days: dict[str, list[Status]] = {}
    for asset in stale:
        days.setdefault(asset["since"][:10], []).append(asset)
    for assets in days.values():
        names = ", ".join(asset["asset"] for asset in assets)
        oldest = min(assets, key=lambda asset: asset["since"])
        yield f"late since {shown_time(oldest['since'])}: {names} (allowed: {oldest['allowed_hours']:.0f} h)"


def _data_problems(status: Status) -> Iterator[str]:
    models, bento, drift = status["models"], status["bento"], status["drift"]
    for source in SOURCES:
        if status["dates"] and source not in status["dates"]["sources"]:
            yield f"no raw songs of {source}: run the extraction job"
    if models is not None and not models[CHAMPION]:
        yield "no model is champion: run the training job"
    elif models and not bento and not status["unreadable"].get("bento"):
        yield "no Bento serves the champion: run release_job"
    elif models and bento and bento["model_version"] not in (None, models[CHAMPION]["version"]):
        yield (
            f"the newest Bento serves version {bento['model_version']}, champion is {models[CHAMPION]['version']}: "
            "run release_job"
        )
    if drift and drift["drifted"]:
        yield f"{drift['date']} has drifted from what the champion learned: {', '.join(drift['drifted'])}"


def _run_problems(runs: Status | None) -> Iterator[str]:
    for failed in runs["failed"] if runs else []:
        times = "once" if failed["runs"] == 1 else f"{failed['runs']} times"
        yield (
            f"{failed['what']} failed {times} since it last succeeded, last {shown_time(failed['at'])}: "
            f"run {failed['run_id'][:8]}"
        )


def _automation_problems(automation: Status | None) -> Iterator[str]:
    if not automation:
        return
    on = [item for item in automation["schedules"] + automation["sensors"] if item["on"]]
    if on and not automation["daemon"]["alive"]:
        last = automation["daemon"]["last_seen"]
        seen = f"since {shown_time(last)}" if last else "yet"
        names = ", ".join(item["name"] for item in on)
        yield f"Dagster's daemon has not run {seen}, so nothing comes of what is on ({names}): start it"
    for item in on:
        if item["error"]:
            yield f"the last tick of {item['name']} failed: {item['error']}"


def _disk_problems(disk: Status | None, costs: Status | None) -> Iterator[str]:
    if disk and disk["free"] < MIN_FREE_SHARE * disk["total"]:
        yield f"the disk is nearly full: {disk['free'] / 1e9:.1f} GB of {disk['total'] / 1e9:.1f} GB are free"
    days = costs["days_until_full"] if costs else None
    if days is not None and days < MIN_DAYS_UNTIL_FULL:
        yield f"the disk is full in {days:.0f} days at this rate: run `lyrics prune`, or keep less"


def _dates(lake: "Lake", store: "FeatureStore") -> Status:
    sources = {source: _newest_date(lake, source) for source in lake.folders("raw")}
    stored = store.dates()
    return {
        "sources": {source: date for source, date in sources.items() if date},
        "store": {"dates": len(stored), "first": str(stored[0]), "last": str(stored[-1])} if stored else None,
    }


def _newest_date(lake: "Lake", source: str) -> str | None:
    names = lake.names(f"raw/{source}")
    return names[-1].rsplit("/", 1)[-1].split(".")[0] if names else None


def _models(tracking: "Tracking", now: dt.datetime) -> Status:
    """Read the embedded registry's file itself: MLflow takes seconds to be imported, and would write to it."""
    if tracking.uri.startswith("sqlite:///"):
        found = read_aliases(Path(tracking.uri.removeprefix("sqlite:///")), tracking.model_name)
    else:
        models = {alias: tracking.find(alias) for alias in (CHAMPION, CHALLENGER)}
        found = {alias: (model.version, model.tags) for alias, model in models.items() if model}
    return {alias: _model(*found[alias], now) if alias in found else None for alias in (CHAMPION, CHALLENGER)}


def _model(version: int, tags: Mapping[str, str], now: dt.datetime) -> Status:
    trained = dt.datetime.fromisoformat(tags["trained_at"]) if "trained_at" in tags else None
    return {
        "version": version,
        "macro_f1": float(tags["macro_f1"]) if "macro_f1" in tags else None,
        "trained_at": local_iso(trained) if trained else None,
        "age_days": (now - trained).total_seconds() / 86_400 if trained else None,
        "lyrics_until": tags.get("last_extraction_date"),
    }


def _drift(lake: "Lake") -> Status | None:
    if not lake.exists(_DRIFT):
        return None
    report = lake.read_json(_DRIFT)
    return {name: report[name] for name in ("date", "drifted", "warned")}


def _costs(lake: "Lake") -> Status | None:
    if not lake.exists(COSTS):
        return None
    report = lake.read_json(COSTS)
    grown = [step["cost"]["step"] for step in report["steps"].values() if step["cost"] and step["cost"]["grown"]]
    disk = report["disk"] or {}
    return {"at": report["at"], "grown": grown, "days_until_full": disk.get("days_until_full")}


def _bento(store: "BentoStore") -> Status | None:
    tags = store.tags()
    return {"tag": tags[0], "model_version": store.version_of(tags[0])} if tags else None


def _disk(home: "Home") -> Status:
    disk = home.disk()
    return {"stores": home.stores(), "free": disk.free, "total": disk.total}


def _mails(mailer: "Mailer", lake: "Lake") -> Status:
    """Return the last mails: those in the outbox, or what the lake's receipts say of those that went to a server."""
    if isinstance(mailer, OutboxMailer):
        files = sorted(Path(mailer.outbox).glob("*.eml"), key=lambda path: path.stat().st_mtime)
        last = [_mail(path) for path in reversed(files[-MAILS_SHOWN:])]
    else:
        days = lake.folders("mails")
        receipts = [lake.read_json(name) for name in lake.names(f"mails/{days[-1]}")] if days else []
        last = [{"at": days[-1], "subject": receipt["cause"]} for receipt in receipts[-MAILS_SHOWN:]]
    return {"to": mailer.destination, "last": last}


def _mail(path: Path) -> Status:
    with path.open("rb") as file:
        headers = email.message_from_binary_file(file, policy=email.policy.default)
    return {
        "at": local_iso(dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)),
        "subject": str(headers["Subject"]),
    }


def _stale(
    instance: dg.DagsterInstance, definitions: dg.Definitions, settings: Settings, now: dt.datetime
) -> list[Status]:
    specs = [spec for item in definitions.assets or [] for spec in _specs(item)]
    return [
        {
            "asset": stale.asset,
            "last": local_iso(stale.last),
            "since": local_iso(stale.last + stale.allowed),
            "allowed_hours": stale.allowed.total_seconds() / 3600,
        }
        for stale in find_stale(specs, instance, settings, now)
    ]


def _specs(item: Any) -> list[dg.AssetSpec]:
    if isinstance(item, dg.AssetSpec):
        return [item]
    return list(item.specs) if isinstance(item, dg.AssetsDefinition) else []


def _runs(instance: dg.DagsterInstance) -> Status:
    """Return the newest run, how many are under way, and what failed and has not succeeded since."""
    newest = instance.get_run_records(limit=1)
    failed: dict[str, Status] = {}
    succeeded: dict[str, int] = {}
    failures = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]), limit=FAILURES_LOOKED_AT)
    for record in failures:
        run = record.dagster_run
        what = _shown_run(run)
        if what not in succeeded:
            succeeded[what] = _last_success(instance, run)
        if record.storage_id <= succeeded[what]:
            continue
        found = failed.setdefault(what, {"what": what, "runs": 0, "at": _ended(record), "run_id": run.run_id})
        found["runs"] += 1
    return {
        "newest": _run(newest[0]) if newest else None,
        "under_way": instance.get_runs_count(dg.RunsFilter(statuses=[*UNDER_WAY, dg.DagsterRunStatus.CANCELING])),
        "failed": list(failed.values()),
    }


def _last_success(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    """Return the number of the last run that did the same and succeeded; 0 if there is none."""
    succeeded = dg.RunsFilter(job_name=run.job_name, statuses=[dg.DagsterRunStatus.SUCCESS])
    # Runs of single assets share a job's name.
    for record in instance.get_run_records(succeeded, limit=1 if run.asset_selection is None else FAILURES_LOOKED_AT):
        if _shown_run(record.dagster_run) == _shown_run(run):
            return int(record.storage_id)
    return 0


def _shown_run(run: dg.DagsterRun) -> str:
    """Return what a run did, for people: its job, or its assets if it was asked for some alone."""
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    return ", ".join(assets) if assets else run.job_name


def _run(record: dg.RunRecord) -> Status:
    run = record.dagster_run
    return {"what": _shown_run(run), "state": run.status.value.lower(), "at": _ended(record), "run_id": run.run_id}


def _ended(record: dg.RunRecord) -> str:
    return local_iso(record.update_timestamp)


def _automation(instance: dg.DagsterInstance | None, definitions: dg.Definitions, now: dt.datetime) -> Status:
    """Return the schedules and sensors, which are on, and whether somebody lets them tick."""
    states = {state.name: state for state in instance.all_instigator_state()} if instance else {}
    heartbeats = instance.get_daemon_heartbeats() if instance else {}
    seen = max((heartbeat.timestamp for heartbeat in heartbeats.values()), default=None)
    last_seen = dt.datetime.fromtimestamp(seen, dt.UTC) if seen else None
    return {
        "schedules": [_schedule(item, states, instance, now) for item in definitions.schedules or []],
        "sensors": [_sensor(item, states, instance) for item in definitions.sensors or []],
        "daemon": {
            "last_seen": local_iso(last_seen) if last_seen else None,
            "alive": bool(last_seen and now - last_seen < DAEMON_SILENT_AFTER),
        },
    }


def _schedule(item: Any, states: Mapping[str, Any], instance: dg.DagsterInstance | None, now: dt.datetime) -> Status:
    from dagster._utils.schedules import schedule_execution_time_iterator

    instigator = _instigator(item, states, instance)
    ticks = schedule_execution_time_iterator(now.timestamp(), item.cron_schedule, item.execution_timezone)
    return instigator | {"cron": str(item.cron_schedule), "next": local_iso(next(ticks)) if instigator["on"] else None}


def _sensor(item: Any, states: Mapping[str, Any], instance: dg.DagsterInstance | None) -> Status:
    return _instigator(item, states, instance) | {"every_seconds": item.minimum_interval_seconds}


def _instigator(item: Any, states: Mapping[str, Any], instance: dg.DagsterInstance | None) -> Status:
    """Return what a schedule and a sensor have in common."""
    state = states.get(item.name)
    default = item.default_status.value == "RUNNING"
    on = default if state is None or state.status.value == "DECLARED_IN_CODE" else state.status.value == "RUNNING"
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1) if instance and state else []
    error = ticks[0].error if ticks else None
    return {
        "name": item.name,
        "on": on,
        "last_tick": local_iso(dt.datetime.fromtimestamp(ticks[0].timestamp, dt.UTC)) if ticks else None,
        "error": error.message.strip().splitlines()[0] if error else None,
    }


def shown_time(iso: str) -> str:
    """Return a time of a status to the minute, for people."""
    return iso[:16].replace("T", " ")
