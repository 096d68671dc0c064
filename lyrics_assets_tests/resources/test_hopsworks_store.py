"""Hopsworks through its real client, against a contract server on loopback that keeps real Delta tables.

One file: the client and the server share the one port of the Query Service, so only one server runs on a machine.
"""

import concurrent.futures
import datetime as dt
import json
import logging
import os
import subprocess
import sys

import dagster as dg
import pytest
from deltalake import DeltaTable, write_deltalake

from lyrics_assets.assets.extraction import raw_name
from lyrics_assets.assets.preparation import lyrics_name
from lyrics_assets.definitions import build_defs, build_resources
from lyrics_assets.lyrics.schema import COLUMNS, FEATURE_GROUP, VERSION
from lyrics_assets.model.scorer import Scorer
from lyrics_assets.resources.feature_store import DeltaFeatureStore, FeatureStore, StoreError
from lyrics_assets.resources.hopsworks import HopsworksFeatureStore, HopsworksModelRegistry
from lyrics_assets.resources.hopsworks_connection import HopsworksError, hopsworks_configuration
from lyrics_assets.resources.model_mirror import MirrorError, NoMirror
from lyrics_assets.settings import Settings
from lyrics_assets_tests.corpus import TWO_GENRES, raw_songs, scorer
from lyrics_assets_tests.hopsworks_server import HopsworksServer
from lyrics_assets_tests.hopsworks_server.certificates import make_certificates
from lyrics_assets_tests.resources.feature_store_contract import (
    DATE,
    TOMORROW,
    FeatureStoreContract,
    at_once,
    same,
    settings,
    songs,
    titles,
    write_in_processes,
)

TIMEOUT = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with HopsworksServer(tmp_path_factory.mktemp("hopsworks")) as running:
        yield running


@pytest.fixture
def store(server):
    server.state.clear()
    return HopsworksFeatureStore(**server.address._asdict(), timeout_seconds=TIMEOUT)


@pytest.fixture
def registry(server):
    server.state.clear()
    return HopsworksModelRegistry(**connection(server), timeout_seconds=TIMEOUT)


def connection(server):
    fields = server.address._asdict()
    del fields["storage_connector"]
    return fields


def stored_group(server):
    (group,) = server.state.groups.values()
    return group


def table_of(server):
    return DeltaTable(stored_group(server)["location"].removeprefix("file://"))


def run_python(code, *arguments, **environment):
    """Run code in a fresh process, where no client was imported before."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


class TestHopsworks(FeatureStoreContract):
    """The contract, and what is Hopsworks' own."""

    def test_the_feature_group_is_described_by_the_columns(self, store, server):
        store.replace_date(songs("Um"))
        group = stored_group(server)
        assert (group["name"], group["version"], group["timeTravelFormat"]) == (FEATURE_GROUP, VERSION, "DELTA")
        assert (group["eventTime"], group["onlineEnabled"], group["type"]) == (
            "extraction_date",
            False,
            "cachedFeaturegroupDTO",
        )
        found = {feature["name"]: feature for feature in group["features"]}
        assert list(found) == [column.name for column in COLUMNS]
        for column in COLUMNS:
            assert found[column.name]["description"].startswith(column.description)
            assert column.unit in found[column.name]["description"]
            assert found[column.name]["onlineType"] is None
        assert [name for name, feature in found.items() if feature["primary"]] == ["song_id"]
        assert [name for name, feature in found.items() if feature["partition"]] == ["extraction_date"]
        types = {name: found[name]["type"] for name in ("genres", "rank", "portuguese_share", "is_translation")}
        assert types == {
            "genres": "array<string>",
            "rank": "bigint",
            "portuguese_share": "double",
            "is_translation": "boolean",
        }

    def test_online_types_are_wide_enough_for_a_lyric(self, store):
        from lyrics_assets.resources.hopsworks import features

        types = {feature.name: feature.online_type for feature in features(online=True)}
        assert types["lyrics"] == types["title"] == "text"
        assert types["song_id"] == "varchar(64)"

    def test_dates_are_parts_of_the_table_that_are_read_alone(self, store, server):
        for date in (DATE, TOMORROW):
            store.replace_date(songs("Um", date=date))
        assert table_of(server).metadata().partition_columns == ["extraction_date"]
        store.read_date(TOMORROW, ["title"])
        query = server.query_service.queries[-1]
        assert query["columns"] == ["title"]
        compared = [query["filter"][side] for side in ("leftFilter", "rightFilter")]
        assert [(c["feature"]["name"], c["value"]) for c in compared] == [("extraction_date", TOMORROW.isoformat())] * 2

    def test_dates_are_told_without_reading_a_lyric(self, store, server):
        store.replace_date(songs("Um"))
        store.dates()
        assert server.query_service.queries[-1]["columns"] == ["extraction_date"]

    def test_commits_say_what_they_did(self, store):
        store.replace_date(songs("Um", "Dois"))
        store.replace_date(songs("Dois"))
        assert [commit.operation for commit in store.commits()] == ["1 deleted", "1 updated", "2 inserted"]

    def test_a_training_dataset_keeps_where_its_rows_came_from(self, store, server):
        store.replace_date(songs("Um"))
        store.replace_date(songs("Dois", date=TOMORROW))
        versions = [store.training_data(TOMORROW, 7).version, same(store).training_data(DATE, 1).version]
        assert versions == [f"lyrics_genre_{VERSION} training dataset {number}" for number in (1, 2)]
        view = server.state.view("lyrics_genre", VERSION)
        assert [feature["name"] for feature in view["features"] if feature["label"]] == ["genre"]
        assert view["query"]["leftFeatureGroup"]["id"] == stored_group(server)["id"]
        first, last = server.state.training_datasets["lyrics_genre", VERSION]
        ranges = [(dataset["eventStartTime"], dataset["eventEndTime"]) for dataset in (first, last)]
        assert [tuple(dt.datetime.fromtimestamp(t / 1000, dt.UTC).date() for t in both) for both in ranges] == [
            (TOMORROW - dt.timedelta(days=6), TOMORROW + dt.timedelta(days=1)),
            (DATE, TOMORROW),
        ]

    # The client's advice of a new version: threads share the filters of warnings, so one may lift another's.
    @pytest.mark.filterwarnings("ignore:Incremented version")
    def test_a_feature_view_that_another_makes_first_is_used(self, store, server):
        store.replace_date(songs("Um"))
        calls = [lambda: same(store).training_data(DATE, 1)] * 3
        assert at_once(*calls) == []
        assert len(server.state.training_datasets["lyrics_genre", VERSION]) == 3


DIE_HALFWAY = """
import json, os, sys
from hsfs.feature_group import FeatureGroup
from lyrics_assets.resources.hopsworks import HopsworksFeatureStore
from lyrics_assets_tests.resources.feature_store_contract import songs
FeatureGroup.remove_rows = lambda *_: os._exit(9)
HopsworksFeatureStore(**json.loads(sys.argv[1])).replace_date(songs("Dois", "Três"))
"""


class TestWritersThatMeet:
    """Rows that another writer, or a run that crashed, left behind."""

    def test_rows_that_a_crash_left_are_removed(self, store, server):
        store.replace_date(songs("Um", "Dois"))
        write_deltalake(table_of(server), songs("Fantasma"), mode="append")
        assert titles(store.read_date(DATE)) == ["Dois", "Fantasma", "Um"]
        store.replace_date(songs("Um", "Dois"))
        assert titles(store.read_date(DATE)) == ["Dois", "Um"]

    def test_a_process_killed_between_its_two_commits_is_mended_by_the_next_run(self, store, tmp_path):
        store.replace_date(songs("Um", "Dois"))
        assert run_python(DIE_HALFWAY, json.dumps(settings(store)), TMPDIR=str(tmp_path)).returncode == 9
        assert titles(store.read_date(DATE)) == ["Dois", "Três", "Um"]
        store.replace_date(songs("Dois", "Três"))
        assert titles(store.read_date(DATE)) == ["Dois", "Três"]

    def test_keys_that_stand_twice_are_made_one(self, store, server):
        written = songs("Um", "Dois", "Três")
        store.replace_date(written)
        for table in (songs("Um", rank=9), songs("Dois")):
            write_deltalake(table_of(server), table, mode="append")
        store.replace_date(written)
        assert store.read_date(DATE).sort_by("song_id").equals(written.sort_by("song_id"))

    def test_two_machines_that_write_a_new_date_leave_the_rows_of_one(self, store, server, tmp_path):
        """Each has a folder for temporary files of its own, and so its own lock, as two machines have."""
        tables = [songs("Um", "Dois", "Três", rank=1), songs("Dois", "Três", "Quatro", rank=2)]
        environments = []
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            environments.append(os.environ | {"TMPDIR": str(tmp_path / name)})
        write_in_processes(store, tmp_path, tables, environments)
        read = store.read_date(DATE).sort_by("song_id")
        assert any(read.equals(table.sort_by("song_id")) for table in tables)

    def test_a_date_that_never_comes_to_rest_is_an_error(self, store, server, monkeypatch):
        """A writer that knows no lock adds a row whenever this one has written."""
        store.replace_date(songs("Um"))
        monkeypatch.setattr("lyrics_assets.resources.hopsworks._ATTEMPTS", 2)
        create = server.state.add_commit

        def meddle(number, commit):
            write_deltalake(table_of(server), songs("Fantasma"), mode="append")
            return create(number, commit)

        monkeypatch.setattr(server.state, "add_commit", meddle)
        with pytest.raises(StoreError, match=f"does not hold the 1 rows written for {DATE}.*materialize"):
            store.replace_date(songs("Um"))
        monkeypatch.undo()
        store.replace_date(songs("Um"))
        assert titles(store.read_date(DATE)) == ["Um"]


class TestHalfWrittenGroups:
    """A feature group that is known to Hopsworks, but not as this project leaves it."""

    @pytest.fixture
    def metadata(self, store, server):
        """What the client sends when it makes the group."""
        store.replace_date(songs("Um"))
        metadata = dict(stored_group(server))
        server.state.clear()
        return metadata

    def test_a_group_without_data_is_an_empty_store_until_a_date_is_written(self, store, server, metadata):
        server.state.create_group(metadata)
        assert store.dates() == []
        for ask in (lambda: store.read_date(DATE), store.commits, lambda: store.training_data(DATE, 1)):
            with pytest.raises(StoreError, match="holds no feature group: materialize lyrics_features"):
                ask()
        store.replace_date(songs("Um", "Dois"))
        assert titles(store.read_date(DATE)) == ["Dois", "Um"]

    def test_a_group_of_other_columns_is_refused_by_their_names(self, store, server, metadata):
        features = [feature for feature in metadata["features"] if feature["name"] != "rank"]
        features[0] = features[0] | {"type": "int"}
        features.append(features[-1] | {"name": "mood"})
        server.state.create_group(metadata | {"features": features})
        for ask in (store.dates, lambda: store.replace_date(songs("Um"))):
            with pytest.raises(StoreError, match=r"rank missing; mood unknown; song_id is int, not string.*VERSION"):
                ask()

    def test_a_group_of_another_format_is_refused(self, store, server, metadata):
        server.state.create_group(metadata | {"timeTravelFormat": "NONE", "eventTime": None})
        with pytest.raises(StoreError, match="event time is None, not extraction_date; time travel format is NONE"):
            store.read_date(DATE)

    def test_a_run_that_fails_while_it_makes_the_group_is_mended_by_the_next(self, store, server):
        server.state.faults.failures, server.state.faults.fail_method = 1, "POST"
        with pytest.raises(StoreError, match="fails with HTTP 500"):
            store.replace_date(songs("Um"))
        store.replace_date(songs("Um"))
        assert titles(store.read_date(DATE)) == ["Um"]

    def test_a_run_that_fails_after_its_rows_are_stored_is_mended_by_the_next(self, store, server):
        store.replace_date(songs("Um", "Dois"))
        server.state.faults.failures, server.state.faults.fail_path = 1, "/commits"
        with pytest.raises(StoreError, match="fails with HTTP 500"):
            store.replace_date(songs("Dois", rank=4))
        store.replace_date(songs("Dois", rank=4))
        assert store.read_date(DATE)["rank"].to_pylist() == [4]

    def test_hopsfs_is_refused_before_anything_is_made(self, store, server):
        with pytest.raises(StoreError, match=r"HopsFS.*set storage_connector"):
            HopsworksFeatureStore(**connection(server)).replace_date(songs("Um"))
        assert server.state.groups == {}

    def test_an_unknown_data_source_is_named(self, store, server):
        lost = HopsworksFeatureStore(**connection(server), storage_connector="lost_bucket")
        with pytest.raises(StoreError, match="project lyrics has no data source lost_bucket: make it"):
            lost.replace_date(songs("Um"))


class TestServersThatFail:
    """What a login or a request can run into, and the sentence that says what to do."""

    def ask(self, server, **changed):
        fields = server.address._asdict() | {"timeout_seconds": 1.5} | changed
        return HopsworksFeatureStore(**fields).dates()

    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"api_key": "wrong.key"}, "does not accept the API key.*LYRICS_HOPSWORKS_API_KEY"),
            ({"api_key": ""}, "no API key for localhost: set LYRICS_HOPSWORKS_API_KEY"),
            ({"project": "other"}, "shows no project other to this API key.*LYRICS_HOPSWORKS_PROJECT"),
            ({"ca_file": ""}, "not signed by an authority that is trusted.*set ca_file"),
            ({"ca_file": "/nowhere/ca.pem"}, "/nowhere/ca.pem: no such file"),
            ({"host": "no-such-host.invalid"}, "no-such-host.invalid.*cannot be reached.*LYRICS_HOPSWORKS_HOST"),
            ({"port": 1}, "localhost:1 cannot be reached"),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_what_is_configured_wrongly_is_named(self, store, server, changed, told):
        with pytest.raises(StoreError, match=told) as error:
            self.ask(server, **changed)
        assert "wrong.key" not in str(error.value)
        assert self.ask(server) == []

    def test_another_authority_than_the_servers_is_not_trusted(self, store, server, tmp_path):
        (tmp_path / "other.pem").write_bytes(make_certificates().authority)
        with pytest.raises(StoreError, match="not signed by an authority that is trusted"):
            self.ask(server, ca_file=str(tmp_path / "other.pem"))

    def test_the_environment_overrides_nothing(self, store, server, monkeypatch):
        for name, value in {
            "HOPSWORKS_HOSTNAME_VERIFICATION": "false",
            "HOPSWORKS_TRUST_STORE_PATH": "/nowhere",
            "HOPSWORKS_HOST": "run.hopsworks.ai",
            "HOPSWORKS_PORT": "1",
            "HOPSWORKS_PROJECT": "other",
            "HOPSWORKS_API_KEY": "wrong.key",
            "HOPSWORKS_ENGINE": "spark",
            "REST_ENDPOINT": "https://inside:8182",
        }.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(StoreError, match="not signed by an authority that is trusted"):
            self.ask(server, ca_file="")
        assert self.ask(server) == []
        assert os.environ["HOPSWORKS_PORT"] == "1"

    def test_a_server_that_is_silent_at_login_is_waited_for_once(self, store, server):
        server.state.faults.hang = True
        started = dt.datetime.now()
        with pytest.raises(StoreError, match=r"did not answer within 0\.5 s.*raise timeout_seconds"):
            self.ask(server, timeout_seconds=0.5)
        assert dt.datetime.now() - started < dt.timedelta(seconds=5)

    def test_a_server_that_falls_silent_is_waited_for_once(self, store, server):
        assert self.ask(server) == []
        server.state.faults.hang = True
        with pytest.raises(StoreError, match=r"did not answer within 1\.5 s"):
            self.ask(server)

    def test_a_query_service_that_is_silent_is_not_waited_for_longer(self, store, server):
        patient = HopsworksFeatureStore(**server.address._asdict(), timeout_seconds=1.5)
        patient.replace_date(songs("Um"))
        server.state.faults.hang_queries = True
        with pytest.raises(StoreError, match="cannot be read through its Query Service, port 5005"):
            patient.read_date(DATE)

    @pytest.mark.filterwarnings("ignore:Client initialisation failed:UserWarning")
    def test_a_cluster_without_a_query_service_is_told(self, store, server):
        store.replace_date(songs("Um"))
        server.state.faults.query_service = False
        with pytest.raises(StoreError, match="Query Service, port 5005"):
            HopsworksFeatureStore(**server.address._asdict(), timeout_seconds=9).read_date(DATE)

    def test_a_server_that_fails_now_and_then_is_asked_again(self, store, server):
        server.state.faults.failures = 2
        assert self.ask(server, timeout_seconds=3) == []

    def test_a_server_that_keeps_failing_is_an_error(self, store, server):
        server.state.faults.failures = 100
        with pytest.raises(StoreError, match=r"fails with HTTP 500.*generic error.*try again later"):
            self.ask(server, timeout_seconds=4)

    def test_another_minor_version_is_warned_of(self, store, server, caplog):
        server.state.version = "5.1.0-SNAPSHOT"
        with caplog.at_level(logging.WARNING):
            assert self.ask(server, timeout_seconds=5) == []
        assert "localhost is Hopsworks 5.1.0, the client installed here is 5.2" in caplog.text

    def test_another_major_version_is_refused(self, store, server):
        server.state.version = "4.7.1"
        with pytest.raises(
            StoreError, match=r"localhost is Hopsworks 4\.7\.1, the client .* 5\.2.*: install hopsworks 4\.7"
        ):
            self.ask(server, timeout_seconds=6)


LOG_IN = """
import json, logging, sys, tempfile, warnings
from pathlib import Path
import dagster, deltalake, pandas, pyarrow, urllib3
formatter, filters, level = warnings.formatwarning, list(warnings.filters), logging.getLogger().level
from lyrics_assets.resources.hopsworks import HopsworksFeatureStore
assert "hopsworks" not in sys.modules, "imported before it was needed"
HopsworksFeatureStore(**json.loads(sys.argv[1])).dates()
assert warnings.formatwarning is formatter
assert list(warnings.filters) == filters, [f for f in warnings.filters if f not in filters]
assert (logging.getLogger().handlers, logging.getLogger().level) == ([], level)
(folder,) = Path(tempfile.gettempdir()).glob("lyrics-hopsworks-*")
assert folder.stat().st_mode & 0o777 == 0o700
assert (folder / "client_key.pem").exists()
"""


class TestLogins:
    """One a process, quiet, without a trace, in nobody's way."""

    def test_a_login_leaves_logging_warnings_terminal_and_disk_as_they_were(self, store, server, tmp_path):
        done = run_python(LOG_IN, json.dumps(server.address._asdict()), TMPDIR=str(tmp_path), HOME=str(tmp_path))
        assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
        assert list(tmp_path.iterdir()) == []

    def test_another_process_that_logs_in_and_out_disturbs_nobody(self, store, server):
        store.replace_date(songs("Um"))
        done = run_python("\n".join(LOG_IN.splitlines()[:8]), json.dumps(server.address._asdict()))
        assert (done.stderr, done.returncode) == ("", 0)
        assert titles(store.read_date(DATE)) == ["Um"]
        store.replace_date(songs("Dois"))

    def test_threads_share_one_login(self, store, server):
        fields = server.address._asdict() | {"timeout_seconds": 7}
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            dates = list(threads.map(lambda _: HopsworksFeatureStore(**fields).dates(), range(4)))
        assert dates == [[]] * 4
        assert sum(path.endswith("/credentials") for _, path in server.state.requests) == 1

    def test_two_projects_take_turns(self, store, server):
        store.replace_date(songs("Um"))
        with pytest.raises(StoreError, match="shows no project other"):
            HopsworksFeatureStore(**server.address._asdict() | {"project": "other"}).dates()
        assert titles(store.read_date(DATE)) == ["Um"]


class TestResources:
    """In Dagster, where the key comes from the environment when a step begins."""

    def test_an_asset_writes_with_a_key_that_no_configuration_shows(self, store, server, monkeypatch):
        monkeypatch.setenv("LYRICS_HOPSWORKS_API_KEY", server.address.api_key)
        resource = HopsworksFeatureStore(**settings(store) | {"api_key": dg.EnvVar("LYRICS_HOPSWORKS_API_KEY")})

        @dg.asset
        def features(feature_store: dg.ResourceParam[FeatureStore]) -> None:
            feature_store.replace_date(songs("Um"))

        assert dg.materialize([features], resources={"feature_store": resource}).success
        assert titles(store.read_date(DATE)) == ["Um"]
        assert server.address.api_key not in repr(resource)


class TestProject:
    """The project's own graph, with the store that its settings choose."""

    @pytest.fixture
    def settings(self, store, server, tmp_path, monkeypatch):
        address = server.address
        chosen = {
            "HOST": address.host,
            "PROJECT": address.project,
            "API_KEY": address.api_key,
            "PORT": str(address.port),
            "CA_FILE": address.ca_file,
            "DATA_SOURCE": address.storage_connector,
        }
        for name, value in chosen.items():
            monkeypatch.setenv(f"LYRICS_HOPSWORKS_{name}", value)
        monkeypatch.setenv("LYRICS_HOME", str(tmp_path))
        return Settings.from_environment()

    def test_two_dates_and_a_rerun_are_stored_and_become_a_training_set(self, settings, server, tmp_path):
        defs, first, second = build_defs(settings), "2026-10-01", "2026-10-02"
        lake = build_resources(settings)["lake"]
        rows = raw_songs("Samba", "Gospel")
        lines = {first: rows, second: rows[4:]}
        with dg.DagsterInstance.ephemeral() as instance:
            for date in (first, second, first):
                text = "".join(json.dumps(row) + "\n" for row in lines[date])
                lake.write_bytes(raw_name("letras", date), text.encode())
                assert self.run(defs, instance, "extraction_job", ["lyrics", "lyrics_features"], date)
                lines[first] = rows[:-6]
            assert self.run(defs, instance, "training_job", ["training_set"])
            (event,) = instance.fetch_materializations(dg.AssetKey("training_set"), limit=1).records
        told = event.asset_materialization.metadata
        assert told["store_version"].value == f"lyrics_genre_{VERSION} training dataset 1"
        store = build_resources(settings)["feature_store"]
        assert [str(date) for date in store.dates()] == [first, second]
        for date in (first, second):
            assert (
                store.read_date(dt.date.fromisoformat(date))
                .sort_by("song_id")
                .equals(lake.read_table(lyrics_name(date)))
            )
        assert not (tmp_path / "feature_store").exists(), "rows for Hopsworks were kept on the machine"

    @staticmethod
    def run(defs, instance, job, assets, date=None):
        keys = [dg.AssetKey(asset) for asset in assets]
        job = defs.resolve_job_def(job)
        return job.execute_in_process(instance=instance, partition_key=date, asset_selection=keys).success

    def test_no_configuration_shows_the_key(self, settings, server):
        resources = build_resources(settings)
        for name in ("feature_store", "model_mirror"):
            assert server.address.api_key not in repr(resources[name])
        assert server.address.api_key not in repr(settings)


class TestConfiguration:
    """Three variables choose Hopsworks, all or none."""

    def test_none_of_them_is_no_hopsworks(self):
        assert hopsworks_configuration("", "", "") is None

    def test_all_of_them_are_a_configuration_that_does_not_show_the_key(self):
        found = hopsworks_configuration("hops.example", "lyrics", "secret.key", port=8181, ca_file="ca.pem")
        assert (found.host, found.port, found.project, found.ca_file) == ("hops.example", 8181, "lyrics", "ca.pem")
        assert "secret.key" not in repr(found)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            (("h", "", ""), "HOST set, LYRICS_HOPSWORKS_PROJECT and LYRICS_HOPSWORKS_API_KEY not"),
            (("h", "p", ""), "HOST and LYRICS_HOPSWORKS_PROJECT set, LYRICS_HOPSWORKS_API_KEY not"),
            (("", "p", "k"), "PROJECT and LYRICS_HOPSWORKS_API_KEY set, LYRICS_HOPSWORKS_HOST not"),
        ],
    )
    def test_some_of_them_are_an_error_that_names_the_others(self, given, told):
        with pytest.raises(HopsworksError, match=told):
            hopsworks_configuration(*given)
        chosen = dict(zip(("hopsworks_host", "hopsworks_project", "hopsworks_api_key"), given, strict=True))
        with pytest.raises(HopsworksError, match=told):
            build_defs(Settings(**chosen))

    def test_without_them_the_store_is_in_the_home(self, tmp_path):
        resources = build_resources(Settings(home=tmp_path))
        assert resources["feature_store"] == DeltaFeatureStore(root=str(tmp_path / "feature_store"))
        assert resources["model_mirror"] == NoMirror()


class TestModelRegistry:
    """A model's files in Hopsworks' own registry."""

    def test_a_model_is_published_once_and_its_files_come_back(self, registry, server, tmp_path):
        """Also when an earlier run ended between the upload and the registration."""
        scorer(*TWO_GENRES).save(tmp_path / "model")
        large = bytes(range(256)) * (4096 * 21)  # 21 MB: three chunks, as the client uploads
        (tmp_path / "model" / "large.bin").write_bytes(large)
        left = server.state.files / "Models" / "lyrics_genre" / "3" / "Files"
        left.mkdir(parents=True)
        (left / "scorer.npz").write_bytes(b"half a file")
        address = registry.publish(tmp_path / "model", 3, {"macro_f1": 0.5}, {"n_train": "12"})
        assert address == f"https://localhost:{registry.port}/p/119/models/lyrics_genre/3"
        assert Scorer.load(left).classes == scorer(*TWO_GENRES).classes
        assert (left / "large.bin").read_bytes() == large
        assert json.loads((left / "tags.json").read_text()) == {"n_train": "12"}
        model = server.state.models["lyrics_genre_3"]
        assert (model["version"], model["framework"], model["metrics"]) == (3, "PYTHON", {"macro_f1": "0.5"})
        server.state.requests.clear()
        assert registry.publish(tmp_path / "model", 3, {"macro_f1": 0.9}, {}) == address
        assert {method for method, _ in server.state.requests} == {"GET"}
        assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
            "large.bin",
            "scorer.json",
            "scorer.npz",
        ]

    def test_an_upload_that_fails_is_an_error_and_leaves_nothing(self, registry, server, tmp_path):
        (tmp_path / "weights.bin").write_bytes(b"weights")
        server.state.faults.failures, server.state.faults.fail_path = 100, "/dataset/upload"
        with pytest.raises(MirrorError, match="fails with HTTP 500"):
            registry.publish(tmp_path, 5, {}, {})
        assert not (server.state.files / "Models" / "lyrics_genre" / "5").exists()

    def test_a_wrong_key_is_an_error(self, registry, server, tmp_path):
        refused = HopsworksModelRegistry(**connection(server) | {"api_key": "wrong.key"})
        with pytest.raises(MirrorError, match="does not accept the API key"):
            refused.publish(tmp_path, 6, {}, {})

    def test_no_mirror_publishes_nowhere(self, tmp_path):
        assert NoMirror().publish(tmp_path, 1, {}, {}) is None
