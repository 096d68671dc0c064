"""What a line of a songbook may say."""

import json
from pathlib import Path
from typing import Any

import pytest

from lyrics_assets_tests.corpus import write_songbook
from scrapy_project.sandbox.songbook import Song, SongbookError, load_songbook, stanzas

SONG: dict[str, Any] = {"title": "Um", "artist": "Alguém", "genre": "Samba", "lyrics": "a\nb\n\nc"}
FOREIGN: dict[str, Any] = SONG | {"language": "en", "original": "x\ny"}


def load(tmp_path: Path, *songs: dict[str, Any]) -> list[Song]:
    return load_songbook(write_songbook(tmp_path / "songs.jsonl", list(songs)))


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    (song,) = load(tmp_path, SONG)
    assert (song.language, song.original, song.genres) == ("pt", "", ("Samba",))
    assert (song.sites, song.composers, song.year) == (("letras", "vagalume"), (), None)
    assert stanzas(song.lyrics) == [["a", "b"], ["c"]]


def test_a_full_line_is_read(tmp_path: Path) -> None:
    full = FOREIGN | {"genres": ["Rock", "Samba"], "composers": ["Ana"], "sites": ["vagalume"], "year": 1999}
    (song,) = load(tmp_path, full)
    assert (song.genres, song.composers, song.sites, song.year) == (("Samba", "Rock"), ("Ana",), ("vagalume",), 1999)
    assert (song.language, song.original) == ("en", "x\ny")


def test_a_foreign_song_may_lack_a_translation(tmp_path: Path) -> None:
    (song,) = load(tmp_path, {name: value for name, value in FOREIGN.items() if name != "lyrics"})
    assert song.lyrics == ""


def test_a_folder_is_read_file_by_file_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    write_songbook(tmp_path / "b.jsonl", [SONG | {"title": "Dois"}])
    (tmp_path / "a.jsonl").write_text("\n" + json.dumps(SONG) + "\n\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a song", encoding="utf-8")
    assert [song.title for song in load_songbook(tmp_path)] == ["Um", "Dois"]


@pytest.mark.parametrize(
    ("song", "problem"),
    [
        (SONG | {"genre": "Tango"}, "genre: 'Tango' is not allowed; allowed: Country, Forró, Funk"),
        (SONG | {"genres": ["Samba", "Tango"]}, "genres: 'Tango' is not allowed; allowed: Country"),
        (SONG | {"genres": ["Rock"]}, "genres: lacks 'Samba'; must include the song's genre"),
        (SONG | {"title": ""}, 'title: "" is not allowed; must be text on one line, not empty'),
        (SONG | {"artist": "a\nb"}, "artist: "),
        (SONG | {"lyrics": ["a"]}, 'lyrics: ["a"] is not allowed; must be text'),
        (SONG | {"lyrics": " "}, "lyrics: is empty"),
        (SONG | {"language": "english"}, "language: "),
        (SONG | {"language": "en"}, "original: "),
        (SONG | {"original": "x"}, "original: stands in a Portuguese song; allowed only if language is not pt"),
        (SONG | {"composers": "Ana"}, "composers: "),
        (SONG | {"sites": ["spotify"]}, "sites: 'spotify' is not allowed; allowed: letras, vagalume"),
        (SONG | {"sites": []}, "sites: is empty; allowed: letras, vagalume"),
        (SONG | {"year": "1999"}, 'year: "1999" is not allowed; must be a year'),
        (SONG | {"year": True}, "year: true is not allowed"),
        (SONG | {"album": "A"}, "album: is not a field; the fields are title, artist, genre"),
        ({"title": "Um"}, "genre: missing; "),
    ],
    ids=lambda value: value.split(" ")[0].rstrip(":") if isinstance(value, str) else "",
)
def test_a_wrong_field_is_named_with_what_is_allowed(tmp_path: Path, song: dict[str, Any], problem: str) -> None:
    with pytest.raises(SongbookError) as caught:
        load(tmp_path, SONG | {"title": "Outra"}, song)
    assert str(caught.value).startswith(f"{tmp_path / 'songs.jsonl'}:2: {problem}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("line", ["{", "[]", "3", '"x"'])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "songs.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(SongbookError, match=r"songs\.jsonl:1: "):
        load_songbook(tmp_path)


def test_a_song_may_stand_only_once(tmp_path: Path) -> None:
    with pytest.raises(SongbookError, match=r":2: title: 'UM' by 'Alguém' stands already in .*songs\.jsonl:1$"):
        load(tmp_path, SONG, SONG | {"title": "UM"})


def test_other_encodings_and_empty_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "songs.jsonl"
    file.write_bytes("Ação".encode("latin-1"))
    with pytest.raises(SongbookError, match="is not UTF-8"):
        load_songbook(file)
    file.write_bytes(b"\n")
    with pytest.raises(SongbookError, match="no song in it"):
        load_songbook(file)
