"""How genres change over dates: what is counted, what is named a trend, what is not."""

import copy
import datetime as dt
import json
import weakref

import pytest

from lyrics_assets.lyrics.trends.report import measure_trends, split_periods, window
from lyrics_assets_tests.lyrics.trends.histories import (
    PLANTED,
    day,
    lines_told,
    make_song,
    make_songs,
    store_table,
    trends_of,
)

D = dt.date


def test_the_window_is_the_days_up_to_the_newest_date_and_knows_what_was_stored_before():
    stored = [D(2026, 1, 1), D(2026, 3, 1), D(2026, 3, 31), D(2026, 4, 29)]
    assert window(stored, days=30) == ([D(2026, 3, 31), D(2026, 4, 29)], D(2026, 3, 1))
    assert window(stored) == ([D(2026, 3, 1), D(2026, 3, 31), D(2026, 4, 29)], D(2026, 1, 1))
    assert window(stored, days=365) == (stored, None)


def test_the_window_keeps_to_the_dates_that_are_asked_for():
    stored = [D(2026, 1, 1), D(2026, 3, 1), D(2026, 3, 31), D(2026, 4, 29)]
    assert window(stored, since=D(2026, 2, 1), until=D(2026, 3, 31)) == (stored[1:3], stored[0])
    assert window(stored, until=D(2025, 1, 1)) == ([], None)
    assert window(stored, since=D(2026, 5, 1)) == ([], D(2026, 4, 29))
    assert window([]) == ([], None)


def test_the_later_period_is_recent_and_never_holds_all_dates():
    dates = [D(2026, 1, number) for number in (1, 2, 3, 4)]
    assert split_periods(dates, 2) == (dates[:2], dates[2:])
    assert split_periods(dates, 28) == (dates[:1], dates[1:])
    assert split_periods(dates[:1], 28) == ([], dates[:1])


def counts(report, genre, *names):
    return [tuple(row[name] for name in names) for row in report["genres"][genre]["series"]]


def chart(genre, *titles, **fields):
    return [make_song(title, "Dona Aurora", genre, f"o sol de {title}", **fields) for title in titles]


def test_songs_that_enter_stay_and_leave_are_counted_on_each_date():
    history = {0: chart("Samba", "a", "b"), 1: chart("Samba", "b", "c", "d"), 5: chart("Samba", "b")}
    report = trends_of(history)
    assert counts(report, "Samba", "date", "songs", "entered", "stayed", "left") == [
        (day(0).isoformat(), 2, None, None, None),
        (day(1).isoformat(), 3, 2, 1, 1),
        (day(5).isoformat(), 1, 0, 1, 2),
    ]
    assert report["genres"]["Samba"]["leaving"] == [
        {"title": "c", "artist": "Dona Aurora", "rank": 1},
        {"title": "d", "artist": "Dona Aurora", "rank": 1},
    ]


def test_the_first_date_is_compared_with_the_one_stored_before_the_window():
    tables = {day(0): store_table(chart("Samba", "a", "b"), day(0)), day(9): store_table(chart("Samba", "b"), day(9))}
    report = measure_trends([day(9)], tables.__getitem__, previous=day(0))
    assert counts(report, "Samba", "songs", "entered", "stayed", "left") == [(1, 0, 1, 1)]
    assert report["previous_date"] == day(0).isoformat()
    assert report["dates"] == [day(9).isoformat()]


def test_a_genre_that_comes_or_goes_has_a_row_on_every_date():
    history = {0: chart("Samba", "a"), 1: chart("Samba", "a"), 2: chart("MPB", "m", "n")}
    report = trends_of(history)
    assert counts(report, "MPB", "songs", "entered", "left") == [(0, None, None), (0, 0, 0), (2, 2, 0)]
    assert counts(report, "Samba", "songs", "entered", "left") == [(1, None, None), (1, 0, 0), (0, 0, 1)]


def test_a_song_that_changes_its_genre_leaves_one_enters_the_other_and_stays_in_the_whole():
    report = trends_of({0: chart("Samba", "a"), 1: chart("MPB", "a")})
    assert counts(report, "Samba", "entered", "left")[1] == (0, 1)
    assert counts(report, "MPB", "entered", "left")[1] == (1, 0)
    assert (report["total"]["series"][1]["entered"], report["total"]["series"][1]["stayed"]) == (0, 1)


def test_translations_are_counted_with_their_interval():
    songs = chart("Rock", "a", "b", "c") + chart("Rock", "d", is_translation=True)
    row = trends_of({0: songs})["genres"]["Rock"]["series"][0]
    assert (row["translated"], row["songs"], row["translated_share"]) == (1, 4, 0.25)
    assert row["translated_interval"] == [pytest.approx(0.0456, abs=1e-4), pytest.approx(0.6994, abs=1e-4)]


def test_each_date_is_read_once_in_order_and_one_is_held_at_a_time():
    read, alive = [], []

    def read_date(date):
        assert not [table for table in alive if table() is not None], "an older date is still held"
        table = store_table(make_songs("Samba", 12, seed=date.day), date)
        read.append(date)
        alive.append(weakref.ref(table))
        return table

    dates = [day(number) for number in range(5)]
    measure_trends(dates, read_date)
    assert read == dates


OLD = make_songs("Samba", 60, seed=1, named="old") + make_songs("Funk", 60, seed=2, named="old")
NEW = make_songs("Samba", 40, seed=3, named="new") + make_songs("Funk", 40, seed=4, named="new")
NEW_PLANTED = make_songs("Samba", 40, seed=3, named="new", plant=PLANTED, share=0.4) + NEW[40:]


def beyond_chance(report, kind):
    return [
        (name, row["theme" if kind == "themes" else "word"])
        for name, genre in report["genres"].items()
        for row in (genre["compared"] or {kind: []})[kind]
        if row["beyond_chance"]
    ]


def test_a_planted_word_rises_with_the_songs_and_artists_behind_it():
    report = trends_of({0: OLD, 1: OLD + NEW_PLANTED})
    assert beyond_chance(report, "rising") == [("Samba", PLANTED)]
    assert beyond_chance(report, "falling") == []
    compared = report["genres"]["Samba"]["compared"]
    row = compared["rising"][0]
    artists = {song["artist"] for song in NEW_PLANTED if PLANTED in song["lyrics"]}
    assert (row["songs_before"], row["songs_after"], row["artists_before"], row["artists_after"]) == (
        0,
        16,
        0,
        len(artists),
    )
    assert (compared["songs_before"], compared["songs_after"]) == (60, 40)
    assert row["z"] > 0
    assert row["function_word"] is False
    assert report["notes"] == []


def test_a_word_that_new_songs_lack_falls():
    old = make_songs("Samba", 60, seed=1, named="old", plant=PLANTED, share=0.6)
    report = trends_of({0: old, 1: old[:30] + NEW[:40]})
    assert beyond_chance(report, "falling") == [("Samba", PLANTED)]
    assert beyond_chance(report, "rising") == []
    assert report["genres"]["Samba"]["compared"]["falling"][0]["z"] < 0


def test_a_rise_of_a_function_word_is_marked():
    new = make_songs("Samba", 40, seed=3, named="new", plant="conosco")
    report = trends_of({0: OLD[:60], 1: OLD[:60] + new})
    assert beyond_chance(report, "rising") == [("Samba", "conosco")]
    assert report["genres"]["Samba"]["compared"]["rising"][0]["function_word"] is True


def test_what_two_artists_bring_is_no_trend():
    extra = make_songs("Samba", 12, seed=9, named="more")
    for number, song in enumerate(extra):
        song["artist"] = f"Samba {(3, 7)[number % 2]}"
        song["lyrics"] += f"\n{PLANTED}"
    report = trends_of({0: OLD, 1: OLD + NEW + extra})
    told = report["genres"]["Samba"]["compared"]["rising"]
    assert PLANTED not in [row["word"] for row in told]


def test_a_word_of_one_song_is_no_trend_however_often_it_is_sung():
    new = copy.deepcopy(NEW)
    new[0]["lyrics"] += f"\n{PLANTED}" * 50
    report = trends_of({0: OLD, 1: OLD + new})
    assert PLANTED not in json.dumps(report)


def test_a_text_that_was_there_before_is_not_new_whatever_its_layout_its_title_or_who_sings_it():
    again = [
        song | {"song_id": f"{number:032x}", "title": f"cover {number}", "lyrics": song["lyrics"].upper() + "\n\n!"}
        for number, song in enumerate(OLD[:60])
    ]
    live = [
        song | {"song_id": f"{number + 100:032x}", "title": f"live {number}", "lyrics": song["lyrics"] + "\nobrigado"}
        for number, song in enumerate(OLD[:60])
    ]
    report = trends_of({0: OLD, 1: OLD + again + live})
    assert report["genres"]["Samba"]["series"][1]["entered"] == 120
    assert report["genres"]["Samba"]["compared"]["songs_after"] == 0


def test_songs_that_never_change_raise_nothing_and_the_report_says_why():
    report = trends_of(dict.fromkeys(range(6), OLD))
    assert [beyond_chance(report, kind) for kind in ("rising", "falling", "themes")] == [[], [], []]
    assert report["notes"] == ["No genre has 10 songs before and 10 new ones: no word or theme can be compared yet."]
    [pair] = report["distances"]["pairs"]
    assert pair["change"]["moved"] == 0
    assert pair["change"]["beyond_chance"] is False


def test_new_songs_of_the_same_kind_raise_no_alarm_in_most_reports():
    alarms = {"rising": 0, "falling": 0, "themes": 0, "distances": 0}
    reports = 20
    for seed in range(reports):
        first = [
            song for place, genre in enumerate(("Samba", "Funk", "Gospel")) for song in songs_of(genre, seed, place)
        ]
        later = [
            song for place, genre in enumerate(("Samba", "Funk", "Gospel")) for song in songs_of(genre, seed, 5 + place)
        ]
        report = trends_of({0: first, 1: first[20:] + later})
        for kind in ("rising", "falling", "themes"):
            alarms[kind] += bool(beyond_chance(report, kind))
        alarms["distances"] += any(pair["change"]["beyond_chance"] for pair in report["distances"]["pairs"])
    # One in twenty is what is promised of each kind; rising and falling words are one kind.
    assert alarms["rising"] + alarms["falling"] <= 3
    assert alarms["themes"] <= 3
    assert alarms["distances"] <= 3


def songs_of(genre, seed, place):
    return make_songs(genre, 40, seed=1000 * seed + place, named=f"{place}", artists=30)


def test_a_report_says_when_nothing_is_beyond_chance():
    report = trends_of({0: OLD, 1: OLD + NEW})
    assert report["notes"] == [
        "Nothing beyond chance: shuffled periods hold changes of words and themes as large as those found."
    ]


def test_a_planted_theme_grows_by_as_much_as_was_planted():
    new = make_songs("Funk", 40, seed=4, named="new", plant="igreja oracao jesus", share=0.5)
    report = trends_of({0: OLD[60:], 1: OLD[60:] + new})
    assert beyond_chance(report, "themes") == [("Funk", "faith")]
    row = report["genres"]["Funk"]["compared"]["themes"][0]
    assert row["songs_after"] >= 20
    low, high = row["growth_interval"]
    assert 0 < low < row["growth"] < high
    series = report["genres"]["Funk"]["themes"]["faith"]
    assert series["songs"][1] == row["songs_before"] + row["songs_after"]
    assert series["low"][1] < series["share"][1] < series["high"][1]


def test_a_genre_of_few_new_songs_is_not_compared():
    report = trends_of({0: OLD, 1: OLD + NEW_PLANTED[:9]})
    compared = report["genres"]["Samba"]["compared"]
    assert (compared["songs_after"], compared["rising"], compared["themes"]) == (9, [], [])


def test_genres_whose_new_songs_share_their_words_come_closer():
    funk_samba = [song | {"genre": "Funk"} for song in make_songs("Samba", 60, seed=11, named="crossing")]
    gospel = make_songs("Gospel", 60, seed=12, named="old")
    report = trends_of({0: OLD + gospel, 1: OLD[:60] + funk_samba + gospel})
    moved = {tuple(pair["genres"]): pair["change"] for pair in report["distances"]["pairs"]}
    assert moved["Funk", "Samba"]["beyond_chance"]
    assert moved["Funk", "Samba"]["moved"] < moved["Funk", "Samba"]["moved_by_chance"][0]
    assert not moved["Gospel", "Samba"]["beyond_chance"]
    assert moved["Gospel", "Samba"]["moved"] == 0


def test_genres_of_one_vocabulary_are_no_farther_apart_than_chance_puts_them():
    one = make_songs("Samba", 60, seed=21, named="one")
    same = [song | {"genre": "Pagode"} for song in make_songs("Samba", 60, seed=22, named="other")]
    report = trends_of({0: one + same + OLD[60:]})
    pairs = {tuple(pair["genres"]): pair for pair in report["distances"]["pairs"]}
    same_pair, other_pair = pairs["Pagode", "Samba"], pairs["Funk", "Samba"]
    assert same_pair["distance"] == pytest.approx(same_pair["by_chance"], abs=0.02)
    assert other_pair["distance"] > other_pair["by_chance"] + 0.05
    assert 0 < same_pair["distance"] < other_pair["distance"] < 1


def test_one_date_shows_what_stands_and_says_that_a_trend_needs_two():
    report = trends_of({0: OLD})
    assert report["notes"] == [
        "One date is stored in the window: a trend needs two. Only what stands on that date is shown."
    ]
    assert report["earlier"] is None
    assert report["genres"]["Samba"]["compared"] is None
    assert report["genres"]["Samba"]["themes"]["faith"]["songs"]
    assert [pair["change"] for pair in report["distances"]["pairs"]] == [None]


def test_a_report_is_json_and_the_same_when_it_is_made_again():
    first, again = (trends_of({0: OLD, 1: OLD + NEW_PLANTED}) for _ in range(2))
    assert json.loads(json.dumps(first)) == first
    del first["seconds"], again["seconds"]
    assert first == again


def test_no_line_of_a_lyric_is_in_a_report():
    songs = OLD + NEW_PLANTED
    report = trends_of({0: OLD, 1: songs})
    assert lines_told(songs[0]["lyrics"], songs), "the test itself must find lines"
    assert lines_told(json.dumps(report, ensure_ascii=False), songs) == []
