"""The production twin: the services of deploy/, as processes, on a real PostgreSQL and an object store on loopback.

A date is materialized by asking the webserver over GraphQL; the daemon takes it from the queue, the code location runs
it. Every test looks at the same installation.
"""

import datetime as dt
import json
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import httpx
import pytest
import sqlalchemy as sa

from lyrics_assets.definitions import build_resources
from lyrics_assets.partitions import today
from lyrics_assets.resources.lake import Lake
from lyrics_assets.settings import ROOT, Settings
from lyrics_assets_tests import production
from lyrics_assets_tests.object_server import SECRET_KEY, environment, running_object_store
from lyrics_assets_tests.registry import register
from lyrics_assets_tests.serving.parts import free_port
from scrapy_project.archive import Archive
from scrapy_project.database import open_engine
from scrapy_project.sandbox.launcher import running_sandbox

pytestmark = pytest.mark.timeout(420)

LOCATION, REPOSITORY = "lyrics_assets.definitions", "__repository__"
LAUNCH = """mutation Launch($parameters: ExecutionParams!) { launchRun(executionParams: $parameters) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
    ... on InvalidSubsetError { message } } }"""
STATUS = "query Status($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }"
LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"
RESOURCES = """query Resources($selector: RepositorySelector!) {
    allTopLevelResourceDetailsOrError(repositorySelector: $selector) {
        ... on ResourceDetailsList { results { name configuredValues { key value } } } } }"""
ASSETS = (["raw", "letras"], ["raw", "vagalume"], ["lyrics"], ["lyrics_features"])
CHECKS = ((ASSETS[0], "crawl_is_complete"), (ASSETS[1], "crawl_is_complete"), (["lyrics"], "schema"))
"""Each check of a dataset is a process of its own; one shows as much as nine."""
ABOUT_RUN = {
    dg.DagsterEventType.RUN_ENQUEUED,
    dg.DagsterEventType.RUN_START,
    dg.DagsterEventType.RUN_SUCCESS,
}
RUN_SECONDS = 240
GENRES = "Samba,Gospel"
PASSWORD = "the-password-of-postgresql"  # noqa: S105  of a server that asks for none


class Installation(NamedTuple):
    """Everything that runs, and where it keeps what it writes."""

    values: dict[str, str]
    """The variables, as deploy/.env holds them."""
    folder: Path
    webserver: str
    date: dt.date
    run_id: str

    @property
    def settings(self):
        return Settings.from_environment({"LYRICS_HOME": str(self.folder / "home")} | self.values)


def ask(webserver, query, **variables):
    answer = httpx.post(f"{webserver}/graphql", json={"query": query, "variables": variables}, timeout=60)
    return answer.raise_for_status().json()["data"]


def poll(question, wanted, seconds):
    """Ask until the answer is a wanted one; return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (answer := question()) in wanted:
            return answer
        time.sleep(0.3)
    raise AssertionError(f"still {answer} after {seconds} s")


@pytest.fixture(scope="module")
def values(postgres):
    """The filled-in deploy/.env of this machine, and an object store that it names."""
    with running_object_store() as store, running_sandbox() as sites:
        own, ports = postgres(), {name: str(free_port()) for name in ("code", "webserver", "mlflow")}
        yield store | {
            "PGPASSWORD": PASSWORD,
            "DAGSTER_LOG_BUCKET": "lyrics",
            "LYRICS_LAKE_URL": "s3://lyrics/lake",
            "LYRICS_FEATURE_STORE_URL": "s3://lyrics/feature_store",
            "MLFLOW_ARTIFACTS_DESTINATION": "s3://lyrics/mlflow",
            "DAGSTER_DATABASE_URL": production.psycopg(postgres()),
            "MLFLOW_BACKEND_STORE_URI": production.psycopg(postgres()),
            "LYRICS_ARCHIVE_URL": own,
            "LYRICS_TEXT_INDEX_URL": own,
            "LYRICS_TRACKING_URI": f"http://127.0.0.1:{ports['mlflow']}",
            "LYRICS_SITES": "sandbox",
            "LYRICS_GENRES": GENRES,
            "LYRICS_SONGS_PER_GENRE": "8",
            # Those that compose.yaml sets by itself: names of its services, ports of their own.
            "LYRICS_LETRAS_URL": sites["letras"],
            "LYRICS_VAGALUME_URL": sites["vagalume"],
            "DAGSTER_CODE_HOST": "127.0.0.1",
            "DAGSTER_CODE_PORT": ports["code"],
            "DAGSTER_GRPC_HOST": "127.0.0.1",
            "DAGSTER_GRPC_PORT": ports["code"],
            "DAGSTER_WEBSERVER_HOST": "127.0.0.1",
            "DAGSTER_WEBSERVER_PORT": ports["webserver"],
            "MLFLOW_HOST": "127.0.0.1",
            "MLFLOW_PORT": ports["mlflow"],
        }


@pytest.fixture(scope="module")
def installation(values, tmp_path_factory):
    """The installation after the extraction of a date."""
    folder = tmp_path_factory.mktemp("installation")
    dagster_home = folder / "dagster"
    dagster_home.mkdir()
    shutil.copyfile(ROOT / "deploy" / "dagster.yaml", dagster_home / "dagster.yaml")
    image = production.image_environment(dagster_home, folder / "home")
    # The sandbox' addresses are the one thing that production has no variable for: there the sites are the real ones.
    code = image | {name: values[name] for name in ("LYRICS_LETRAS_URL", "LYRICS_VAGALUME_URL")}
    with ExitStack() as stack, environment(values):
        for _ in range(2):  # safe to repeat, as after a restart
            done = production.start("bucket", values, image, folder / "bucket.log")
            assert done.wait(timeout=60) == 0, (folder / "bucket.log").read_text()
        run = {
            service: stack.enter_context(production.running(service, values, variables, folder))
            for service, variables in (("mlflow", image), ("code", code))
        }
        production.wait_for_url(run["mlflow"], f"{values['LYRICS_TRACKING_URI']}/health", folder / "mlflow.log")
        _wait_for_code(run["code"], values, folder)
        for service in ("webserver", "daemon"):
            run[service] = stack.enter_context(production.running(service, values, image, folder))
        webserver = f"http://127.0.0.1:{values['DAGSTER_WEBSERVER_PORT']}"
        production.wait_for_url(run["webserver"], f"{webserver}/server_info", folder / "webserver.log")
        yield Installation(values, folder, webserver, today(), _materialize(webserver, today(), folder))


def _wait_for_code(process, values, folder):
    """Wait as the health check of compose.yaml does."""
    _, *command = production.COMPOSE["services"]["code"]["healthcheck"]["test"]
    command = [str(Path(sys.executable).with_name(command[0])), *command[1:-1], values["DAGSTER_CODE_PORT"]]

    def healthy():
        assert process.poll() is None, (folder / "code.log").read_text()[-3000:]
        return subprocess.run(command, capture_output=True, timeout=60).returncode == 0

    poll(healthy, (True,), 120)


def _materialize(webserver, date, folder):
    """Ask for the extraction of a date and wait for its end; return the run."""
    selector = {
        "repositoryLocationName": LOCATION,
        "repositoryName": REPOSITORY,
        "jobName": "extraction_job",
        "assetSelection": [{"path": path} for path in ASSETS],
        "assetCheckSelection": [{"assetKey": {"path": path}, "name": name} for path, name in CHECKS],
    }
    tags = [{"key": "dagster/partition", "value": date.isoformat()}]
    parameters = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": tags}}
    launched = ask(webserver, LAUNCH, parameters=parameters)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]
    ends = ("SUCCESS", "FAILURE", "CANCELED")
    status = poll(lambda: ask(webserver, STATUS, run=run_id)["runOrError"]["status"], ends, RUN_SECONDS)
    assert status == "SUCCESS", "".join(path.read_text(errors="replace")[-3000:] for path in folder.glob("*.log"))
    return run_id


@pytest.fixture(scope="module")
def resources(installation):
    return build_resources(installation.settings)


@pytest.fixture(scope="module")
def instance(installation):
    with dg.DagsterInstance.from_config(str(installation.folder / "dagster")) as instance:
        yield instance


def test_the_webserver_asks_the_code_location_over_grpc(installation):
    (entry,) = ask(installation.webserver, LOCATIONS)["workspaceOrError"]["locationEntries"]
    assert entry == {"name": LOCATION, "loadStatus": "LOADED"}


def test_the_daemon_took_the_run_from_the_queue_and_postgresql_tells_it(installation, instance):
    events = [
        event.dagster_event.event_type_value for event in instance.all_logs(installation.run_id, of_type=ABOUT_RUN)
    ]
    assert events == ["PIPELINE_ENQUEUED", "PIPELINE_START", "PIPELINE_SUCCESS"]
    assert "Launched 1 runs" in (installation.folder / "daemon.log").read_text()
    with closing(sa.create_engine(installation.values["DAGSTER_DATABASE_URL"]).connect()) as connection:
        found = connection.exec_driver_sql("SELECT run_id, status, partition FROM runs").all()
    assert found == [(installation.run_id, "SUCCESS", installation.date.isoformat())]
    assert {"QUEUED_RUN_COORDINATOR", "SENSOR", "SCHEDULER", "MONITORING"} <= set(instance.get_daemon_heartbeats())


def test_the_lake_is_in_the_object_store(installation, resources):
    lake, date = resources["lake"], installation.date
    assert lake.root == "s3://lyrics/lake"
    names = lake.all_names()
    assert {f"raw/letras/{date}.jsonl", f"raw/vagalume/{date}.jsonl", f"lyrics/{date}.parquet"} <= set(names)
    songs = list(lake.read_json_lines(f"raw/letras/{date}.jsonl"))
    assert {song["genre"] for song in songs} == set(GENRES.split(","))
    assert not [name for name in names if name.endswith(".part")]


def test_the_feature_store_is_in_the_object_store(installation, resources):
    store = resources["feature_store"]
    assert store.dates() == [installation.date]
    rows = store.read_date(installation.date)
    assert rows.num_rows == resources["lake"].read_table(f"lyrics/{installation.date}.parquet").num_rows > 0
    assert set(rows["genre"].to_pylist()) == set(GENRES.split(","))


def test_pages_and_texts_are_in_postgresql(installation):
    with closing(Archive(installation.settings.archive)) as archive:
        assert archive.has_date(installation.date, "letras")
        assert archive.has_date(installation.date, "vagalume")
    engine = open_engine(installation.settings.text_index)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM texts").scalar_one() > 0
    engine.dispose()


def test_a_model_goes_to_the_mlflow_server_and_its_files_to_the_object_store(installation, resources):
    tracking = resources["tracking"]
    model = register(tracking)
    tracking.promote(model)
    assert tracking.get("champion").version == 1
    assert tracking.load(model).classes
    with closing(sa.create_engine(installation.values["MLFLOW_BACKEND_STORE_URI"]).connect()) as connection:
        assert connection.exec_driver_sql("SELECT run_uuid FROM runs").all() == [(model.run_id,)]
    files = Lake(root="s3://lyrics/mlflow").all_names()
    assert [name for name in files if name.endswith("scorer.npz")]


def test_what_a_step_printed_is_in_the_object_store(installation):
    names = Lake(root="s3://lyrics/compute_logs").all_names()
    assert any(installation.run_id in name for name in names), names


def test_nothing_is_written_to_the_machine_but_scratch(installation):
    assert [path.name for path in (installation.folder / "home").iterdir()] == ["scratch"]
    assert [path.name for path in (installation.folder / "home" / "scratch").iterdir()] == []
    files = [path.name for path in (installation.folder / "dagster").rglob("*") if path.is_file()]
    assert files == ["dagster.yaml"]


def test_no_secret_is_in_the_history_the_logs_or_the_interface(installation, instance):
    shown = [dg.serialize_value(event) for event in instance.all_logs(installation.run_id)]
    shown += [path.read_text(errors="replace") for path in installation.folder.glob("*.log")]
    selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY}
    shown.append(json.dumps(ask(installation.webserver, RESOURCES, selector=selector)))
    assert "s3://lyrics/lake" in shown[-1]
    for secret in (PASSWORD, SECRET_KEY):
        assert not [text[:200] for text in shown if secret in text]
