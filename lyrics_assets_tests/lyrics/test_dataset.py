"""From raw songs of one date to one row a song."""

import datetime as dt
import json
import random
from contextlib import closing

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lyrics_assets.lyrics import dataset as module
from lyrics_assets.lyrics.dataset import MAX_CHARACTERS, MIN_WORDS, build_dataset, read_raw
from lyrics_assets.lyrics.identity import lyrics_hash, song_id
from lyrics_assets.lyrics.near_duplicates import TextIndex
from lyrics_assets.lyrics.schema import SCHEMA, validate
from lyrics_assets_tests.corpus import DATE, VERSE, dataset, raw_song, raw_songs, songbook

ENGLISH = next(song.original for song in songbook() if song.language == "en")
KOREAN = next(song.original for song in songbook() if song.language == "ko")
OTHER_SONG = next(song.lyrics for song in songbook() if song.lyrics)
OTHER_VERSE = VERSE.replace("janela", "varanda")


def only(*rows):
    """Return the one song that the rows are merged into."""
    (song,) = build_dataset(rows, DATE).songs.to_pylist()
    return song


def rejection(row):
    """Return reason and detail of the one row that is left out."""
    built = build_dataset([row], DATE)
    assert built.songs.num_rows == 0
    return tuple(built.rejects.loc[0, ["reason", "detail"]])


def test_a_raw_song_becomes_a_row():
    assert only(raw_song(rank=7)) == {
        "song_id": song_id("Dona Aurora", "Janela"),
        "extraction_date": DATE,
        "title": "Janela",
        "artist": "Dona Aurora",
        "genre": "Samba",
        "genres": ["Samba"],
        "sources": ["letras"],
        "is_translation": False,
        "original_language": "pt",
        "portuguese_share": 1.0,
        "rank": 7,
        "lyrics": VERSE,
        "lyrics_group": lyrics_hash(VERSE),
        "n_lines": 3,
        "n_words": 28,
    }


def test_the_songbook_becomes_a_valid_table_of_its_songs():
    built = dataset()
    with_text = [song for song in songbook() if song.lyrics]
    assert validate(built.songs).schema.equals(SCHEMA, check_metadata=True)
    assert built.songs.num_rows == len({song_id(song.artist, song.title) for song in with_text})
    assert built.songs["song_id"].to_pylist() == sorted(built.songs["song_id"].to_pylist())


def test_no_row_gives_an_empty_table_of_the_same_columns():
    built = build_dataset([], DATE)
    assert built.songs.schema.equals(SCHEMA)
    assert (built.songs.num_rows, len(built.rejects)) == (0, 0)
    assert set(built.conflicts.values()) == {0}


@pytest.mark.parametrize("name", ["source", "genre", "title", "artist", "lyrics"])
@pytest.mark.parametrize("value", [None, "", " \n", 3, ["a"], {"a": 1}])
def test_a_field_that_is_missing_or_no_text_is_named(name, value):
    assert rejection(raw_song(**{name: value})) == ("missing_field", name)
    assert rejection({key: kept for key, kept in raw_song().items() if key != name}) == ("missing_field", name)


@pytest.mark.parametrize(
    ("lyrics", "reason", "detail"),
    [
        ("la " * (MIN_WORDS - 1), "too_short", "19 words"),
        ("...", "too_short", "0 words"),
        ("a " * 30_000, "too_long", "lyrics: 60000 characters"),
        (ENGLISH, "not_portuguese", "en"),
        (KOREAN, "not_portuguese", "ko"),
        ("123 " * 30, "not_portuguese", "unknown"),
        ("palavra " * 125_000, "too_long", "lyrics: 1000000 characters"),
        (VERSE.replace("ã", "\ufffd").replace("ç", "\ufffd"), "lost_characters", "lyrics"),
        ("\x00\u200b\ufeff", "missing_field", "lyrics"),
    ],
    ids=["short", "no word", "long", "English", "Korean", "numbers", "a megabyte", "lost letters", "invisible"],
)
def test_a_text_that_is_no_portuguese_lyric_is_left_out(lyrics, reason, detail):
    assert rejection(raw_song(lyrics=lyrics)) == (reason, detail)


def test_a_text_of_two_languages_is_left_out_if_too_little_is_portuguese():
    lines = ENGLISH.split("\n")
    mostly_foreign = songbook_text("en") + "\n" + "\n".join(lines[: len(lines) * 3 // 4])
    reason, detail = rejection(raw_song(lyrics=mostly_foreign))
    assert reason == "mixed_languages"
    assert detail.endswith("% Portuguese")
    a_refrain = only(raw_song(lyrics=songbook_text("en") + "\n" + "\n".join(lines[:3])))
    assert 0.6 < a_refrain["portuguese_share"] <= 1


def songbook_text(language):
    return next(song.lyrics for song in songbook() if song.language == language)


def test_texts_at_the_bounds_are_kept():
    shortest = " ".join(VERSE.split()[:MIN_WORDS])
    longest = (VERSE + "\n") * 1000
    assert only(raw_song(lyrics=shortest))["n_words"] == MIN_WORDS
    assert only(raw_song(lyrics=longest[:MAX_CHARACTERS]))["n_lines"] > 1000


def test_rejects_say_which_page_but_never_hold_the_lyric():
    rows = [raw_song(lyrics=ENGLISH), raw_song(lyrics="lalalá uh"), raw_song(title="", url="https://letras.example/x/")]
    rejects = build_dataset([*rows, raw_song()], DATE).rejects
    assert list(rejects.columns) == ["source", "genre", "url", "title", "artist", "reason", "detail"]
    assert list(rejects["reason"]) == ["not_portuguese", "too_short", "missing_field"]
    assert rejects.loc[2, "url"] == "https://letras.example/x/"
    named = rejects.loc[0, ["source", "genre", "title", "artist"]]
    assert list(named) == ["letras", "Samba", "Janela", "Dona Aurora"]
    shown = rejects.to_csv()
    assert "lalalá" not in shown
    assert not any(line in shown for line in ENGLISH.split("\n") if line)


@pytest.mark.parametrize(
    ("name", "value"),
    [("url", ["a", "b"]), ("url", 3), ("url", None), ("title", {"a": [1]}), ("artist", 1.5), ("genre", ["Samba"])],
)
def test_rejects_of_wrong_types_are_shown_as_text(name, value):
    rejects = build_dataset([raw_song(lyrics="") | {name: value}, raw_song()], DATE).rejects
    assert len(rejects) == 1
    assert all(isinstance(cell, str) or pd.isna(cell) for cell in rejects.loc[0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rank", "3"),
        ("rank", [1]),
        ("rank", True),
        ("rank", 2.5),
        ("original_language", ["en"]),
        ("is_translation", "no"),
        ("rank", 0),
        ("rank", -3),
        ("rank", 2**63),
        ("original_language", "pt-BR"),
        ("original_language", "ção"),
    ],
)
def test_a_row_with_a_field_of_a_wrong_type_is_rejected_not_raised(name, value):
    built = build_dataset([raw_song(**{name: value}), raw_song(title="Outra")], DATE)
    assert built.songs["title"].to_pylist() == ["Outra"]
    assert name in built.rejects.loc[0, "detail"]


@pytest.mark.parametrize("name", ["title", "artist", "lyrics", "genre", "source"])
def test_a_row_that_is_not_unicode_is_rejected_not_raised(name):
    broken = raw_song(**{name: raw_song()[name] + "\ud83d"})
    built = build_dataset([broken, raw_song(title="Outra")], DATE)
    assert built.songs["title"].to_pylist() == ["Outra"]
    assert len(built.rejects) == 1


@pytest.mark.parametrize("name", ["title", "artist", "genre"])
def test_a_name_that_is_too_long_is_another_fields_text_and_is_not_shown(name):
    rejects = build_dataset([raw_song(**{name: "palavra " * 60})], DATE).rejects
    assert tuple(rejects.loc[0, ["reason", "detail"]]) == ("too_long", f"{name}: 480 characters")
    assert pd.isna(rejects.loc[0, name])


LINES = [
    json.dumps(raw_song()).encode() + b"\n",
    b"{not json\n",
    b'["a list"]\n',
    b"\xff\xfe\n",
    b"\n",
    b'{"genre": "Samba"}\n',
]


def test_a_line_that_holds_no_song_is_rejected_with_its_number():
    built = build_dataset(read_raw(LINES, "letras"), DATE)
    assert (built.n_raw, built.songs.num_rows) == (6, 1)
    found = built.rejects[["source", "reason", "detail"]].fillna("").to_numpy().tolist()
    assert found == [
        ["letras", "not_json", "line 2"],
        ["letras", "not_json", "line 3"],
        ["letras", "not_json", "line 4"],
        ["letras", "not_json", "line 5"],
        ["", "missing_field", "source"],
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(raw_song())), JSON, max_size=4))
def test_a_row_of_anything_is_kept_or_rejected_but_never_raised(junk):
    built = build_dataset([raw_song(title="Outra"), raw_song() | junk], DATE)
    validate(built.songs)
    assert built.n_raw == 2
    assert "Outra" in built.songs["title"].to_pylist()


def test_damaged_texts_are_mended_and_counted():
    misread = VERSE.encode().decode("latin-1")
    rows = [
        raw_song(lyrics=misread),
        raw_song(title="Porta\x00", lyrics=VERSE.replace("\n", "\r\n")),
        raw_song(title="Rua\t\u200bEscura"),
        raw_song(title="Limpa"),
    ]
    built = build_dataset(rows, DATE)
    assert built.mended == {"control_characters": 2, "encoding": 1}
    assert set(built.songs["lyrics"].to_pylist()) == {VERSE}
    assert sorted(built.songs["title"].to_pylist()) == ["Janela", "Limpa", "Porta", "Rua Escura"]


def test_rows_of_a_rejected_text_are_not_counted_as_mended():
    assert build_dataset([raw_song(lyrics="la\r\nla")], DATE).mended == {}


def test_sites_and_genres_of_a_song_are_listed_sorted_and_once():
    song = only(
        raw_song(source="vagalume", genre="Samba", rank=None),
        raw_song(genre="Pagode"),
        raw_song(genre="Samba"),
        raw_song(genre="Samba", title="JANELA (Ao Vivo)"),
    )
    assert song["genres"] == ["Pagode", "Samba"]
    assert song["sources"] == ["letras", "vagalume"]


def test_the_genre_is_the_one_that_most_sites_name():
    song = only(
        raw_song(genre="MPB", rank=1),
        raw_song(genre="Samba", rank=90),
        raw_song(source="vagalume", genre="Samba", rank=None),
    )
    assert song["genre"] == "Samba"


def test_a_site_that_names_a_genre_twice_has_one_vote():
    rows = [raw_song(genre="Samba", rank=9), raw_song(genre="Samba", rank=8, title="Janela (Remix)")]
    assert only(*rows, raw_song(genre="MPB", rank=2))["genre"] == "MPB"


def test_between_genres_of_equal_votes_the_best_rank_decides():
    assert only(raw_song(genre="MPB", rank=5), raw_song(genre="Samba", rank=4))["genre"] == "Samba"


def test_a_genre_with_a_rank_goes_before_one_without():
    song = only(raw_song(genre="MPB", source="vagalume", rank=None), raw_song(genre="Samba", rank=100))
    assert song["genre"] == "Samba"


def test_between_genres_of_equal_votes_and_rank_the_alphabet_decides():
    assert only(raw_song(genre="Samba", rank=3), raw_song(genre="MPB", rank=3))["genre"] == "MPB"


def test_the_rank_is_the_best_one_in_the_chosen_genre():
    song = only(
        raw_song(genre="MPB", rank=1),
        raw_song(genre="Samba", rank=9),
        raw_song(genre="Samba", rank=6, title="Janela (Ao Vivo)"),
        raw_song(source="vagalume", genre="Samba", rank=None),
    )
    assert (song["genre"], song["rank"]) == ("Samba", 6)


def test_each_of_several_songs_keeps_what_is_its_own():
    rows = [
        raw_song(title="Janela", genre="Samba", rank=4),
        raw_song(title="Varanda", genre="Rock", rank=2),
        raw_song(title="Porta", genre="Gospel", rank=None),
        raw_song(title="Porta", genre="Forró", rank=None),
        raw_song(title="Telhado", genre="MPB", rank=7),
        raw_song(title="Telhado", genre="MPB", rank=None, source="vagalume"),
    ]
    songs = build_dataset(rows, DATE).songs.select(["title", "genre", "rank", "genres", "sources"]).to_pylist()
    assert sorted(tuple(song.values()) for song in songs) == [
        ("Janela", "Samba", 4, ["Samba"], ["letras"]),
        ("Porta", "Forró", None, ["Forró", "Gospel"], ["letras"]),
        ("Telhado", "MPB", 7, ["MPB"], ["letras", "vagalume"]),
        ("Varanda", "Rock", 2, ["Rock"], ["letras"]),
    ]


def test_a_song_of_no_chart_has_no_rank():
    assert only(raw_song(source="vagalume", rank=None))["rank"] is None


def test_an_original_goes_before_a_longer_translation():
    translation = raw_song(lyrics=f"{OTHER_VERSE}\n{OTHER_VERSE}", is_translation=True, original_language="en")
    song = only(translation, raw_song(source="vagalume"))
    assert (song["lyrics"], song["is_translation"], song["original_language"]) == (VERSE, False, "pt")


def test_between_originals_the_one_with_more_distinct_lines_is_kept_with_its_spelling():
    longer = raw_song(source="vagalume", lyrics=f"{VERSE}\nE fim", title="JANELA")
    often = raw_song(source="a_dump", lyrics=f"{VERSE}\n{VERSE}\n{VERSE}", title="JANELA (2x)")
    song = only(raw_song(), longer)
    assert (song["lyrics"], song["title"], song["n_lines"]) == (longer["lyrics"], "JANELA", 4)
    assert only(often, longer | {"title": "JANELA (2x)"})["lyrics"] == longer["lyrics"]


def test_between_texts_of_as_many_distinct_lines_the_one_with_more_words_is_kept():
    refrain_again = f"{VERSE}\n{VERSE.splitlines()[0]}"
    assert only(raw_song(), raw_song(source="vagalume", lyrics=refrain_again))["lyrics"] == refrain_again


def test_between_texts_of_equal_length_the_first_site_by_name_is_kept():
    assert only(raw_song(source="vagalume", lyrics=OTHER_VERSE), raw_song())["lyrics"] == VERSE


@pytest.mark.parametrize(
    ("is_translation", "told", "kept"),
    [(False, None, "pt"), (False, "pt", "pt"), (True, "en", "en"), (True, None, None), (True, "ko", "ko")],
)
def test_the_original_language_is_what_the_site_says_or_what_follows(is_translation, told, kept):
    assert only(raw_song(is_translation=is_translation, original_language=told))["original_language"] == kept


def test_songs_with_several_genres_and_with_several_texts_are_counted():
    rows = [
        raw_song(),
        raw_song(genre="MPB"),
        raw_song(title="Porta"),
        raw_song(title="Porta", source="vagalume", lyrics=OTHER_VERSE),
        raw_song(title="Rua"),
        raw_song(title="Rua", source="vagalume", lyrics=VERSE.upper().replace("\n", "\r\n")),
    ]
    assert build_dataset(rows, DATE).conflicts == {
        "several_genres": 1,
        "sites_share_no_genre": 0,
        "several_texts": 1,
        "original_and_translation": 0,
    }


def test_what_sites_disagree_on_is_counted():
    rows = [
        raw_song(),
        raw_song(source="vagalume", genre="MPB"),
        raw_song(title="Porta", is_translation=True, original_language="en"),
        raw_song(title="Porta", source="vagalume"),
        raw_song(title="Rua"),
        raw_song(title="Rua", genre="MPB"),
        raw_song(title="Rua", source="vagalume", genre="MPB"),
    ]
    assert build_dataset(rows, DATE).conflicts == {
        "several_genres": 2,
        "sites_share_no_genre": 1,
        "several_texts": 0,
        "original_and_translation": 1,
    }


def test_a_cover_shares_the_group_of_the_song_that_it_covers():
    rows = [
        raw_song(),
        raw_song(artist="Seu Cravo", lyrics=VERSE + "\nObrigado"),
        raw_song(title="Outra", lyrics=OTHER_SONG),
    ]
    songs = build_dataset(rows, DATE).songs.to_pandas().set_index(["artist", "title"])["lyrics_group"]
    assert songs["Dona Aurora", "Janela"] == songs["Seu Cravo", "Janela"] != songs["Dona Aurora", "Outra"]


def test_a_cover_of_a_later_date_shares_the_group_too():
    cover = raw_song(artist="Seu Cravo", lyrics=VERSE + "\nObrigado")
    with closing(TextIndex()) as index:
        first = build_dataset([raw_song()], DATE, index).songs
        later = build_dataset([cover], DATE + dt.timedelta(days=1), index).songs
    assert later["lyrics_group"].to_pylist() == first["lyrics_group"].to_pylist()


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_size_of_the_batches_does_not_matter(size, monkeypatch):
    rows = [*raw_songs("Samba"), raw_song(title=""), *raw_songs("Gospel"), raw_song(lyrics=ENGLISH)]
    expected = build_dataset(rows, DATE)
    monkeypatch.setattr(module, "_BATCH_ROWS", size)
    monkeypatch.setattr(module, "_GROUPED_AT_ONCE", size)
    built = build_dataset(rows, DATE)
    assert built.songs.equals(expected.songs)
    assert built.rejects.equals(expected.rejects)
    assert (built.n_raw, built.conflicts) == (expected.n_raw, expected.conflicts)


def test_equal_titles_of_two_artists_stay_two_songs():
    built = build_dataset([raw_song(), raw_song(artist="Seu Cravo")], DATE)
    assert sorted(built.songs["artist"].to_pylist()) == ["Dona Aurora", "Seu Cravo"]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_rows_does_not_matter(seed):
    ties = [
        raw_song(title=title, artist=artist, lyrics=lyrics, original_language=language)
        for title, artist, lyrics, language in [
            ("Janela", "Dona Aurora", VERSE, None),
            ("Janela (Ao Vivo)", "Dona Aurora", OTHER_VERSE, "pt"),
            ("JANELA", "DONA AURORA", VERSE, "pt"),
            ("Janela", "Dona Aurora", VERSE, "es"),
        ]
    ]
    rows = raw_songs("Samba", "Pagode") + ties
    expected = build_dataset(rows, DATE)
    random.Random(seed).shuffle(rows)
    shuffled = build_dataset(rows, DATE)
    assert shuffled.songs.equals(expected.songs)
    assert shuffled.conflicts == expected.conflicts


def test_a_generator_of_rows_is_read_once():
    assert build_dataset((row for row in [raw_song(), raw_song(title="")]), DATE).songs.num_rows == 1


def test_every_row_has_the_date_that_was_asked_for():
    songs = build_dataset([raw_song(), raw_song(title="Porta")], dt.date(2020, 2, 29)).songs
    assert set(songs["extraction_date"].to_pylist()) == {dt.date(2020, 2, 29)}
