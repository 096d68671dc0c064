"""What each tick of a schedule asks for: on time, late, twice, before there is anything, and when the clocks change."""

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import time_machine
from dagster._utils.schedules import schedule_execution_time_iterator

from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.partitions import TIMEZONE
from lyrics_assets.schedules import build_schedules
from lyrics_assets.settings import Settings, SettingsError

SAO_PAULO = ZoneInfo(TIMEZONE)


@pytest.fixture
def instance():
    with dg.instance_for_test() as instance:
        yield instance


def at(text):
    """Return a moment in São Paulo."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=SAO_PAULO)


def tick(instance, name, moment, home, now=None, **settings):
    """Evaluate the tick of a moment at that moment, or later."""
    chosen = Settings(home=home, **settings)
    (schedule,) = [schedule for schedule in build_schedules(chosen) if schedule.name == name]
    resources = build_resources(chosen)
    # Left open, a context closes its instance whenever it is collected, in the midst of anything.
    with (
        dg.build_schedule_context(
            instance,
            scheduled_execution_time=moment,
            repository_def=build_defs(chosen).get_repository_def(),
            resources={key: resources[key] for key in schedule.required_resource_keys},
        ) as context,
        time_machine.travel(now or moment, tick=False),
    ):
        return schedule.evaluate_tick(context)


def store(instance, date):
    instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey("lyrics_features"), partition=date))


@pytest.mark.parametrize("hour", ["05", "23"])
@pytest.mark.parametrize("sites", ["sandbox", "live"])
def test_a_tick_asks_for_the_partition_of_its_own_day(instance, tmp_path, hour, sites):
    moment = at(f"2026-11-24T{hour}:00")
    (request,) = tick(instance, "daily_extraction", moment, tmp_path, sites=sites).run_requests
    assert request.partition_key == "2026-11-24"


def test_a_tick_told_in_utc_asks_for_the_day_in_sao_paulo(instance, tmp_path):
    late_evening = dt.datetime(2026, 11, 25, 2, 0, tzinfo=dt.UTC)
    (request,) = tick(instance, "daily_extraction", late_evening, tmp_path).run_requests
    assert request.partition_key == "2026-11-24"


def test_two_ticks_of_a_day_are_two_requests_so_that_the_later_one_tries_again(instance, tmp_path):
    keys = {
        tick(instance, "daily_extraction", at(f"2026-11-24T{hour}:00"), tmp_path).run_requests[0].run_key
        for hour in ("05", "11")
    }
    assert len(keys) == 2


def test_a_later_tick_of_the_day_leaves_a_stored_date_alone(instance, tmp_path):
    store(instance, "2026-11-24")
    found = tick(instance, "daily_extraction", at("2026-11-24T11:00"), tmp_path)
    assert found.run_requests == []
    assert found.skip_message == "2026-11-24 is stored already"


@pytest.mark.parametrize(("hours", "asks"), [(1, False), (5, True)])
def test_a_tick_leaves_a_date_alone_that_is_being_extracted_unless_for_too_long(instance, tmp_path, hours, asks):
    # A run's own times are the database's, which no test can move.
    moment = dt.datetime.now(SAO_PAULO) + dt.timedelta(hours=hours)
    job = build_defs(Settings(home=tmp_path)).resolve_job_def("extraction_job")
    tags = {"dagster/partition": moment.date().isoformat()}
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
    found = tick(instance, "daily_extraction", moment, tmp_path)
    assert bool(found.run_requests) == asks
    assert asks or found.skip_message == f"{moment.date()} is being extracted already"
    instance.report_run_failed(run)
    assert tick(instance, "daily_extraction", moment, tmp_path).run_requests


def test_a_tick_that_comes_a_day_late_asks_a_live_site_for_nothing(instance, tmp_path):
    late = at("2026-11-25T04:00")
    found = tick(instance, "daily_extraction", at("2026-11-24T05:00"), tmp_path, now=late, sites="live")
    assert found.run_requests == []
    assert "the site shows only today" in found.skip_message


def test_a_tick_that_comes_hours_late_still_asks_for_its_day(instance, tmp_path):
    late = at("2026-11-24T23:59")
    found = tick(instance, "daily_extraction", at("2026-11-24T05:00"), tmp_path, now=late, sites="live")
    assert [request.partition_key for request in found.run_requests] == ["2026-11-24"]


@pytest.mark.parametrize("name", ["weekly_training", "monthly_tuning"])
def test_nothing_is_learned_before_a_date_is_stored(instance, tmp_path, name):
    moment = at("2026-11-23T07:00")
    assert tick(instance, name, moment, tmp_path).skip_message == "the feature store holds no date yet"
    store(instance, "2026-11-23")
    assert len(tick(instance, name, moment, tmp_path).run_requests) == 1


@pytest.mark.parametrize(
    ("day", "offset"),
    [("2018-11-03", -3), ("2018-11-04", -2), ("2019-02-16", -2), ("2019-02-17", -3), ("2026-11-24", -3)],
    ids=["before summer", "summer begins at midnight", "summer's last day", "summer is over", "no summer time"],
)
def test_a_day_has_one_tick_at_five_whatever_the_clocks_did_at_midnight(tmp_path, day, offset):
    (schedule,) = [each for each in build_schedules(Settings(home=tmp_path)) if each.name == "daily_extraction"]
    midnight = dt.datetime.fromisoformat(day).replace(tzinfo=SAO_PAULO)
    found = []
    for moment in schedule_execution_time_iterator(midnight.timestamp(), schedule.cron_schedule, TIMEZONE):
        if moment.astimezone(SAO_PAULO).date().isoformat() > day:
            break
        found.append(moment.astimezone(SAO_PAULO))
    assert [moment.hour for moment in found] == [5, 11, 17]
    assert found[0].utcoffset() == dt.timedelta(hours=offset)


@pytest.mark.parametrize("setting", ["extraction_cron", "training_cron", "tuning_cron", "pruning_cron"])
def test_a_setting_that_is_no_cron_string_is_named(tmp_path, setting):
    with pytest.raises(SettingsError, match=f"LYRICS_{setting.upper()}: 'daily at five'"):
        build_schedules(Settings(home=tmp_path, **{setting: "daily at five"}))


def test_the_cadence_is_a_setting(tmp_path):
    schedules = build_schedules(Settings(home=tmp_path, extraction_cron="30 4 * * 1"))
    assert {schedule.name: schedule.cron_schedule for schedule in schedules}["daily_extraction"] == "30 4 * * 1"
