"""What every feature store does, as tests: a module that defines a class from it and a fixture `store` runs them."""

import datetime as dt
import json
import subprocess
import sys
import threading
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lyrics_assets.lyrics.dataset import build_dataset
from lyrics_assets.lyrics.schema import FEATURE_GROUP, SCHEMA, VERSION, SchemaError
from lyrics_assets.resources.feature_store import StoreError
from lyrics_assets_tests.corpus import raw_song

DATE = dt.date(2026, 10, 1)
TOMORROW = DATE + dt.timedelta(days=1)
LATER = DATE + dt.timedelta(days=10)


def songs(*titles, date=DATE, **fields):
    """Return the dataset of a date, of songs that differ by their titles."""
    return build_dataset([raw_song(title=title, **fields) for title in titles], date).songs


def titles(table):
    """Return the titles of a table, sorted."""
    return sorted(table["title"].to_pylist())


def settings(store):
    """Return the fields by which another process makes the same store."""
    return {name: getattr(store, name) for name in type(store).model_fields}


def same(store):
    """Return another instance of the same store."""
    return type(store)(**settings(store))


def writer(store, table):
    """Return a call that writes a table through an instance of its own."""
    return lambda: same(store).replace_date(table)


def at_once(*work):
    """Run the calls at once and return what they raised."""
    errors, ready = [], threading.Barrier(len(work))

    def run(call):
        ready.wait()
        try:
            call()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


WRITE_WHEN_TOLD = """
import importlib, json, sys
import pyarrow.parquet as pq
module, name, fields, path = sys.argv[1:]
store = getattr(importlib.import_module(module), name)(**json.loads(fields))
table = pq.read_table(path)
store.dates()
print("ready", flush=True)
sys.stdin.readline()
store.replace_date(table)
"""


def write_in_processes(store, folder, tables, environments=({}, {})):
    """Write each table in a process of its own, all at once; each must end well."""
    writers = []
    for number, (table, environment) in enumerate(zip(tables, environments, strict=True)):
        path = folder / f"table_{number}.parquet"
        pq.write_table(table, path)
        kind = type(store)
        command = [sys.executable, "-c", WRITE_WHEN_TOLD]
        command += [kind.__module__, kind.__name__, json.dumps(settings(store)), str(path)]
        writers.append(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment or None)
        )
    assert [process.stdout.readline() for process in writers] == ["ready\n"] * len(writers)
    for process in writers:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in writers:
        process.communicate(timeout=120)
    assert [process.returncode for process in writers] == [0] * len(writers)


def refused_tables():
    """Return tables that no store may take, by what is wrong with each."""
    today = dt.datetime.now(ZoneInfo("America/Sao_Paulo")).date()
    return {
        "empty": songs("Um").slice(0, 0),
        "repeated key": pa.concat_tables([songs("Um"), songs("Um")]),
        "two dates": pa.concat_tables([songs("Um"), songs("Dois", date=TOMORROW)]),
        "missing column": songs("Um").drop_columns(["lyrics"]),
        "unknown column": songs("Um").append_column("mood", pa.array(["sad"])),
        "future date": songs("Um", date=today + dt.timedelta(days=1)),
    }


class FeatureStoreContract:
    """The cases that hold for each store; `store` is an empty one."""

    def test_rows_come_back_as_they_were_written(self, store):
        written = songs("Um", "Dois", "Três “aspas” 'e' \\ 🎵", original_language="en", is_translation=True, rank=None)
        store.replace_date(written)
        read = store.read_date(DATE)
        assert read.schema.equals(SCHEMA)
        assert read.sort_by("song_id").equals(written.sort_by("song_id"))

    def test_writing_a_date_twice_gives_the_same_rows(self, store):
        for _ in range(2):
            store.replace_date(songs("Um", "Dois"))
        assert titles(store.read_date(DATE)) == ["Dois", "Um"]

    def test_a_second_date_keeps_the_first(self, store):
        store.replace_date(songs("Um", "Dois"))
        store.replace_date(songs("Dois", "Três", date=TOMORROW))
        assert titles(store.read_date(DATE)) == ["Dois", "Um"]
        assert titles(store.read_date(TOMORROW)) == ["Dois", "Três"]

    def test_fewer_rows_leave_no_stale_one(self, store):
        store.replace_date(songs("Um", "Dois", "Três"))
        store.replace_date(songs("Quatro", date=TOMORROW))
        store.replace_date(songs("Dois"))
        assert titles(store.read_date(DATE)) == ["Dois"]
        assert titles(store.read_date(TOMORROW)) == ["Quatro"]

    def test_other_rows_take_the_place_of_all(self, store):
        store.replace_date(songs("Um", "Dois"))
        store.replace_date(songs("Três"))
        assert titles(store.read_date(DATE)) == ["Três"]

    def test_the_last_text_of_a_date_counts(self, store):
        store.replace_date(songs("Um", rank=5))
        store.replace_date(songs("Um", rank=2))
        assert store.read_date(DATE)["rank"].to_pylist() == [2]

    @pytest.mark.parametrize("wrong", refused_tables())
    def test_a_refused_table_leaves_the_store_as_it_was(self, store, wrong):
        refused = refused_tables()[wrong]
        with pytest.raises(SchemaError):
            store.replace_date(refused)
        assert store.dates() == []
        store.replace_date(songs("Um", "Dois"))
        before = store.commits()
        with pytest.raises(SchemaError):
            store.replace_date(refused)
        assert titles(store.read_date(DATE)) == ["Dois", "Um"]
        assert store.commits() == before

    def test_a_range_includes_both_its_ends(self, store):
        for date, title in ((DATE, "Um"), (TOMORROW, "Dois"), (LATER, "Três")):
            store.replace_date(songs(title, date=date))
        assert titles(store.read_range(DATE, LATER)) == ["Dois", "Três", "Um"]
        assert titles(store.read_range(DATE, TOMORROW)) == ["Dois", "Um"]
        assert titles(store.read_range(TOMORROW, LATER - dt.timedelta(days=1))) == ["Dois"]

    def test_a_range_without_rows_is_an_empty_table(self, store):
        store.replace_date(songs("Um"))
        empty = store.read_date(TOMORROW)
        assert (empty.num_rows, empty.schema.equals(SCHEMA)) == (0, True)

    @pytest.mark.parametrize("columns", [["title"], ["rank", "song_id"], ["lyrics", "extraction_date", "genres"]])
    def test_only_the_columns_asked_for_are_read_in_their_order(self, store, columns):
        store.replace_date(songs("Um", "Dois"))
        read = store.read_range(DATE, TOMORROW, columns)
        assert read.column_names == columns
        assert read.num_rows == 2

    def test_the_latest_row_of_each_song_counts(self, store):
        store.replace_date(songs("Um", "Dois", rank=1))
        store.replace_date(songs("Dois", "Três", rank=2, date=TOMORROW))
        latest = store.latest(TOMORROW, 30)
        assert latest.schema.equals(SCHEMA)
        rows = zip(latest["title"].to_pylist(), latest["rank"].to_pylist(), strict=True)
        assert dict(rows) == {"Um": 1, "Dois": 2, "Três": 2}
        assert latest["song_id"].to_pylist() == sorted(latest["song_id"].to_pylist())

    def test_only_dates_of_the_window_count(self, store):
        for date, title in ((DATE, "Um"), (TOMORROW, "Dois"), (LATER, "Três")):
            store.replace_date(songs(title, date=date))
        assert titles(store.latest(LATER, 1)) == ["Três"]
        assert titles(store.latest(LATER, 10)) == ["Dois", "Três"]
        assert titles(store.latest(LATER, 11)) == ["Dois", "Três", "Um"]
        assert titles(store.latest(TOMORROW, 30)) == ["Dois", "Um"]
        assert store.latest(DATE - dt.timedelta(days=1), 30).num_rows == 0

    @pytest.mark.parametrize(("as_of", "window_days"), [(TOMORROW, 30), (LATER, 10), (DATE, 1)])
    def test_training_data_are_the_latest_rows_of_the_window(self, store, as_of, window_days):
        store.replace_date(songs("Um", "Dois", rank=1))
        store.replace_date(songs("Dois", "Três", rank=None, date=TOMORROW))
        store.replace_date(songs("Quatro", date=LATER))
        data = store.training_data(as_of, window_days)
        assert data.songs.equals(store.latest(as_of, window_days))
        assert data.version

    def test_dates_are_those_that_hold_rows_oldest_first(self, store):
        assert store.dates() == []
        for date in (LATER, DATE, TOMORROW, DATE):
            store.replace_date(songs("Um", date=date))
        assert store.dates() == [DATE, TOMORROW, LATER]

    def test_commits_come_newest_first_with_their_time(self, store):
        started = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
        store.replace_date(songs("Um"))
        first = store.commits()
        store.replace_date(songs("Dois", date=TOMORROW))
        commits = store.commits()
        assert [commit.version for commit in commits] == sorted((c.version for c in commits), reverse=True)
        assert commits[-len(first) :] == first
        assert len(commits) > len(first)
        assert all(started <= commit.committed_at <= dt.datetime.now(dt.UTC) for commit in commits)
        assert all(commit.operation for commit in commits)

    def test_a_store_without_a_table_says_what_to_do(self, store):
        told = f"{FEATURE_GROUP}_{VERSION} holds no feature group: materialize lyrics_features"
        asked = (
            lambda: store.read_date(DATE),
            lambda: store.latest(DATE, 30),
            lambda: store.training_data(DATE, 30),
            store.commits,
        )
        for ask in asked:
            with pytest.raises(StoreError, match=told):
                ask()

    def test_a_new_instance_reads_what_another_wrote(self, store):
        store.replace_date(songs("Um"))
        assert titles(same(store).read_date(DATE)) == ["Um"]

    @pytest.mark.parametrize("fresh", [True, False], ids=["first write", "rewrite"])
    def test_two_that_write_a_date_at_once_leave_the_rows_of_one(self, store, fresh):
        if not fresh:
            store.replace_date(songs("Velha"))
        one, other = songs("Um", "Dois", "Três"), songs("Três", "Quatro")
        assert at_once(writer(store, one), writer(store, other)) == []
        assert titles(store.read_date(DATE)) in (titles(one), titles(other))

    def test_dates_that_are_written_at_once_all_stand(self, store):
        dates = [DATE + dt.timedelta(days=days) for days in range(4)]
        assert at_once(*(writer(store, songs("Um", "Dois", date=date)) for date in dates)) == []
        assert store.dates() == dates
        assert store.read_range(dates[0], dates[-1]).num_rows == 8

    def test_two_processes_that_write_a_date_at_once_leave_no_duplicate(self, store, tmp_path):
        tables = [songs("Um", "Dois", "Três"), songs("Um", "Dois", "Quatro")]
        write_in_processes(store, tmp_path, tables)
        assert titles(store.read_date(DATE)) in [titles(table) for table in tables]
