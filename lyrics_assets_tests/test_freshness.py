"""When an asset counts as stale, what the UI is told of it, and the one mail a day that says so."""

import datetime as dt
import email
import email.policy

import dagster as dg
import pytest
import time_machine

from lyrics_assets.definitions import build_defs
from lyrics_assets.freshness import find_stale
from lyrics_assets.settings import Settings
from lyrics_assets_tests.clockwork import Clockwork

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def instance():
    with dg.instance_for_test() as instance:
        yield instance


def specs(settings):
    return {spec.key.to_user_string(): spec for spec in build_defs(settings).resolve_all_asset_specs()}


def materialize(instance, asset, age):
    with time_machine.travel(NOW - age, tick=False):
        instance.report_runless_asset_event(dg.AssetMaterialization(dg.AssetKey(asset)))


def stale(instance, settings):
    return [found.asset for found in find_stale(specs(settings).values(), instance, settings, NOW)]


@pytest.mark.parametrize(
    ("asset", "allowed"),
    [
        ("raw/letras", 54 * HOUR),
        ("lyrics_features", 54 * HOUR),
        ("drift_report", 54 * HOUR),
        ("genre_classifier", 15 * 24 * HOUR),
        ("lyrics_service", 15 * 24 * HOUR),
        ("best_hyperparameters", 63 * 24 * HOUR),
    ],
)
def test_an_asset_is_stale_when_it_is_older_than_its_group_may_be(instance, tmp_path, asset, allowed):
    settings = Settings(home=tmp_path)
    policy = specs(settings)[asset].freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(allowed, allowed * 3 / 4)
    materialize(instance, asset.split("/"), allowed + HOUR)
    assert stale(instance, settings) == [asset]
    materialize(instance, asset.split("/"), allowed - HOUR)
    assert stale(instance, settings) == []


def test_what_was_never_made_is_new_and_what_nobody_schedules_is_never_stale(instance, tmp_path):
    settings = Settings(home=tmp_path)
    assert stale(instance, settings) == []
    for asset in (["web", "letras"], ["raw", "imported"]):
        assert specs(settings)["/".join(asset)].freshness_policy is None
        materialize(instance, asset, 1000 * 24 * HOUR)
    assert stale(instance, settings) == []


def test_the_limits_are_settings(instance, tmp_path):
    materialize(instance, ["lyrics"], 60 * HOUR)
    assert stale(instance, Settings(home=tmp_path)) == ["lyrics"]
    assert stale(instance, Settings(home=tmp_path, stale_after_hours=61)) == []


def test_one_mail_a_day_names_all_that_is_stale_the_oldest_first(instance, tmp_path):
    clockwork = Clockwork(instance)
    clockwork.use(Settings(home=tmp_path))
    materialize(instance, ["lyrics"], 60 * HOUR)
    materialize(instance, ["genre_classifier"], 20 * 24 * HOUR)
    for moment in (NOW, NOW + 2 * HOUR, NOW + 24 * HOUR):
        with clockwork.at(moment):
            clockwork.tick_sensors()
    first, second = (
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted((tmp_path / "outbox").glob("*.eml"))
    )
    assert first["Subject"] == "Lyrics classifier: genre_classifier and 1 more not made for too long"
    text = first.get_body(("plain",)).get_content()
    assert text.index("genre_classifier: last made 2026-11-04 09:00, 20 days before; allowed are 15 days") < text.index(
        "lyrics: last made 2026-11-21 21:00, 60 hours before; allowed are 54 hours"
    )
    assert "84 hours" not in text
    assert "4 days before" in second.get_body(("plain",)).get_content()
