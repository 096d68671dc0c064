"""What the Delta table keeps, drops and survives."""

import datetime as dt
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from lyrics_assets.lyrics.schema import FEATURE_GROUP, SCHEMA, VERSION
from lyrics_assets.resources.feature_store import _COMMITS_A_CHECKPOINT, DeltaFeatureStore, StoreError
from lyrics_assets_tests.corpus import dataset

DATE = dt.date(2026, 10, 1)
EVE = DATE - dt.timedelta(days=1)


def songs(date=DATE, mark="", times=1):
    """Return the songbook's dataset of a date, some rows repeated under other ids, all titles with the mark."""
    parts = []
    for number in range(times):
        rows = dataset("Samba", "Gospel", date=date).songs.to_pandas()
        rows["song_id"] = rows["song_id"].str[:-2] + f"{number:02x}"
        rows["title"] += mark
        parts.append(pa.Table.from_pandas(rows, schema=SCHEMA, preserve_index=False))
    return pa.concat_tables(parts)


def files_of(store, date=DATE):
    folder = f"{store.root}/{FEATURE_GROUP}_{VERSION}/extraction_date={date}"
    return sorted(path.name for path in Path(folder).glob("*.parquet"))


@pytest.fixture
def store(tmp_path):
    return DeltaFeatureStore(root=str(tmp_path / "store"))


def test_a_date_is_one_file_however_often_it_is_written(store):
    for mark in "abc":
        store.replace_date(songs(mark=mark))
    table = DeltaTable(f"{store.root}/{FEATURE_GROUP}_{VERSION}")
    assert len(table.file_uris()) == 1
    assert len(files_of(store)) == 3


def test_the_table_can_be_read_as_it_was(store):
    store.replace_date(songs(mark=" antes"))
    store.replace_date(songs(mark=" depois"))
    before = DeltaTable(f"{store.root}/{FEATURE_GROUP}_{VERSION}", version=1)
    assert all(title.endswith(" antes") for title in pa.table(before.scan(columns=["title"]))["title"].to_pylist())


def test_replaced_files_are_kept_for_as_long_as_was_asked(tmp_path):
    kept, dropped = (DeltaFeatureStore(root=str(tmp_path / str(days)), keep_days=days) for days in (30, 0))
    for store in (kept, dropped):
        for number in range(_COMMITS_A_CHECKPOINT + 1):
            store.replace_date(songs(mark=str(number)))
    assert len(files_of(kept)) == _COMMITS_A_CHECKPOINT + 1
    assert len(files_of(dropped)) < 4
    assert kept.read_date(DATE).sort_by("song_id").equals(dropped.read_date(DATE).sort_by("song_id"))
    assert len(dropped.commits()) < len(kept.commits())


def test_a_file_that_a_killed_writer_left_is_removed_in_time(tmp_path):
    store = DeltaFeatureStore(root=str(tmp_path / "store"), keep_days=0)
    store.replace_date(songs())
    orphan = tmp_path / "store" / f"{FEATURE_GROUP}_{VERSION}" / f"extraction_date={DATE}" / "part-0-orphan.parquet"
    pq.write_table(songs(), orphan)
    for number in range(_COMMITS_A_CHECKPOINT):
        store.replace_date(songs(mark=str(number)))
    assert not orphan.exists()
    assert store.read_date(DATE).num_rows == songs().num_rows


def test_opening_the_table_reads_few_commits(store):
    for number in range(_COMMITS_A_CHECKPOINT * 2 + 3):
        store.replace_date(songs(mark=str(number)))
    log = DeltaTable(f"{store.root}/{FEATURE_GROUP}_{VERSION}")
    folder = Path(store.root, f"{FEATURE_GROUP}_{VERSION}", "_delta_log")
    newest = max(int(path.name.split(".")[0]) for path in folder.glob("*.checkpoint.parquet"))
    assert log.version() - newest <= _COMMITS_A_CHECKPOINT


def test_a_table_of_other_columns_is_refused_by_name(store):
    uri = f"{store.root}/{FEATURE_GROUP}_{VERSION}"
    write_deltalake(uri, songs().drop_columns(["rank"]), partition_by=["extraction_date"])
    for use in (lambda: store.replace_date(songs()), lambda: store.read_date(DATE), store.dates):
        with pytest.raises(StoreError, match=r"was made for other columns: .*a new VERSION"):
            use()


def test_another_version_stands_beside_the_old_one(store, monkeypatch):
    store.replace_date(songs(mark=" antes"))
    monkeypatch.setattr("lyrics_assets.lyrics.schema.VERSION", VERSION + 1)
    assert store.dates() == []
    store.replace_date(songs(EVE))
    assert store.dates() == [EVE]
    monkeypatch.setattr("lyrics_assets.lyrics.schema.VERSION", VERSION)
    assert store.dates() == [DATE]


REWRITE = """
import itertools, sys
import pyarrow.parquet as pq
from lyrics_assets.resources.feature_store import DeltaFeatureStore
store = DeltaFeatureStore(root=sys.argv[1])
tables = [pq.read_table(path) for path in sys.argv[2:]]
for number, table in enumerate(itertools.cycle(tables)):
    store.replace_date(table)
    if number == 0:
        print("writing", flush=True)
"""


def test_a_writer_that_is_killed_at_any_point_leaves_the_old_date_or_the_new(store, tmp_path):
    """SIGKILL at ten random moments among writes that follow each other without a pause."""
    store.replace_date(songs(EVE))
    versions = {mark: songs(mark=f" {mark}", times=20) for mark in ("um", "dois")}
    versions["dois"] = versions["dois"].slice(7)
    for mark, table in versions.items():
        pq.write_table(table, tmp_path / mark)
    moments, outcomes = random.Random(0), []
    for _ in range(10):
        command = [sys.executable, "-c", REWRITE, store.root, str(tmp_path / "um"), str(tmp_path / "dois")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "writing\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(timeout=moments.uniform(0, 0.3))
            process.kill()
        found = store.read_date(DATE).sort_by("song_id")
        outcomes += [mark for mark, table in versions.items() if found.equals(table.sort_by("song_id"))]
        assert store.read_date(EVE).num_rows == songs().num_rows
    assert len(outcomes) == 10, "a date was neither the old one nor the new one"
    store.replace_date(songs(mark=" fim"))
    assert store.read_date(DATE).num_rows == songs().num_rows
