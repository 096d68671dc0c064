"""The clock: midnight in São Paulo in the middle of a run, and a clock that is set back."""

import datetime as dt

import dagster as dg
import pytest
import time_machine

from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.mails.receipts import Receipts
from lyrics_assets.partitions import today
from lyrics_assets.resources.lake import Lake
from lyrics_assets.runs import open_instance, run_job
from lyrics_assets.settings import Settings
from lyrics_assets_tests.clockwork import SAO_PAULO, Clockwork
from scrapy_project.sandbox.launcher import running_sandbox
from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK

HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def addresses():
    with running_sandbox(PACKAGED_SONGBOOK) as addresses:
        yield {f"{name}_url": address for name, address in addresses.items()}


def test_a_run_over_midnight_keeps_its_date_whole_and_the_new_day_stays_to_be_asked_for(tmp_path, addresses):
    settings = Settings(home=tmp_path, genres="Samba", songs_per_genre=5, **addresses)
    began = today()
    midnight = dt.datetime.combine(began + dt.timedelta(days=1), dt.time(), SAO_PAULO)
    with open_instance(settings.home) as instance:
        with time_machine.travel(midnight - dt.timedelta(seconds=0.5), tick=True):
            run_job(build_defs(settings), "extraction_job", instance, lambda progress: None, began.isoformat())
            assert today() == began + dt.timedelta(days=1), "the run was over before midnight"
            assert build_resources(settings)["feature_store"].dates() == [began]
        (event,) = instance.fetch_materializations(dg.AssetKey("lyrics_features"), limit=9).records
        assert dt.datetime.fromtimestamp(event.timestamp, SAO_PAULO) > midnight
        assert event.partition_key == began.isoformat()
        clockwork = Clockwork(instance)
        clockwork.use(settings)
        with clockwork.at(midnight + 5 * HOUR):
            assert clockwork.tick_schedule("daily_extraction", midnight - HOUR) == f"{began} is stored already"
            assert clockwork.tick_schedule("daily_extraction", midnight + 5 * HOUR) == [True]
    rows = build_resources(settings)["feature_store"].read_date(began, ["extraction_date"])
    assert set(rows["extraction_date"].to_pylist()) == {began}
    assert build_resources(settings)["feature_store"].dates() == [began, began + dt.timedelta(days=1)]


def test_a_tick_that_comes_again_after_the_clock_was_set_back_asks_for_the_same_run(tmp_path):
    """Dagster starts no second run of a schedule under the key of one that it has started."""
    settings = Settings(home=tmp_path)
    schedule = build_defs(settings).get_repository_def().get_schedule_def("daily_extraction")
    tick = dt.datetime.combine(today(), dt.time(5), SAO_PAULO)
    resources = {name: build_resources(settings)[name] for name in schedule.required_resource_keys}
    requests = []
    with open_instance(tmp_path) as instance:
        for now in (tick, tick - HOUR, tick):
            with (
                time_machine.travel(now, tick=False),
                dg.build_schedule_context(
                    instance,
                    scheduled_execution_time=tick.astimezone(dt.UTC),
                    repository_def=build_defs(settings).get_repository_def(),
                    resources=resources,
                ) as context,
            ):
                requests += schedule.evaluate_tick(context).run_requests
    assert {(request.run_key, request.partition_key) for request in requests} == {
        (tick.isoformat(timespec="minutes"), today().isoformat())
    }
    assert len(requests) == 3


def test_a_date_that_failed_is_not_extracted_again_by_the_same_tick_of_a_clock_set_back(tmp_path):
    settings = Settings(
        home=tmp_path, genres="Samba", letras_url="http://127.0.0.1:9", vagalume_url="http://127.0.0.1:9"
    )
    tick = dt.datetime.combine(today(), dt.time(5), SAO_PAULO)
    with open_instance(tmp_path) as instance:
        crawler = build_resources(settings)["crawler"]
        fast = {"RETRY_TIMES": "0", "DOWNLOAD_DELAY": "0", "AUTOTHROTTLE_ENABLED": "False"}
        clockwork = Clockwork(instance)
        clockwork.use(settings, crawler=type(crawler)(**crawler.model_dump() | {"scrapy_settings": fast}))
        with clockwork.at(tick):
            assert clockwork.tick_schedule("daily_extraction", tick) == [False]
        with clockwork.at(tick - HOUR):
            clockwork.tick_sensors()
        with clockwork.at(tick):
            clockwork.tick_schedule("daily_extraction", tick)
        assert instance.get_runs_count() == 1


def test_a_cause_is_mailed_once_a_day_though_the_clock_is_set_back_over_midnight(tmp_path):
    lake = Lake(root=str(tmp_path))

    def due(moment, event):
        with time_machine.travel(moment, tick=False):
            receipts = Receipts(lake, today())
            if mail := receipts.due("disk full", event):
                receipts.sign(mail, "the outbox")
            return mail

    midnight = dt.datetime(2026, 11, 25, tzinfo=SAO_PAULO)
    assert due(midnight - 2 * HOUR, "run 1")
    assert due(midnight + HOUR / 4, "run 2")
    assert due(midnight - HOUR / 2, "run 3") is None, "both days have had their mail"
    assert due(midnight + HOUR / 2, "run 4") is None
    told = due(midnight + 25 * HOUR, "run 5")
    assert (told.repeats, told.day) == (2, "2026-11-25")


def test_a_clock_that_was_far_ahead_hushes_no_cause_afterwards(tmp_path):
    lake = Lake(root=str(tmp_path))
    ahead, now = (Receipts(lake, dt.date(year, 11, 25)) for year in (2036, 2026))
    ahead.sign(ahead.due("disk full", "run 1"), "the outbox")
    assert now.due("disk full", "run 2")
