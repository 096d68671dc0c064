"""A file of songs becomes a source of a date: published whole, told to Dagster, merged with what was crawled."""

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from lyrics_assets.assets.extraction import raw_name
from lyrics_assets.assets.preparation import lyrics, lyrics_name
from lyrics_assets.lyrics.identity import song_id
from lyrics_assets.lyrics.imports import import_rejects_name
from lyrics_assets.partitions import FIRST_DATE
from lyrics_assets.resources.lake import Lake
from lyrics_assets.resources.text_index import TextIndexDatabase
from lyrics_assets.runs import open_instance
from lyrics_assets_tests.conftest import run_lyrics
from lyrics_assets_tests.corpus import VERSE, raw_song

DATE = FIRST_DATE.isoformat()
HEADER = ["Titulo", "Banda", "lyrics", "genre", "views"]
OPTIONS = ["--columns", "title=Titulo,artist=Banda", "--genre-names", "sertanejo universitário=Sertanejo"]
ROWS = [
    ["Janela", "Dona Aurora", VERSE, "samba", "7"],
    ["Estrada", "Zé e Zico", VERSE.replace("sol", "boi"), "Sertanejo Universitário", ""],
    ["Trem", "Zé e Zico", VERSE.replace("sol", "trem"), "Axé", ""],
    ["Rio", "Zé e Zico", VERSE.replace("sol", "rio"), "samba", "1.234"],
    ["Mar", "Zé e Zico", "", "samba", ""],
]
MEGABYTE = 10**6
LARGE_BYTES = 50 * MEGABYTE
MAX_GROWTH_BYTES = 20 * MEGABYTE
"""What a file of LARGE_BYTES may take more than one of a few rows."""


def write_csv(path, rows, header=HEADER):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def import_file(path, home, *options, source="kaggle", date=DATE):
    return run_lyrics("import", path, "--source", source, "--date", date, "--home", home, *options)


@pytest.fixture(scope="module")
def songs_csv(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("files") / "songs.csv", ROWS)


@pytest.fixture(scope="module")
def imported(songs_csv, tmp_path_factory):
    """The finished import and the home that it filled; nobody may change it."""
    home = tmp_path_factory.mktemp("imported") / "home"
    return import_file(songs_csv, home, *OPTIONS), home


def lake_files(home):
    return {str(path.relative_to(home)): path.read_bytes() for path in (home / "lake").rglob("*") if path.is_file()}


def test_the_good_rows_are_published_and_the_others_kept_aside_with_the_reason(imported):
    finished, home = imported
    assert finished.code == 0, finished.err
    lake = Lake(root=str(home / "lake"))
    songs = list(lake.read_json_lines(raw_name("kaggle", DATE)))
    assert [(song["title"], song["genre"], song["source"], song["views"]) for song in songs] == [
        ("Janela", "Samba", "kaggle", 7),
        ("Estrada", "Sertanejo", "kaggle", None),
    ]
    assert songs[0].keys() == raw_song().keys()
    rejects = list(lake.read_json_lines(import_rejects_name("kaggle", DATE)))
    lines_of_a_row = VERSE.count("\n") + 1
    assert [(row["line"], row["field"], row["reason"], row["title"]) for row in rejects] == [
        (2 + 2 * lines_of_a_row, "genre", "unknown_genre", "Trem"),
        (2 + 3 * lines_of_a_row, "views", "not_a_whole_number", "Rio"),
        (2 + 4 * lines_of_a_row, "lyrics", "missing_field", "Mar"),
    ]
    assert "coração" not in lake.read_bytes(import_rejects_name("kaggle", DATE)).decode()
    assert list((home / "scratch").iterdir()) == []


def test_the_table_counts_every_row_by_what_became_of_it(imported):
    finished, _ = imported
    counts = {" ".join(line.split()[:-1]): int(line.split()[-1]) for line in finished.out.splitlines()}
    assert counts == {
        "rows read": 5,
        "rejected": 3,
        "unknown_genre (genre)": 1,
        "not_a_whole_number (views)": 1,
        "missing_field (lyrics)": 1,
        "songs imported": 2,
        "Samba": 1,
        "Sertanejo": 1,
    }


def test_dagster_hears_of_the_import_as_a_partition_of_its_date(imported):
    _, home = imported
    with open_instance(home) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["raw", "imported"]))
    told = event.asset_materialization
    assert told.partition == DATE
    assert event.run_id == ""
    values = {name: value.value for name, value in told.metadata.items()}
    assert values == {
        "dagster/row_count": 2,
        "source": "kaggle",
        "rows": 5,
        "rejected": 3,
        "file": str(home / "lake" / raw_name("kaggle", DATE)),
        "rejects": str(home / "lake" / import_rejects_name("kaggle", DATE)),
    }


def test_the_same_import_again_writes_the_same_bytes_and_one_without_rejects_leaves_no_old_ones(imported, tmp_path):
    _, first = imported
    home = tmp_path / "home"
    good = write_csv(tmp_path / "good.csv", ROWS[:1])
    every = gzip.compress(write_csv(tmp_path / "every.csv", ROWS).read_bytes())
    (tmp_path / "every.csv.gz").write_bytes(every)
    for _ in range(2):
        assert import_file(tmp_path / "every.csv.gz", home, *OPTIONS).code == 0
        assert lake_files(home) == lake_files(first)
    assert import_file(good, home, *OPTIONS).code == 0
    assert lake_files(home)[f"lake/{import_rejects_name('kaggle', DATE)}"] == b""
    assert lake_files(home)[f"lake/{raw_name('kaggle', DATE)}"].count(b"\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "Kaggle"}, ["--source", "'Kaggle'", "a-z"]),
        ({"source": "letras"}, ["--source", "'letras'", "crawled site"]),
        ({"date": "24/11/2026"}, ["--date", "24/11/2026", "YYYY-MM-DD"]),
        ({"date": "2025-12-31"}, ["--date", "2026-01-01"]),
        ({"more": ["--columns", "titel=Titulo"]}, ["--columns", "titel=Titulo", "artist_genres"]),
        ({"more": ["--columns", "title=Title,artist=Banda"]}, ["--columns", "'Title' for title", "Titulo, Banda"]),
        ({"more": ["--genre-names", "axé=Axé"]}, ["--genre-names", "'Axé'", "Sertanejo"]),
        ({"more": ["--genre", "Axé"]}, ["--genre", "'Axé'", "Sertanejo"]),
        ({"file": "no-such-file.csv"}, ["FILE", "no-such-file.csv", "does not exist"]),
        ({"file": __file__}, ["FILE", "test_import_command.py", ".csv", ".parquet"]),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_written(options, said, songs_csv, tmp_path):
    home = tmp_path / "home"
    given = {"source": "kaggle", "date": DATE, "file": songs_csv, "more": []} | options
    finished = import_file(given["file"], home, *given["more"], source=given["source"], date=given["date"])
    assert finished.code == 2
    assert [word for word in said if word not in finished.err] == []
    assert "Traceback" not in finished.err
    assert not home.exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", "title,artist,lyrics,genre\na,b,c,Polka\n", "none of 1 rows is a usable song; the first, line 2"),
        ("a.csv", "title,artist,lyrics,genre\na,b,c,Samba\nJoão,b,c,Samba\n", "line 3: byte 3 is not UTF-8"),
        ("a.jsonl", "", "holds no row"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_clear_line_and_what_was_published_stays(name, content, said, tmp_path):
    home = tmp_path / "home"
    lake = Lake(root=str(home / "lake"))
    lake.write_bytes(raw_name("kaggle", DATE), b"before")
    path = tmp_path / name
    path.write_bytes(content.encode("latin-1"))
    finished = import_file(path, home)
    assert finished.code == 1
    assert said in finished.err
    assert len(finished.err.strip().splitlines()) == 1
    assert lake_files(home) == {f"lake/{raw_name('kaggle', DATE)}": b"before"}
    assert list((home / "scratch").iterdir()) == []


def peak_bytes(path, home):
    """Import a file; return the most memory that the command held.

    A process between the two measures: a child's peak begins with that of whoever started it, here pytest.
    """
    code = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)\n"
        "peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "print(peak if sys.platform == 'darwin' else peak * 1024)"
    )
    command = [Path(sys.executable).with_name("lyrics"), "import", path, "--source", "dump", "--date", DATE]
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--home", home, *OPTIONS], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_a_large_file_takes_no_more_memory_than_a_small_one(tmp_path):
    row = [*ROWS[0][:2], "\n".join([VERSE] * 40), "samba", "7"]
    n_rows = LARGE_BYTES // len(row[2].encode()) + 1
    small = write_csv(tmp_path / "small.csv", [row] * 10)
    large = write_csv(tmp_path / "large.csv", ([f"{row[0]} {n}", *row[1:]] for n in range(n_rows)))
    assert large.stat().st_size > LARGE_BYTES
    at_rest = peak_bytes(small, tmp_path / "small")
    assert peak_bytes(large, tmp_path / "large") < at_rest + MAX_GROWTH_BYTES
    with (tmp_path / "large" / "lake" / raw_name("dump", DATE)).open("rb") as published:
        assert sum(1 for _ in published) == n_rows


def lake_with_import(imported, folder):
    """Return a lake of the test's own that holds what was imported."""
    _, home = imported
    lake = Lake(root=str(folder))
    lake.publish(str(home / "lake" / raw_name("kaggle", DATE)), raw_name("kaggle", DATE))
    return lake


def dataset_of(lake):
    """Materialize the asset `lyrics` of the date; return its rows by song_id, and its metadata."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [lyrics],
            partition_key=DATE,
            instance=instance,
            resources={"lake": lake, "text_index": TextIndexDatabase(url="sqlite://")},
        )
    (event,) = result.get_asset_materialization_events()
    rows = lake.read_table(lyrics_name(DATE)).to_pylist()
    return {row["song_id"]: row for row in rows}, event.materialization.metadata


def test_imported_songs_are_merged_with_the_crawled_ones_of_the_same_song(imported, tmp_path):
    lake = lake_with_import(imported, tmp_path)
    crawled = [raw_song(title="JANELA (Ao Vivo)", genre="Pagode"), raw_song(title="Só na Letras")]
    lake.write_bytes(raw_name("letras", DATE), "".join(json.dumps(song) + "\n" for song in crawled).encode())
    rows, metadata = dataset_of(lake)
    merged = rows[song_id("Dona Aurora", "Janela")]
    assert merged["sources"] == ["kaggle", "letras"]
    assert merged["genres"] == ["Pagode", "Samba"]
    assert rows[song_id("Zé e Zico", "Estrada")]["sources"] == ["kaggle"]
    assert rows[song_id("Dona Aurora", "Só na Letras")]["sources"] == ["letras"]
    assert len(rows) == 3
    assert metadata["sources"].value == ["kaggle", "letras"]


def test_a_date_with_an_import_alone_is_a_date(imported, tmp_path):
    rows, _ = dataset_of(lake_with_import(imported, tmp_path))
    assert {row["title"] for row in rows.values()} == {"Janela", "Estrada"}
    assert {source for row in rows.values() for source in row["sources"]} == {"kaggle"}


def test_an_import_of_another_date_is_none_of_this_one(tmp_path):
    lake = Lake(root=str(tmp_path))
    lake.write_bytes(raw_name("kaggle", "2026-01-02"), b"{}\n")
    with pytest.raises(dg.Failure, match=rf"no raw songs of {DATE}: materialize raw/\* .* or import"):
        dataset_of(lake)


@pytest.mark.parametrize("root", ["{tmp_path}", "memory://test_import_command"])
def test_folders_are_those_of_a_folder_and_no_files(root, tmp_path):
    lake = Lake(root=root.format(tmp_path=tmp_path))
    assert lake.folders("raw") == []
    for name in ("raw/vagalume/a", "raw/kaggle/a", "raw/kaggle/b", "raw/readme", "raw-other/x/a"):
        lake.write_bytes(name, b"")
    assert lake.folders("raw") == ["kaggle", "vagalume"]
