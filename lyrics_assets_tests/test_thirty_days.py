"""Thirty days by themselves against a sandbox that changes: what mailbox, store, registry and costs say of them.

On day 9 a site is down, on day 15 the other one changes its markup and the parser is mended a day later, on the last
day the charts turn to songs that nobody has heard before. Nothing else happens, and nobody looks.
"""

import datetime as dt
import email
import email.policy
from collections import Counter
from contextlib import ExitStack
from typing import NamedTuple

import dagster as dg
import pytest

from lyrics_assets.definitions import build_resources
from lyrics_assets.resources.crawler import Crawler
from lyrics_assets.runs import open_instance
from lyrics_assets.settings import Settings
from lyrics_assets_tests.clockwork import SAO_PAULO, Clockwork
from lyrics_assets_tests.corpus import write_songbook
from lyrics_assets_tests.extraction import broken_project
from scrapy_project.sandbox.launcher import running_sandbox
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK, load_songbook

DAYS = 30
FIRST = dt.date(2026, 10, 5)
"""A Monday, on which a model is trained. The same month whenever: what stands in the charts goes by the date."""
DATES = [FIRST + dt.timedelta(days=number) for number in range(DAYS)]
SITE_DOWN, NEW_MARKUP, DRIFT = DATES[8], DATES[14], DATES[29]
GENRES = ("Samba", "Rock", "Gospel")
TICKS = (5, 11, 17)
NOWHERE = "http://127.0.0.1:9"


class Mail(NamedTuple):
    """What a mail says."""

    day: str
    subject: str
    text: str


class Month(NamedTuple):
    """What thirty days left."""

    settings: Settings
    ticks: dict[dt.date, list]
    """How each tick of the extraction ended."""
    instance: dg.DagsterInstance


def at(date, hour, minute=0):
    return dt.datetime.combine(date, dt.time(hour, minute), SAO_PAULO)


def turned_songbook(folder):
    """Write a songbook of the same genres and charts whose every song is new, and has two other genres' lyrics."""
    songs = load_songbook(PACKAGED_SONGBOOK)
    others = [song for song in songs if song.genre not in GENRES and song.lyrics]
    rows = []
    for number, song in enumerate(song for song in songs if song.genre in GENRES):
        first, second = others[number % len(others)], others[(number + 7) % len(others)]
        rows.append(
            {
                "title": f"Volta {number}",
                "artist": f"Banda nova {number // 3}",
                "genre": song.genre,
                "genres": list(song.genres),
                "composers": list(song.composers),
                "lyrics": f"{first.lyrics}\n\n{second.lyrics}",
            }
        )
    return write_songbook(folder / "turned.jsonl", rows)


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """Let thirty days pass."""
    folder = tmp_path_factory.mktemp("month")
    ticks = {}
    with ExitStack() as stack:
        before = stack.enter_context(running_sandbox(PACKAGED_SONGBOOK))
        after = stack.enter_context(running_sandbox(turned_songbook(folder)))
        project = broken_project(folder / "broken")
        usual = settings_for(folder, before)
        instance = stack.enter_context(open_instance(usual.home))
        clockwork = Clockwork(instance)
        for date in DATES:
            settings = settings_for(folder, after if date >= DRIFT else before)
            if date == SITE_DOWN:
                settings = settings.model_copy(update={"vagalume_url": NOWHERE})
            clockwork.use(settings)
            if date == NEW_MARKUP:
                crawler = build_resources(settings)["crawler"]
                clockwork.use(settings, crawler=Crawler(**crawler.model_dump() | {"project": str(project)}))
            ticks[date] = live_through(clockwork, date)
        yield Month(usual, ticks, instance)


def settings_for(folder, addresses):
    urls = {f"{name}_url": address for name, address in addresses.items()}
    return Settings(home=folder / "home", genres=",".join(GENRES), songs_per_genre=15, **urls)


def live_through(clockwork, date):
    """Let a day pass; return how each tick of the extraction ended."""
    ticks = []
    for hour in TICKS:
        with clockwork.at(at(date, hour)):
            ticks.append(clockwork.tick_schedule("daily_extraction", at(date, hour)))
            if date == NEW_MARKUP + dt.timedelta(days=1) and hour == TICKS[0]:
                # The parser was mended over night: an operator materializes yesterday again.
                assert clockwork.run("extraction_job", NEW_MARKUP.isoformat())
            if isinstance(ticks[-1], list):  # something ran
                clockwork.tick_conditions()
                clockwork.tick_sensors()
    if date.weekday() == 0:
        with clockwork.at(at(date, 18)):
            clockwork.tick_schedule("weekly_training", at(date, 18))
    with clockwork.at(at(date, 19)):
        clockwork.tick_conditions()
        clockwork.tick_sensors()
    return ticks


@pytest.fixture(scope="module")
def mails(month):
    """Return all mails, oldest first."""
    found = []
    for path in sorted((month.settings.home / "outbox").glob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        day = message["Date"].datetime.astimezone(SAO_PAULO).date().isoformat()
        found.append(Mail(day, message["Subject"], message.get_body(("plain",)).get_content()))
    return sorted(found)


@pytest.fixture(scope="module")
def resources(month):
    return build_resources(month.settings)


pytestmark = pytest.mark.timeout(2400)


def test_each_day_is_stored_by_its_first_tick_but_for_the_one_without_a_site(month, resources):
    assert resources["feature_store"].dates() == [date for date in DATES if date != SITE_DOWN]
    stored = "is stored already"
    for date, (first, *others) in month.ticks.items():
        if date in (SITE_DOWN, NEW_MARKUP):
            assert [first, *others] == [[False]] * 3, date
        else:
            assert first == [True], (date, first)
            assert all(other is True or stored in other for other in others), (date, others)


def test_the_mailbox_tells_of_the_site_that_was_down_and_of_the_markup_once_each(mails):
    failures = [mail for mail in mails if "failed" in mail.subject]
    assert [mail.day for mail in failures] == [SITE_DOWN.isoformat(), NEW_MARKUP.isoformat()]
    down, markup = failures
    assert "raw/vagalume" in down.text
    assert (SITE_DOWN - dt.timedelta(days=1)).isoformat() in down.text, "the last good date is not named"
    assert "raw/letras" in markup.text
    assert "not understood" in markup.text


def test_the_drift_is_told_on_its_first_day_and_never_before(mails):
    days = [mail.day for mail in mails if "drift" in mail.subject]
    assert days[0] == DRIFT.isoformat()


def test_a_training_is_mailed_a_week_and_at_a_drift(mails, month, resources):
    reports = [mail.day for mail in mails if "macro-F1" in mail.subject]
    mondays = {date.isoformat() for date in DATES if date.weekday() == 0}
    assert FIRST.isoformat() in mondays
    assert {DRIFT.isoformat()} | mondays <= set(reports)
    assert len(resources["tracking"].versions()) == len(reports)


def test_nothing_else_was_mailed(mails):
    kinds = Counter(
        next((kind for kind in ("failed", "drift", "macro-F1") if kind in mail.subject), mail.subject) for mail in mails
    )
    assert set(kinds) == {"failed", "drift", "macro-F1"}


def test_each_day_has_its_costs_and_the_failed_ones_too(month, resources):
    lake = resources["lake"]
    steps = [row for name in lake.names("costs/steps") for row in lake.read_table(name).to_pylist()]
    crawls = {(row["partition"], row["state"]) for row in steps if row["step"] == "raw__letras"}
    for date in DATES[:-1]:  # the last one's costs are collected by the next
        assert (date.isoformat(), "done") in crawls, date
    assert (NEW_MARKUP.isoformat(), "failed") in crawls
    failed = {row["partition"] for row in steps if row["step"] == "raw__vagalume" and row["state"] == "failed"}
    assert failed == {SITE_DOWN.isoformat()}
    assert all(row["cpu_s"] > 0 for row in steps if row["step"] == "raw__letras" and row["state"] == "done")


def test_the_champion_is_one_that_was_trained_and_evaluated(resources):
    champion = resources["tracking"].get("champion")
    assert 0 <= float(champion.tags["macro_f1"]) <= 1
    assert resources["bento_store"].version_of(resources["bento_store"].newest()) == champion.version


def test_the_repaired_day_asked_its_site_for_nothing(month):
    found = month.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(["raw", "letras"]), asset_partitions=[NEW_MARKUP.isoformat()]),
        limit=1,
    )
    metadata = found.records[0].asset_materialization.metadata
    assert metadata["pages_fetched"].value == 0
    assert metadata["dagster/row_count"].value > 20
