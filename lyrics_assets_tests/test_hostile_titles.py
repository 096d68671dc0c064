"""Titles and artists are written by whoever a site lets write: to every reader here they are text, no more."""

import email
import email.policy
import re
from html.parser import HTMLParser

import dagster as dg
import pytest

from lyrics_assets.definitions import build_resources
from lyrics_assets.runs import open_instance
from lyrics_assets.settings import Settings
from lyrics_assets_tests.conftest import run_lyrics
from lyrics_assets_tests.runs import HOSTILE_MARKUP, HOSTILE_TAG
from lyrics_assets_tests.serving.browser import Browser, find_chromium

DRAFT = "Senhor, eu te louvo no altar\naleluia, tua graça me alcançou\nno deserto a tua voz me chamou"


@pytest.fixture
def home(runs):
    """Return a home whose every title and artist is hostile, after three runs of the whole graph."""
    return runs.home


class Page(HTMLParser):
    """A page's tags with what they say, and its words."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def dangerous(self):
        return [
            (tag, said)
            for tag, said in self.tags
            if tag == "script" or any(name.startswith("on") or value == "x" for name, value in said.items())
        ]


def test_the_titles_have_arrived_as_they_were_written(home):
    store = build_resources(Settings(home=home))["feature_store"]
    songs = store.read_date(store.dates()[-1], ["title", "artist"]).to_pylist()
    assert len(songs) > 30
    assert all(song["title"].startswith(HOSTILE_MARKUP) and song["artist"].startswith(HOSTILE_MARKUP) for song in songs)


def test_no_page_holds_a_tag_of_a_title(home):
    pages = {path.parent.name: Page(path.read_text(encoding="utf-8")) for path in home.glob("lake/**/*.html")}
    assert len(pages) >= 4, "evaluation, trends, drift, costs"
    assert {name: found for name, page in pages.items() if (found := page.dangerous())} == {}
    assert any(HOSTILE_TAG in page.words for page in pages.values()), "the evaluation shows titles"


def test_no_mail_holds_a_tag_of_a_title(home):
    mails = list((home / "outbox").glob("*.eml"))
    assert mails
    for path in mails:
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        page = Page(message.get_body(("html",)).get_content())
        assert page.dangerous() == []
        assert HOSTILE_TAG in page.words


def test_no_markdown_in_the_ui_holds_a_tag_or_a_picture_of_a_title(home):
    texts = []
    with open_instance(home) as instance:
        for key in instance.all_asset_keys():
            event = instance.get_latest_materialization_event(key)
            metadata = event.asset_materialization.metadata if event else {}
            texts += [value.value for value in metadata.values() if isinstance(value, dg.MarkdownMetadataValue)]
    assert len(texts) > 5
    assert [text for text in texts if re.search(r"(?<!\\)<img|!\[x\]\(http", text)] == []


def test_the_command_line_shows_a_title_as_it_is(home):
    told = run_lyrics("trends", "--home", home, "--genre", "Samba")
    assert told.code == 0, told.err


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium on this machine (Debian: apt-get install chromium)")
def test_the_service_s_page_shows_a_title_as_text(home, tmp_path):
    store = build_resources(Settings(home=home))["bento_store"]
    with (
        store.serving(store.newest()) as address,
        Browser(find_chromium(), tmp_path / "chromium") as browser,
        browser.page() as page,
    ):
        page.run_first("globalThis.alerts = []; globalThis.alert = (what) => alerts.push(what);")
        page.open(address)
        page.click("#lyrics")
        page.insert(DRAFT)
        page.wait_for("document.querySelectorAll('#artists .artist').length > 0")
        assert HOSTILE_TAG in page.text("#artists .artist")
        assert page.evaluate("[document.images.length, alerts.length]") == [0, 0]
