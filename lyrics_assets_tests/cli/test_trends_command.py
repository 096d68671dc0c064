"""The command `lyrics trends`: what it prints from the feature store, and what it says to a wrong argument."""

import pytest

from lyrics_assets.definitions import build_resources
from lyrics_assets.settings import Settings
from lyrics_assets_tests.conftest import run_lyrics
from lyrics_assets_tests.lyrics.trends.histories import PLANTED, day, lines_told, make_songs, store_table

OLD = make_songs("Sertanejo", 40, seed=1, named="old") + make_songs("Funk", 40, seed=2, named="old")
NEW = make_songs("Sertanejo", 30, seed=3, named="new", plant=PLANTED, share=0.6)
HISTORY = {0: OLD[:70], 5: OLD, 40: OLD[10:] + NEW}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trends") / "home"
    store = build_resources(Settings(home=folder))["feature_store"]
    for number, rows in HISTORY.items():
        store.replace_date(store_table(rows, day(number)))
    return folder


def trends(home, *arguments):
    return run_lyrics("trends", "--home", home, *arguments, timeout=60)


def test_all_genres_are_printed_side_by_side_and_plainly(home):
    finished = trends(home)
    assert finished.code == 0, finished.err
    assert f"Trends, {day(0)} to {day(40)}" in finished.out
    assert [name for name in ("Funk", "Sertanejo", PLANTED) if name not in finished.out] == []
    assert "\x1b" not in finished.out
    assert lines_told(finished.out, OLD + NEW) == []


def test_one_genre_is_printed_in_full_since_a_date_whatever_its_case(home):
    finished = trends(home, "--genre", "sertanejo", "--since", day(1))
    assert finished.code == 0, finished.err
    assert f"Trends of Sertanejo, {day(5)} to {day(40)}" in finished.out
    assert "Songs by date" in finished.out
    assert PLANTED in finished.out
    assert str(day(0)) not in finished.out


def test_the_last_date_can_be_chosen(home):
    assert f"Trends, {day(0)} to {day(5)}" in trends(home, "--until", day(39)).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--genre", "Polka"], ["--genre", "Polka", "Sertanejo", "Hip Hop"]),
        (["--since", "24/11/2026"], ["--since", "24/11/2026", "YYYY-MM-DD"]),
        (["--until", "never"], ["--until", "never", "YYYY-MM-DD"]),
        (["--since", "2026-02-01", "--until", "2026-01-01"], ["--since", "--until", "2026-02-01", "2026-01-01"]),
    ],
)
def test_a_wrong_argument_is_named(home, arguments, said):
    finished = trends(home, *arguments)
    assert finished.code == 2
    assert [word for word in said if word not in finished.err] == []
    assert "Traceback" not in finished.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "2026-12-31"], f"no date stored in that time; the store holds {day(0)} to {day(40)}"),
        (["--genre", "Samba"], "no song of Samba since 2026-01-10; genres: Funk, Sertanejo"),
    ],
)
def test_what_the_store_does_not_hold_is_told_in_one_line(home, arguments, said):
    finished = trends(home, *arguments)
    assert finished.code == 1
    assert said in finished.err
    assert len(finished.err.strip().splitlines()) == 1


def test_an_empty_store_is_told_in_one_line_and_nothing_is_written(tmp_path):
    finished = trends(tmp_path / "home")
    assert finished.code == 1
    assert finished.err.strip() == "Error: the feature store holds no date: run the extraction job first"
    assert not (tmp_path / "home").exists()
