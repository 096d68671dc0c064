"""What a trends report looks like: its tables, its page, its pictures, its print on a terminal."""

import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image
from rich.console import Console

from lyrics_assets.lyrics.lexicon import THEMES
from lyrics_assets.lyrics.trends.page import (
    as_markdown_image,
    distance_rows,
    genre_rows,
    periods,
    pictures,
    render_html,
    theme_rows,
    word_rows,
)
from lyrics_assets.lyrics.trends.terminal import print_trends
from lyrics_assets_tests.lyrics.trends.histories import PLANTED, day, lines_told, make_song, make_songs, trends_of

OLD = make_songs("Samba", 60, seed=1, named="old") + make_songs("Funk", 60, seed=2, named="old")
NEW = make_songs("Samba", 40, seed=3, named="new", plant=PLANTED, share=0.4) + make_songs(
    "Funk", 40, seed=4, named="new", plant="igreja oracao jesus", share=0.6
)
SMALL = [make_song("<b>Bê & Bá</b>", "Trio & Cia", "R&B", "um <i>verso</i> só"), *make_songs("R&B", 3, seed=5)]
SONGS = OLD + NEW + SMALL
MAX_PICTURE_BYTES = 40_000


@pytest.fixture(scope="module")
def report():
    return trends_of({0: OLD, 3: OLD + NEW[:40], 9: SONGS})


@pytest.fixture(scope="module")
def page(report):
    return render_html(report)


def test_the_tables_tell_the_figures_with_the_counts_behind_them(report):
    assert genre_rows(report)[2] == {
        "genre": "Samba",
        "songs": 100,
        "entered": 0,
        "stayed": 100,
        "left": 0,
        "translated": "0 of 100",
        "new (before)": "40 (60)",
    }
    words = {(row["genre"], row["word"]): row for row in word_rows(report)}
    planted = words["Samba", PLANTED]
    assert (planted[""], planted["songs before"], planted["songs new"]) == ("rises", "0 of 60", "16 of 40")
    assert ("Funk", "jesus") in words
    assert [row["word"] for row in word_rows(report, beyond_chance=False) if row["word"] in (PLANTED, "jesus")] == []
    [theme] = theme_rows(report)
    assert (theme["genre"], theme["theme"], theme[""]) == ("Funk", "faith", "rises")
    assert all(row["genres"] == "Funk and Samba" for row in distance_rows(report))


def test_what_was_compared_is_one_sentence(report):
    assert periods(report) == (
        f"Songs that came in {day(3)} to {day(9)} (2 dates) against those that were there in {day(0)}."
    )
    assert periods(trends_of({0: OLD})) == f"One date, {day(0)}: nothing to compare it with."


class Tags(HTMLParser):
    """Checks that what is opened is closed."""

    VOID = ("meta", "rect", "polyline", "polygon", "line", "br", "img")

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_asks_nobody_for_anything(page):
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert re.findall(r"https?://|src=|@import|url\(|<script", page) == []
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_the_page_shows_words_themes_songs_and_distances(page):
    assert PLANTED in page
    assert "Funk: faith" in page
    assert page.count("songs, entered and left by date") == 3
    assert all(theme in page for theme in THEMES)
    assert "Not compared, for fewer than 10 songs in one of the periods: R&amp;B." in page
    assert "<td>Funk <small>100</small></td>" in page


def test_titles_and_artists_are_escaped(page):
    assert "&lt;b&gt;Bê &amp; Bá&lt;/b&gt; <small>Trio &amp; Cia</small>" in page
    assert "<b>Bê" not in page


def test_no_line_of_a_lyric_is_shown_anywhere(report, page):
    console = Console(width=120, record=True, file=io.StringIO())
    for genre in (None, *report["genres"]):
        print_trends(report, console, genre)
    tables = str([genre_rows(report), word_rows(report), theme_rows(report), distance_rows(report)])
    assert lines_told(page, SONGS) == []
    assert lines_told(re.sub(r"<[^>]*>", " ", page), SONGS) == []
    assert lines_told(console.export_text(), SONGS) == []
    assert lines_told(tables, SONGS) == []


def test_pictures_are_small_and_of_what_there_is(report):
    drawn = pictures(report)
    assert sorted(drawn) == ["distances", "songs_by_date", "themes", "words"]
    for content in drawn.values():
        with Image.open(io.BytesIO(content)) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 80
    assert max(map(len, drawn.values())) < MAX_PICTURE_BYTES
    assert as_markdown_image("words", drawn["words"]).startswith("![words](data:image/png;base64,iVBOR")


def test_one_date_has_a_page_and_pictures_too():
    report = trends_of({0: OLD})
    page = render_html(report)
    assert "a trend needs two" in page
    assert "Words that rise" not in page
    assert sorted(pictures(report)) == ["distances", "themes"]


def test_a_single_small_genre_has_a_page_too():
    report = trends_of({0: SMALL[:1], 1: SMALL[1:]})
    assert "No genre has 10 songs before and 10 new ones" in render_html(report)
    assert sorted(pictures(report)) == ["songs_by_date", "themes"]


def printed(report, genre=None):
    console = Console(width=120, record=True, file=io.StringIO(), highlight=False)
    print_trends(report, console, genre)
    return console.export_text()


def test_a_terminal_shows_all_genres_or_one_in_full(report):
    every, samba = printed(report), printed(report, "Samba")
    assert f"Trends, {day(0)} to {day(9)}" in every
    assert "Funk" in every
    assert PLANTED in every
    assert f"Trends of Samba, {day(0)} to {day(9)}" in samba
    assert f"│ {day(3)} │   100 │      40 │     60 │    0 │   0 of 100 │" in samba
    assert PLANTED in samba
    assert "Songs by date" not in every
    assert max(len(line) for line in (every + samba).splitlines()) <= 120


def test_a_terminal_says_what_one_date_lacks():
    told = printed(trends_of({0: OLD}))
    assert f"Trends, {day(0)} to {day(0)}" in told
    assert "a trend needs two" in told


def test_a_terminal_says_that_a_genre_is_too_small_and_which_songs_came(report):
    small = printed(report, "R&B")
    assert "Too few songs of R&B in one of the periods" in small
    assert " + <b>Bê & Bá</b>, Trio & Cia" in small
