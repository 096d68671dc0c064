"""What a drift report looks like: its table, its page, its plots."""

import copy
import datetime as dt
import re
import shutil

import pytest

from lyrics_assets.model.drift.findings import Findings, Options, told
from lyrics_assets.model.drift.page import measure_rows, render_html
from lyrics_assets.model.drift.report import add, measure_ages, measure_drift
from lyrics_assets_tests import charts
from lyrics_assets_tests.charts import FIRST, TRAINED_AT, Charts, date_table, train_champion
from lyrics_assets_tests.lyrics.trends.histories import lines_told
from lyrics_assets_tests.lyrics.trends.test_page import Tags
from lyrics_assets_tests.serving.browser import Browser, find_chromium

NOW = dt.datetime.fromisoformat(TRAINED_AT) + dt.timedelta(days=40)
WIDTHS = {"wide": 1280, "phone": 390}


@pytest.fixture(scope="module")
def world():
    here = Charts(2, n_genres=6, songs_a_genre=40, n_words=40, newcomers=0.8)
    days = here.days()
    songs = {FIRST + dt.timedelta(days=number): next(days) for number in range(6)}
    return here, songs


@pytest.fixture(scope="module")
def reports(world):
    """Of two quiet dates, and of one with something planted, some traffic, and a champion that is old."""
    here, songs = world
    *learned, first, second = songs
    tables = {date: date_table(rows, date) for date, rows in songs.items()}
    served = train_champion({date: tables[date] for date in learned})
    quiet = [measure_drift(date, learned, tables.__getitem__, served) for date in (first, second)]
    third = second + dt.timedelta(days=1)
    planted = charts.other_words(charts.shorter(songs[second], 0.5, here), 0.15, here)
    tables[third] = date_table(planted, third)
    drifted = measure_drift(third, learned, tables.__getitem__, served)
    add(drifted, measure_ages(third, third, NOW, served, Options()))
    add(drifted, Findings({"traffic_length": told("traffic", 0.4, 0.1, 900, "share", n_before=4000)}, {}, ("A note.",)))
    add(drifted, Findings({}, {"traffic_genres": "version 8 answers since yesterday"}))
    return [*quiet, drifted]


@pytest.fixture(scope="module")
def page(reports):
    return render_html(reports[-1], reports[:-1])


def test_the_page_is_whole_and_asks_nobody_for_anything(page):
    tags = Tags()
    tags.VOID = (*tags.VOID, "circle")
    tags.feed(page)
    assert tags.open == []
    assert re.findall(r"https?://|src=|@import|url\(|<script", page) == []
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_the_page_tells_drift_from_warnings_and_what_was_not_measured(page):
    verdict = re.sub(r"\s+", " ", re.search(r'<p class="verdict bad">(.*?)</p>', page, re.DOTALL).group(1))
    drift, warnings = verdict.split("<br>")
    assert "Length of the lyrics" in drift
    assert "Unknown words" in drift
    assert "Age of the champion, Traffic: length." in warnings
    assert "<dt>Traffic: genres told</dt><dd>version 8 answers since yesterday</dd>" in page
    assert '<p class="note">A note.</p>' in page


def test_a_quiet_page_says_so(reports):
    page = render_html(reports[0], [])
    assert '<p class="verdict good">' in page
    assert "no measure of songs or performance is beyond its bound" in page
    assert "Risen most" not in page


def test_each_measure_is_drawn_with_its_history(page, reports):
    card = re.search(r"<span>Vocabulary</span>.*?</svg>", page, re.DOTALL).group()
    assert card.count('class="own"') == reports[-1]["learned"]["dates"] == 4
    assert card.count('class="dot"') == len(reports) == 3
    assert len(re.search(r'class="line" points="([^"]*)"', card).group(1).split()) == 3
    assert f"<small>{FIRST}</small><small>{reports[-1]['date']}</small>" in page
    assert "2 earlier reports." in page


def test_a_report_of_an_older_release_is_drawn_by_what_it_has(reports):
    old = {"date": "2026-02-20", "drifted": [], "measures": {"vocabulary": {"seen": 0.2, "allowed": 0.35}}}
    assert "<small>2026-02-20</small>" in render_html(reports[0], [old])


def test_new_words_are_shown_alone_and_no_line_is(page, reports, world):
    words = [row["word"] for row in reports[-1]["words"]["new"]]
    assert words
    assert all(f"<td>{word}</td>" in page for word in words)
    songs = [row for rows in world[1].values() for row in rows]
    assert lines_told(re.sub(r"<[^>]*>", " ", page), songs) == []


def test_the_table_has_a_row_a_measure(reports):
    rows = {row["measure"]: row for row in measure_rows(reports[-1])}
    assert list(rows) == list(reports[-1]["measures"])
    assert rows["length"][""] == "drift"
    assert rows["model_age"] == {
        "measure": "model_age",
        "": "warning",
        "seen": 40,
        "bound": "at most 30",
        "unit": "days since the champion was trained",
        "n": "–",
        "moved most": "",
    }
    assert rows["performance"]["bound"].startswith("at least ")
    assert rows["performance"]["moved most"].startswith("macro-F1 ")
    assert rows["genre_mix"]["moved most"] == "nothing"


def test_names_are_escaped(reports):
    report = copy.deepcopy(reports[-1])
    report["words"]["new"][0]["word"] = "<b>&"
    assert "<td>&lt;b&gt;&amp;</td>" in render_html(report, [])


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_page_is_as_wide_as_the_screen(tmp_path, page, width):
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    with Browser(find_chromium(), tmp_path / "profile") as browser, browser.page(width, 844) as shown:
        shown.open((tmp_path / "page.html").as_uri())
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        assert shown.evaluate("document.querySelectorAll('.card svg').length") >= 8
        assert not shown.told("Runtime.exceptionThrown")
    shutil.rmtree(tmp_path / "profile", ignore_errors=True)
