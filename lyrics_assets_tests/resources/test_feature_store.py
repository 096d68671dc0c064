"""The history of the dataset in a real Delta table."""

import datetime as dt
import subprocess
import sys
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lyrics_assets.lyrics.dataset import build_dataset
from lyrics_assets.lyrics.schema import SCHEMA, SchemaError
from lyrics_assets.resources.feature_store import DeltaFeatureStore, StoreError
from lyrics_assets_tests.corpus import DATE, raw_song

TOMORROW = DATE + dt.timedelta(days=1)
LATER = DATE + dt.timedelta(days=10)


def songs(*titles, date=DATE, **fields):
    return build_dataset([raw_song(title=title, **fields) for title in titles], date).songs


def titles(table):
    return sorted(table["title"].to_pylist())


@pytest.fixture
def store(tmp_path):
    return DeltaFeatureStore(root=str(tmp_path / "store"))


def test_rows_come_back_as_they_were_written(store):
    written = songs("Um", "Dois", "Três", original_language="en", is_translation=True, rank=None)
    store.replace_date(written)
    read = store.read_date(DATE)
    assert read.schema.equals(SCHEMA)
    assert read.sort_by("song_id").equals(written.sort_by("song_id"))


def test_writing_a_date_twice_gives_the_same_rows(store):
    for _ in range(2):
        store.replace_date(songs("Um", "Dois"))
    assert titles(store.read_date(DATE)) == ["Dois", "Um"]


def test_a_second_date_keeps_the_first(store):
    store.replace_date(songs("Um", "Dois"))
    store.replace_date(songs("Dois", "Três", date=TOMORROW))
    assert titles(store.read_date(DATE)) == ["Dois", "Um"]
    assert titles(store.read_date(TOMORROW)) == ["Dois", "Três"]


def test_fewer_rows_leave_no_stale_one(store):
    store.replace_date(songs("Um", "Dois", "Três"))
    store.replace_date(songs("Quatro", date=TOMORROW))
    store.replace_date(songs("Dois"))
    assert titles(store.read_date(DATE)) == ["Dois"]
    assert titles(store.read_date(TOMORROW)) == ["Quatro"]


def test_the_last_text_of_a_date_counts(store):
    store.replace_date(songs("Um", rank=5))
    store.replace_date(songs("Um", rank=2))
    assert store.read_date(DATE)["rank"].to_pylist() == [2]


@pytest.mark.parametrize(
    "refused",
    [
        songs("Um").slice(0, 0),
        pa.concat_tables([songs("Um"), songs("Um")]),
        pa.concat_tables([songs("Um"), songs("Dois", date=TOMORROW)]),
        songs("Um").drop_columns(["lyrics"]),
        songs("Um").append_column("mood", pa.array(["sad"])),
    ],
    ids=["empty", "repeated key", "two dates", "missing column", "unknown column"],
)
def test_a_refused_table_leaves_the_store_as_it_was(store, refused):
    with pytest.raises(SchemaError):
        store.replace_date(refused)
    assert store.dates() == []
    store.replace_date(songs("Um", "Dois"))
    before = store.commits()
    with pytest.raises(SchemaError):
        store.replace_date(refused)
    assert titles(store.read_date(DATE)) == ["Dois", "Um"]
    assert store.commits() == before


def test_a_range_includes_both_its_ends(store):
    for date, title in ((DATE, "Um"), (TOMORROW, "Dois"), (LATER, "Três")):
        store.replace_date(songs(title, date=date))
    assert titles(store.read_range(DATE, LATER)) == ["Dois", "Três", "Um"]
    assert titles(store.read_range(DATE, TOMORROW)) == ["Dois", "Um"]
    assert titles(store.read_range(TOMORROW, LATER - dt.timedelta(days=1))) == ["Dois"]


def test_a_range_without_rows_is_an_empty_table(store):
    store.replace_date(songs("Um"))
    empty = store.read_date(TOMORROW)
    assert (empty.num_rows, empty.schema.equals(SCHEMA)) == (0, True)


@pytest.mark.parametrize("columns", [["title"], ["rank", "song_id"], ["lyrics", "extraction_date", "genres"]])
def test_only_the_columns_asked_for_are_read_in_their_order(store, columns):
    store.replace_date(songs("Um", "Dois"))
    read = store.read_range(DATE, TOMORROW, columns)
    assert read.column_names == columns
    assert read.num_rows == 2


def test_the_latest_row_of_each_song_counts(store):
    store.replace_date(songs("Um", "Dois", rank=1))
    store.replace_date(songs("Dois", "Três", rank=2, date=TOMORROW))
    latest = store.latest(TOMORROW, 30)
    assert dict(zip(latest["title"], latest["rank"], strict=True)) == {"Um": 1, "Dois": 2, "Três": 2}
    assert list(latest["song_id"]) == sorted(latest["song_id"])
    assert latest.index.tolist() == [0, 1, 2]


def test_only_dates_of_the_window_count(store):
    for date, title in ((DATE, "Um"), (TOMORROW, "Dois"), (LATER, "Três")):
        store.replace_date(songs(title, date=date))
    assert list(store.latest(LATER, 1)["title"]) == ["Três"]
    assert sorted(store.latest(LATER, 10)["title"]) == ["Dois", "Três"]
    assert sorted(store.latest(LATER, 11)["title"]) == ["Dois", "Três", "Um"]
    assert sorted(store.latest(TOMORROW, 30)["title"]) == ["Dois", "Um"]


def test_dates_are_those_that_hold_rows_oldest_first(store):
    assert store.dates() == []
    for date in (LATER, DATE, TOMORROW, DATE):
        store.replace_date(songs("Um", date=date))
    assert store.dates() == [DATE, TOMORROW, LATER]


def test_commits_come_newest_first_with_their_time(store):
    started = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
    store.replace_date(songs("Um"))
    store.replace_date(songs("Dois", date=TOMORROW))
    commits = store.commits()
    assert [commit["version"] for commit in commits] == [2, 1, 0]
    assert [commit["operation"] for commit in commits] == ["WRITE", "WRITE", "CREATE TABLE"]
    assert all(started <= commit["committed_at"] for commit in commits)


def test_a_date_is_one_commit(store):
    store.replace_date(songs("Um"))
    before = store.commits()[0]["version"]
    store.replace_date(songs("Dois", "Três"))
    assert store.commits()[0]["version"] == before + 1


def test_a_store_without_a_table_says_what_to_do(store):
    for ask in (lambda: store.read_date(DATE), lambda: store.latest(DATE, 30), store.commits):
        with pytest.raises(StoreError, match="lyrics_1 holds no feature group: materialize lyrics_features"):
            ask()


def test_a_new_instance_reads_what_another_wrote(store):
    store.replace_date(songs("Um"))
    assert titles(DeltaFeatureStore(root=store.root + "/").read_date(DATE)) == ["Um"]


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


def writer(store, table):
    return lambda: DeltaFeatureStore(root=store.root).replace_date(table)


@pytest.mark.parametrize("fresh", [True, False], ids=["first write", "rewrite"])
def test_two_that_write_a_date_at_once_leave_the_rows_of_one(store, fresh):
    if not fresh:
        store.replace_date(songs("Velha"))
    one, other = songs("Um", "Dois", "Três"), songs("Três", "Quatro")
    assert at_once(writer(store, one), writer(store, other)) == []
    assert titles(store.read_date(DATE)) in (titles(one), titles(other))


def test_dates_that_are_written_at_once_all_stand(store):
    dates = [DATE + dt.timedelta(days=days) for days in range(4)]
    assert at_once(*(writer(store, songs("Um", "Dois", date=date)) for date in dates)) == []
    assert store.dates() == dates
    assert store.read_range(dates[0], dates[-1]).num_rows == 8


WRITE_WHEN_TOLD = """
import sys
import pyarrow.parquet as pq
from lyrics_assets.resources.feature_store import DeltaFeatureStore
store, table = DeltaFeatureStore(root=sys.argv[1]), pq.read_table(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
store.replace_date(table)
"""


def test_two_processes_that_write_a_date_at_once_leave_no_duplicate(store, tmp_path):
    tables = {"one": songs("Um", "Dois", "Três"), "other": songs("Um", "Dois", "Quatro")}
    writers = []
    for name, table in tables.items():
        pq.write_table(table, tmp_path / name)
        command = [sys.executable, "-c", WRITE_WHEN_TOLD, store.root, str(tmp_path / name)]
        writers.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    assert [process.stdout.readline() for process in writers] == ["ready\n", "ready\n"]
    for process in writers:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in writers:
        process.communicate(timeout=60)
    assert [process.returncode for process in writers] == [0, 0]
    assert titles(store.read_date(DATE)) in [titles(table) for table in tables.values()]
