"""The status of an installation on the terminal, or plain where the output is none."""

import datetime as dt
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lyrics_assets.cli.status import Status, shown_time


def print_status(status: Status, problems: list[str], console: Console) -> None:
    """Print the facts, and last the verdict: what is wrong, one line each, or that nothing is."""
    console.print(Text(f"Status of {status['home']}, {shown_time(status['at'])} in São Paulo", style="bold"))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(status):
        facts.add_row(name, Text(value))
    console.print(facts)
    if status["automation"]:
        console.print(_automation_table(status["automation"]))
    for problem in problems:
        console.print(Text("✘ ", style="red") + Text(problem))
    if not problems:
        console.print(Text("✔ healthy", style="green"))


def _facts(status: Status) -> list[tuple[str, str]]:
    """Return what could be read, a line each."""
    rows: list[tuple[str, str]] = []
    if dates := status["dates"]:
        late = {asset["asset"]: asset["since"] for asset in status["stale"] or []}
        for source, date in dates["sources"].items():
            rows.append((f"songs of {source}", f"{date}{_lateness(late.get(f'raw/{source}'))}"))
        store = dates["store"]
        stored = f"{store['last']}, {store['dates']} dates since {store['first']}" if store else "no date"
        rows.append(("feature store", stored + _lateness(late.get("lyrics_features"))))
    for alias, model in (status["models"] or {}).items():
        rows.append((alias, _model(model)))
    if drift := status["drift"]:
        warned = f"; warned of: {', '.join(drift['warned'])}" if drift["warned"] else ""
        rows.append(("drift", f"{drift['date']}: {', '.join(drift['drifted']) or 'none'}{warned}"))
    if bento := status["bento"]:
        rows.append(("newest Bento", f"{bento['tag']}, model version {bento['model_version'] or 'unknown'}"))
    if runs := status["runs"]:
        newest = runs["newest"]
        told = f"{newest['what']}: {newest['state']}, {shown_time(newest['at'])}" if newest else "none"
        rows.append(("last run", f"{told}; {runs['under_way']} under way"))
    if costs := status["costs"]:
        rows.append(
            ("costs", f"{shown_time(costs['at'])}: {', '.join(costs['grown']) or 'no step'} costs more than before")
        )
    if disk := status["disk"]:
        sizes = sorted(disk["stores"].items(), key=lambda item: -item[1])
        stores = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in sizes if size)
        rows.append(("stores, MB", stores or "none"))
        rows.append(("disk", f"{disk['free'] / 1e9:.1f} GB free of {disk['total'] / 1e9:.1f} GB"))
    if mails := status["mails"]:
        last = [f"{shown_time(mail['at'])}  {mail['subject']}" for mail in mails["last"]]
        rows.append(("last mails", "\n".join(last) or "none"))
    return rows


def _lateness(since: str | None) -> str:
    return f"  late since {shown_time(since)}" if since else ""


def _model(model: Status | None) -> str:
    if model is None:
        return "none"
    score = f"macro-F1 {model['macro_f1']:.3f}" if model["macro_f1"] is not None else "not evaluated"
    trained = f"trained {shown_time(model['trained_at'])}, {_age(model['age_days'])} ago" if model["trained_at"] else ""
    lyrics = f"lyrics until {model['lyrics_until'] or 'an unknown date'}"
    return ", ".join(part for part in (f"version {model['version']}", score, trained, lyrics) if part)


def _age(days: float) -> str:
    return f"{days:.0f} days" if days >= 2 else f"{24 * days:.0f} hours"


def _automation_table(automation: dict[str, Any]) -> Table:
    daemon = _daemon(automation["daemon"])
    table = Table(title=f"Schedules and sensors; Dagster's daemon {daemon}", title_justify="left", title_style="bold")
    for name in ("name", "", "next tick, São Paulo", "last tick"):
        table.add_column(name)
    for item in automation["schedules"]:
        table.add_row(item["name"], _switch(item), shown_time(item["next"]) if item["next"] else "", _last(item))
    for item in automation["sensors"]:
        every = f"every {dt.timedelta(seconds=item['every_seconds'] or 0)}" if item["on"] else ""
        table.add_row(item["name"], _switch(item), every, _last(item))
    return table


def _daemon(daemon: Status) -> str:
    if daemon["alive"]:
        return "is running"
    return f"was last seen {shown_time(daemon['last_seen'])}" if daemon["last_seen"] else "never ran"


def _switch(item: Status) -> Text:
    return Text("on", style="green") if item["on"] else Text("off", style="dim")


def _last(item: Status) -> str:
    return f"{shown_time(item['last_tick'])}{' failed' if item['error'] else ''}" if item["last_tick"] else ""
