"""Files by name, local or on a store that fsspec knows."""

import datetime as dt
import json
import threading
import uuid

import dagster as dg
import pyarrow as pa
import pytest

from lyrics_assets.resources.lake import Lake
from lyrics_assets_tests.corpus import dataset
from lyrics_assets_tests.object_server import environment, make_bucket, running_object_store


@pytest.fixture(scope="module")
def store():
    """An object store, for all tests."""
    with running_object_store() as variables, environment(variables):
        yield variables


def lake_of(kind, tmp_path):
    roots = {
        "folder": str(tmp_path / "lake"),
        "file": f"file://{tmp_path}/lake/",
        "memory": f"memory://{uuid.uuid4().hex}/lake",
    }
    return Lake(root=roots[kind])


@pytest.fixture
def bucket(store):
    """A lake in a bucket of its own."""
    return Lake(root=f"{make_bucket(store, f'bucket-{uuid.uuid4().hex}')}/lake")


@pytest.fixture(params=["folder", "file", "memory"])
def moving(request, tmp_path):
    """A lake where a file is written under another name first."""
    return lake_of(request.param, tmp_path)


@pytest.fixture(params=["folder", "file", "memory", "bucket"])
def lake(request, tmp_path):
    """A lake of every kind."""
    if request.param == "bucket":
        return request.getfixturevalue("bucket")
    return lake_of(request.param, tmp_path)


@pytest.fixture
def local(tmp_path):
    return Lake(root=str(tmp_path / "lake"))


def everything(lake):
    """Return the paths of all files of the lake, half-written ones too."""
    return sorted(lake._filesystem().find(lake.root))


def test_bytes_come_back_as_they_were_written(lake):
    content = bytes(range(256)) * 10
    assert lake.write_bytes("raw/letras/a.bin", content) == lake.url("raw/letras/a.bin")
    assert lake.read_bytes("raw/letras/a.bin") == content


def test_json_comes_back_with_its_accents_readable(lake):
    value = {"gênero": "Forró", "list": [1, None, 2.5]}
    lake.write_json("a.json", value)
    assert lake.read_json("a.json") == value
    assert "Forró" in lake.read_bytes("a.json").decode()


def test_json_lines_come_back_one_by_one(lake):
    rows = [{"lyrics": "um\ndois\u2028três\x85"}, {"lyrics": ""}]
    lake.write_bytes("a.jsonl", "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode())
    assert list(lake.read_json_lines("a.jsonl")) == rows


def test_tables_come_back_equal(lake):
    songs = dataset("Samba").songs
    lake.write_table("lyrics/2026-11-24.parquet", songs)
    again = lake.read_table("lyrics/2026-11-24.parquet")
    assert again.equals(songs)
    assert again.schema.equals(songs.schema)
    assert b"description" in again.schema.field("song_id").metadata


def test_an_empty_table_keeps_its_columns(lake):
    lake.write_table("a.parquet", dataset("Samba").songs.slice(0, 0))
    assert lake.read_table("a.parquet").schema.equals(dataset("Samba").songs.schema)


def test_a_name_is_replaced(lake):
    lake.write_bytes("a", b"a long first version")
    lake.write_bytes("a", b"second")
    assert lake.read_bytes("a") == b"second"
    assert len(everything(lake)) == 1


def test_a_local_file_is_published_and_stays(lake, tmp_path):
    scratch = tmp_path / "scratch.jsonl"
    scratch.write_bytes(b"{}\n")
    lake.write_bytes("raw/letras/a.jsonl", b"old")
    lake.publish(str(scratch), "raw/letras/a.jsonl")
    assert lake.read_bytes("raw/letras/a.jsonl") == scratch.read_bytes() == b"{}\n"
    assert len(everything(lake)) == 1


def test_what_is_not_there_does_not_exist(lake):
    assert not lake.exists("a")
    lake.write_bytes("a", b"")
    assert lake.exists("a")
    assert not lake.exists("b")


def test_a_missing_file_fails_without_retries_and_names_itself(lake):
    with pytest.raises(dg.Failure, match=r"a\.json does not exist: materialize") as caught:
        lake.read_json("reports/a.json")
    assert lake.url("reports/a.json") in str(caught.value.description)
    assert caught.value.allow_retries is False


def test_names_are_those_of_a_folder_sorted(lake):
    for name in ("raw/letras/b", "raw/letras/a", "raw/vagalume/a", "raw-other/a"):
        lake.write_bytes(name, b"")
    assert lake.names("raw/letras") == ["raw/letras/a", "raw/letras/b"]
    assert lake.read_bytes(lake.names("raw/letras")[0]) == b""
    assert lake.names("reports") == []


def test_half_written_files_are_not_among_the_names(local, tmp_path):
    local.write_bytes("raw/a", b"")
    (tmp_path / "lake" / "raw" / "b.0123.part").write_bytes(b"")
    assert local.names("raw") == ["raw/a"]


def test_publishing_leaves_nothing_half_written(lake):
    lake.write_bytes("raw/a", b"whole")
    assert not [path for path in everything(lake) if path.endswith(".part")]


def interrupted(lake, name):
    """Write half of a file and fail."""
    with lake._publishing(name) as part:
        lake._filesystem().pipe_file(part, b"half")
        raise RuntimeError("power cut")


def test_a_failure_leaves_the_old_file_and_nothing_half_written(moving, tmp_path):
    moving.write_bytes("raw/a", b"old")
    with pytest.raises(FileNotFoundError):
        moving.publish(str(tmp_path / "no such file"), "raw/a")
    with pytest.raises(RuntimeError, match="power cut"):
        interrupted(moving, "raw/a")
    assert moving.read_bytes("raw/a") == b"old"
    assert len(everything(moving)) == 1


def test_nobody_sees_a_file_before_it_is_whole(moving):
    with moving._publishing("raw/a") as part:
        moving._filesystem().pipe_file(part, b"half")
        assert not moving.exists("raw/a")
        assert moving.names("raw") == []
    assert moving.read_bytes("raw/a") == b"half"


def test_a_table_of_no_columns_is_a_table(local):
    local.write_table("a", pa.table({}))
    assert local.read_table("a").num_columns == 0


def test_a_file_tells_its_size_and_when_it_was_published(lake):
    before = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=2)
    lake.write_bytes("reports/r/report.json", b"1234")
    assert lake.size("reports/r/report.json") == 4
    assert before < lake.modified("reports/r/report.json") <= dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)


def test_a_removed_folder_is_gone_with_its_files_and_to_remove_it_again_is_nothing(lake):
    for name in ("reports/r/report.json", "reports/r/deep/a.png", "reports/s/report.json"):
        lake.write_bytes(name, b"x")
    lake.remove("reports/r")
    lake.remove("reports/r")
    assert lake.folders("reports") == ["s"]
    lake.remove("reports/s/report.json")
    assert not lake.exists("reports/s/report.json")


def test_all_names_are_those_of_every_folder_under_the_root_alone(lake):
    assert lake.all_names() == []
    for name in ("raw/letras/b", "raw/letras/a", "c"):
        lake.write_bytes(name, b"x")
    Lake(root=lake.root.rstrip("/") + "-other").write_bytes("d", b"x")
    assert lake.all_names() == ["c", "raw/letras/a", "raw/letras/b"]
    assert Lake(root=lake.root.rstrip("/") + "/").all_names() == lake.all_names()


def test_a_bucket_shows_the_old_file_or_the_new_one_while_it_is_written(bucket, tmp_path):
    """Of some 12 MB, which the client sends in parts."""
    versions = {bytes([letter]) * (12_000_000 + letter) for letter in b"abc"}
    bucket.write_bytes("raw/a", min(versions))
    ended, seen = threading.Event(), set()

    def look():
        while not ended.is_set():
            seen.add(bucket.read_bytes("raw/a"))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for version in sorted(versions) * 2:
            (tmp_path / "file").write_bytes(version)
            bucket.publish(str(tmp_path / "file"), "raw/a")
    finally:
        ended.set()
        reader.join()
    assert seen <= versions
    assert bucket.read_bytes("raw/a") == max(versions)


def test_a_bucket_keeps_the_old_file_when_there_is_nothing_to_publish(bucket, tmp_path):
    bucket.write_bytes("raw/a", b"old")
    with pytest.raises(FileNotFoundError):
        bucket.publish(str(tmp_path / "no such file"), "raw/a")
    assert bucket.read_bytes("raw/a") == b"old"
