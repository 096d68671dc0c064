"""Files by name, local or on a store that fsspec knows."""

import json
import uuid

import dagster as dg
import fsspec
import pyarrow as pa
import pytest

from lyrics_assets.resources.lake import Lake
from lyrics_assets_tests.corpus import dataset


@pytest.fixture(params=["folder", "file", "memory"])
def lake(request, tmp_path):
    roots = {
        "folder": str(tmp_path / "lake"),
        "file": f"file://{tmp_path}/lake/",
        "memory": f"memory://{uuid.uuid4().hex}/lake",
    }
    return Lake(root=roots[request.param])


@pytest.fixture
def local(tmp_path):
    return Lake(root=str(tmp_path / "lake"))


def everything(lake):
    """Return the paths of all files of the lake, half-written ones too."""
    filesystem, root = fsspec.core.url_to_fs(lake.root)
    return sorted(filesystem.find(root))


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


def test_a_failure_leaves_the_old_file_and_nothing_half_written(lake, tmp_path):
    lake.write_bytes("raw/a", b"old")
    with pytest.raises(FileNotFoundError):
        lake.publish(str(tmp_path / "no such file"), "raw/a")
    with pytest.raises(RuntimeError, match="power cut"):
        interrupted(lake, "raw/a")
    assert lake.read_bytes("raw/a") == b"old"
    assert len(everything(lake)) == 1


def test_nobody_sees_a_file_before_it_is_whole(lake):
    with lake._publishing("raw/a") as part:
        lake._filesystem().pipe_file(part, b"half")
        assert not lake.exists("raw/a")
        assert lake.names("raw") == []
    assert lake.read_bytes("raw/a") == b"half"


def test_a_table_of_no_columns_is_a_table(local):
    local.write_table("a", pa.table({}))
    assert local.read_table("a").num_columns == 0
