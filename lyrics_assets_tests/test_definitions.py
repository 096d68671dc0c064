"""The shape of the graph, how it loads, and when it runs by itself."""

import datetime as dt
import json
import os
import subprocess
import sys
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from lyrics_assets.definitions import build_defs
from lyrics_assets.partitions import TIMEZONE
from lyrics_assets.settings import Settings
from lyrics_assets_tests.conftest import ROOT

GRAPH = {
    "web/letras": ("extraction", False, []),
    "web/vagalume": ("extraction", False, []),
    "raw/letras": ("extraction", True, ["web/letras"]),
    "raw/vagalume": ("extraction", True, ["web/vagalume"]),
    "raw/imported": ("extraction", True, []),
    "lyrics": ("preparation", True, ["raw/imported", "raw/letras", "raw/vagalume"]),
    "lyrics_features": ("preparation", True, ["lyrics"]),
    "training_set": ("training", False, ["lyrics_features"]),
    "best_hyperparameters": ("training", False, ["training_set"]),
    "genre_classifier": ("training", False, ["best_hyperparameters", "training_set"]),
    "evaluation_report": ("training", False, ["genre_classifier", "training_set"]),
    "lyrics_service": ("serving", False, ["evaluation_report", "genre_classifier"]),
    "huggingface_space": ("serving", False, ["evaluation_report", "genre_classifier"]),
    "trends_report": ("monitoring", False, ["lyrics_features"]),
    "drift_report": ("monitoring", False, ["evaluation_report", "lyrics_features"]),
    "pipeline_costs": ("monitoring", False, ["lyrics_features"]),
}
"""Each asset's group, whether it has a partition a day, and what it reads."""

BLOCKING_CHECKS = {
    "raw/letras: crawl_is_complete",
    "raw/vagalume: crawl_is_complete",
    "lyrics: schema",
    "lyrics: song_ids_are_unique",
    "lyrics: lyrics_are_portuguese",
    "lyrics_features: every_row_was_stored",
    "training_set: no_leakage_between_splits",
    "genre_classifier: reloads_and_agrees",
    "evaluation_report: beats_baseline",
    "lyrics_service: answers_a_known_song",
}
OTHER_CHECKS = {
    "raw/letras: no_sudden_drop",
    "raw/vagalume: no_sudden_drop",
    "lyrics: both_sources_present",
    "lyrics: most_raw_songs_are_usable",
    "training_set: every_genre_is_represented",
    "evaluation_report: beats_champion",
    "drift_report: no_drift",
    "pipeline_costs: no_step_costs_more",
}


@pytest.fixture(scope="module")
def defs(tmp_path_factory):
    return build_defs(Settings(home=tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def graph(defs):
    return defs.resolve_asset_graph()


def test_the_graph_is_the_one_that_is_documented(graph):
    found = {}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        parents = sorted(parent.to_user_string() for parent in node.parent_keys)
        found[key.to_user_string()] = (node.group_name, node.partitions_def is not None, parents)
    assert found == GRAPH


def test_the_checks_are_those_that_are_documented(graph):
    found = {True: set(), False: set()}
    for key in graph.asset_check_keys:
        found[graph.get(key).blocking].add(f"{key.asset_key.to_user_string()}: {key.name}")
    assert found == {True: BLOCKING_CHECKS, False: OTHER_CHECKS}


def test_every_asset_and_check_is_described(graph):
    assert [key.to_user_string() for key in graph.get_all_asset_keys() if not graph.get(key).description] == []
    assert [key.name for key in graph.asset_check_keys if not graph.get(key).description] == []


def test_jobs_schedules_and_sensors_are_those_that_are_documented(defs):
    repository = defs.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert jobs == {
        "extraction_job",
        "tuning_job",
        "training_job",
        "release_job",
        "monitoring_job",
        "pruning_job",
    }
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "daily_extraction",
        "weekly_training",
        "monthly_tuning",
        "weekly_pruning",
    }
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "report_mail",
        "failure_mail",
        "drift_mail",
        "stale_mail",
        "retrain_on_drift",
        "follow_new_dates",
    }


def test_the_code_location_loads_from_workspace_yaml(tmp_path):
    command = [sys.executable, "-m", "dagster", "definitions", "validate"]
    home = {"DAGSTER_HOME": str(tmp_path), "LYRICS_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, cwd=ROOT, env=_environment() | home, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Validation successful for code location lyrics_assets.definitions" in done.stdout + done.stderr
    assert not (tmp_path / "home").exists(), "loading the definitions wrote something"


def test_loading_imports_no_heavy_library():
    heavy = ["pandas", "numpy", "pyarrow", "sklearn", "scrapy", "mlflow", "bentoml", "deltalake", "hopsworks", "wandb"]
    code = (
        "import json, sys; from lyrics_assets.definitions import defs; defs().get_repository_def();"
        f"print(json.dumps([name for name in {heavy} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_what_dagster_s_processes_write_is_for_their_owner_alone(tmp_path):
    code = "from pathlib import Path; from lyrics_assets.definitions import defs; defs(); Path('file').touch()"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=_environment(), umask=0o022, check=True)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_today_is_a_partition_already_at_the_tick(graph):
    daily = graph.get(dg.AssetKey("lyrics")).partitions_def
    tick = dt.datetime(2026, 11, 24, 5, 0, tzinfo=ZoneInfo(TIMEZONE))
    just_before_midnight = dt.datetime(2026, 11, 25, 2, 59, tzinfo=dt.UTC)
    for moment in (tick, just_before_midnight):
        assert daily.get_partition_keys(current_time=moment)[-1] == "2026-11-24"


def _environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(("LYRICS_", "DAGSTER_"))}
