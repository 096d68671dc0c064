"""How genres move from one date to the next."""

import pandas as pd
import pytest

from lyrics_assets.lyrics.trends import movements, rising_words
from lyrics_assets_tests.corpus import songs


def chart(*rows):
    return pd.DataFrame(rows, columns=["song_id", "genre", "is_translation"])


def test_songs_that_enter_stay_and_leave_are_counted_by_genre():
    earlier = chart(("a", "Samba", False), ("b", "Samba", False), ("c", "Rock", True), ("g", "Forró", False))
    later = chart(
        ("b", "Samba", False), ("d", "Samba", True), ("e", "Samba", True), ("f", "MPB", False), ("c", "Rock", True)
    )
    assert movements(earlier, later).to_dict("records") == [
        {"genre": "Forró", "songs": 0, "entered": 0, "stayed": 0, "left": 1, "translated": 0.0},
        {"genre": "MPB", "songs": 1, "entered": 1, "stayed": 0, "left": 0, "translated": 0.0},
        {"genre": "Rock", "songs": 1, "entered": 0, "stayed": 1, "left": 0, "translated": 1.0},
        {"genre": "Samba", "songs": 3, "entered": 2, "stayed": 1, "left": 1, "translated": pytest.approx(2 / 3)},
    ]


def test_a_song_that_changes_its_genre_leaves_one_and_enters_the_other():
    moved = movements(chart(("a", "Samba", False)), chart(("a", "MPB", False))).set_index("genre")
    assert tuple(moved.loc["Samba", ["entered", "left"]]) == (0, 1)
    assert tuple(moved.loc["MPB", ["entered", "left"]]) == (1, 0)


@pytest.fixture
def dates():
    earlier = songs("Samba", "Gospel")
    later = earlier.copy()
    later.loc[later.index[::2], "lyrics"] += "\nO Zunzunzum, zunzunzum, zunzunzum"
    return earlier, later


def test_a_planted_word_is_found_with_its_songs(dates):
    earlier, later = dates
    first = rising_words(earlier, later)[0]
    assert first["word"] == "zunzunzum"
    assert first["z"] > 1.96
    assert (first["songs_before"], first["songs_after"]) == (0, len(later.index[::2]))


def test_a_word_of_one_song_is_no_trend_however_often_it_is_sung():
    earlier = songs("Samba")
    later = earlier.copy()
    later.loc[later.index[0], "lyrics"] += "\nzunzunzum" * 50
    assert "zunzunzum" not in [row["word"] for row in rising_words(earlier, later)]


def test_constant_words_do_not_rise(dates):
    earlier, later = dates
    assert rising_words(earlier, earlier) == []
    assert {row["word"] for row in rising_words(earlier, later)} == {"zunzunzum"}


def test_a_word_that_falls_does_not_rise(dates):
    earlier, later = dates
    assert "zunzunzum" not in [row["word"] for row in rising_words(later, earlier)]


def test_words_come_strongest_first_and_no_more_than_asked_for():
    earlier = songs("Samba")
    later = earlier.copy()
    for number in range(6):
        later.loc[later.index[: 12 + 2 * number], "lyrics"] += f"\npalavra{number}"
    found = rising_words(earlier, later, limit=4)
    assert [row["word"] for row in found] == ["palavra5", "palavra4", "palavra3", "palavra2"]
    assert [row["z"] for row in found] == sorted((row["z"] for row in found), reverse=True)


def test_words_that_rise_equally_come_by_the_alphabet():
    earlier = songs("Samba")
    later = earlier.copy()
    planted = [f"zum{letter}" for letter in "qwertyuiop"]
    later["lyrics"] += "\n" + " ".join(planted)
    assert [row["word"] for row in rising_words(earlier, later)] == sorted(planted)


def test_a_date_without_words_has_no_trend():
    some = songs("Samba")
    assert rising_words(some, some.iloc[:0]) == []
    assert rising_words(some.iloc[:0], some) == []


def test_no_line_of_a_lyric_is_in_a_trend(dates):
    earlier, later = dates
    shown = str(rising_words(earlier, later)) + movements(earlier, later).to_csv()
    lines = {line for text in later["lyrics"] for line in text.split("\n") if len(line.split()) > 1}
    assert lines
    assert not [line for line in lines if line.casefold() in shown.casefold()]
