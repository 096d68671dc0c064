"""What the command line says to a wrong argument, and that it then writes nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from lyrics_assets_tests.conftest import run_lyrics

SONG = '{"title": "t", "artist": "a", "genre": "Polka", "lyrics": "um verso", "language": "pt"}\n'


@pytest.fixture
def bad_songbook(tmp_path):
    path = tmp_path / "songs.jsonl"
    path.write_text(SONG, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--genres", "Sambba"], ["--genres", "Sambba", "Samba", "Sertanejo"]),
        (["--date", "24/11/2026"], ["--date", "24/11/2026", "YYYY-MM-DD"]),
        (["--date", "2999-01-01"], ["--date", "2999-01-01", "today"]),
        (["--date", "2025-12-31"], ["--date", "2026-01-01"]),
        (["--sites", "mars"], ["--sites", "mars", "sandbox", "live"]),
        (["--songs-per-genre", "0"], ["--songs-per-genre", "1<=x<=1000"]),
        (["--songbook", "no-such-folder"], ["--songbook", "no-such-folder"]),
        (["--songbook", "BAD"], ["songs.jsonl:1", "genre", "Polka", "Sertanejo"]),
        (["--sites", "live", "--songbook", "BAD"], ["--songbook", "live"]),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_written(arguments, said, bad_songbook, tmp_path):
    home = tmp_path / "home"
    arguments = [str(bad_songbook) if argument == "BAD" else argument for argument in arguments]
    finished = run_lyrics("run", "--home", home, *arguments)
    assert finished.code == 2
    assert [word for word in said if word not in finished.err] == []
    assert "Traceback" not in finished.err
    assert not home.exists()


def test_a_wrong_setting_is_named(tmp_path):
    finished = run_lyrics("run", LYRICS_SITES="venus", LYRICS_HOME=str(tmp_path / "home"))
    assert finished.code == 2
    assert "LYRICS_SITES" in finished.err
    assert "'sandbox' or 'live'" in finished.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve"], "no Bento: materialize lyrics_service first"),
        (["classify", "-"], "no champion of lyrics-genre: run the training job first"),
        (["classify", "--url", "http://127.0.0.1:9", "-"], "http://127.0.0.1:9 does not answer"),
    ],
)
def test_a_missing_store_is_one_clear_line_and_nothing_is_written(arguments, said, tmp_path):
    home = tmp_path / "home"
    finished = run_lyrics(*arguments, stdin="um verso de amor", LYRICS_HOME=str(home))
    assert finished.code == 1
    assert said in finished.err
    assert len(finished.err.strip().splitlines()) == 1
    assert not home.exists()


def test_a_draft_without_a_word_is_refused():
    finished = run_lyrics("classify", "-", stdin=" \n ♪ \n")
    assert finished.code == 2
    assert "holds no word" in finished.err


def test_an_empty_crawl_fails_says_why_and_keeps_what_was_refused(tmp_path):
    songbook = tmp_path / "songs.jsonl"
    songbook.write_text(SONG.replace("Polka", "Samba"), encoding="utf-8")
    home = tmp_path / "home"
    finished = run_lyrics("run", "--home", home, "--songbook", songbook, "--genres", "Samba,Rock")
    assert finished.code == 1
    assert "was not published: fewer songs than 1 a genre: Rock 0" in finished.err
    assert "Traceback" not in finished.err
    assert not (home / "lake").exists()
    kept = sorted(path.name.split("-")[0] + path.suffix for path in (home / "scratch" / "rejected").iterdir())
    assert kept == ["letras.jsonl", "letras.log", "vagalume.jsonl", "vagalume.log"]


def test_the_sandbox_serves_until_it_is_told_to_stop(tmp_path):
    songbook = tmp_path / "songs.jsonl"
    songbook.write_text(SONG.replace("Polka", "Samba"), encoding="utf-8")
    command = [Path(sys.executable).with_name("lyrics"), "sandbox", "--songbook", songbook]
    command += ["--letras-port", "0", "--vagalume-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            addresses = httpx.Response(200, content=process.stdout.readline()).json()
            assert httpx.get(f"{addresses['letras']}/mais-acessadas/samba/").status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
    with pytest.raises(httpx.ConnectError):
        httpx.get(addresses["letras"])
