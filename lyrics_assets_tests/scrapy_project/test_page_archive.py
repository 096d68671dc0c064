"""The archive's look-ups by date, and what it takes in."""

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from scrapy import Request, Spider
from scrapy.http import HtmlResponse, Response
from scrapy.utils.test import get_crawler

from scrapy_project.archive import BLOCK_PAGE_BYTES, Archive, ArchiveStorage, Page, is_worth_keeping

MONDAY, TUESDAY, FRIDAY = date(2026, 11, 16), date(2026, 11, 17), date(2026, 11, 20)
NOW = datetime(2026, 11, 16, 8, 30, tzinfo=UTC)
URL = "https://www.letras.mus.br/a/b/"


def page(body: bytes, **fields) -> Page:
    return Page(URL, 200, {"Content-Type": ["text/html"]}, body, NOW)._replace(**fields)


@pytest.fixture
def address(tmp_path):
    return f"sqlite:///{tmp_path / 'new' / 'folder' / 'pages.sqlite'}"


@pytest.fixture
def archive(address):
    archive = Archive(address)
    yield archive
    archive.close()


def test_a_page_comes_back_as_it_was_stored(archive):
    stored = page(bytes(range(256)), status=302, headers={"Location": ["/é", "/ÿ"]})
    archive.store("f1", MONDAY, "letras", stored)
    assert archive.find("f1", MONDAY) == stored._replace(fetched_at=NOW.replace(tzinfo=None))


def test_the_newest_page_not_after_the_date_is_found(archive):
    archive.store("f1", MONDAY, "letras", page(b"monday"))
    archive.store("f1", FRIDAY, "letras", page(b"friday"))
    assert archive.find("f1", TUESDAY, max_age_days=30).body == b"monday"
    assert archive.find("f1", FRIDAY, max_age_days=30).body == b"friday"
    assert archive.find("f1", date(2026, 11, 15), max_age_days=30) is None
    assert archive.find("f2", FRIDAY, max_age_days=30) is None


@pytest.mark.parametrize(("days", "found"), [(0, False), (3, False), (4, True), (30, True)])
def test_a_page_serves_only_up_to_its_maximum_age(archive, days, found):
    archive.store("f1", MONDAY, "letras", page(b"monday"))
    assert (archive.find("f1", FRIDAY, max_age_days=days) is not None) is found


def test_a_page_stored_twice_on_a_date_is_the_last_one(archive):
    archive.store("f1", MONDAY, "letras", page(b"first"))
    archive.store("f1", MONDAY, "letras", page(b"second"))
    assert archive.find("f1", MONDAY).body == b"second"


def test_a_restart_finds_what_was_stored(address, archive):
    archive.store("f1", MONDAY, "letras", page(b"monday"))
    archive.close()
    again = Archive(address)
    assert again.find("f1", MONDAY).body == b"monday"
    again.close()


def test_two_crawls_can_write_at_once(address, archive):
    other = Archive(address)
    for number in range(20):
        archive.store(f"a{number}", MONDAY, "letras", page(b"x"))
        other.store(f"b{number}", MONDAY, "vagalume", page(b"y"))
    assert archive.find("b19", MONDAY).body == b"y"
    other.close()


def test_a_date_is_known_for_the_site_that_was_crawled_on_it(archive):
    archive.store("f1", MONDAY, "letras", page(b"monday"))
    assert archive.has_date(MONDAY, "letras")
    assert not archive.has_date(MONDAY, "vagalume")
    assert not archive.has_date(TUESDAY, "letras")


def test_the_question_for_a_date_reads_only_an_index(address, archive):
    with sa.create_engine(address).connect() as connection:
        query = "EXPLAIN QUERY PLAN SELECT site FROM pages WHERE site = 'letras' AND fetched_on = '2026-11-16' LIMIT 1"
        assert "COVERING INDEX pages_site_fetched_on" in str(connection.exec_driver_sql(query).all())


@pytest.mark.parametrize(
    ("status", "location", "body", "kept"),
    [
        (200, None, b"<p>letra</p>", True),
        (404, None, b"", True),
        (301, b"/outra/", b"", True),
        *((status, None, b"", False) for status in (400, 403, 408, 429, 500, 503)),
        (302, b"https://site.example/Captcha?back=1", b"", False),
        (200, None, b"<div class='g-ReCAPTCHA'>", False),
        (200, None, b"<TITLE>Access Denied</TITLE>", False),
        (200, None, b"<title>Song - Access Denied</title><p>captcha in my heart</p>", True),
        (200, None, b"<div class=g-recaptcha>" + b"letra " * BLOCK_PAGE_BYTES, True),
    ],
)
def test_refusals_and_block_pages_are_not_kept(status, location, body, kept):
    assert is_worth_keeping(status, location, body) is kept


class DatedSpider(Spider):
    name = "letras"
    site_url = base_url = "https://letras.example"
    extraction_date = MONDAY


@pytest.fixture
def storage(address):
    crawler = get_crawler(DatedSpider, {"ARCHIVE_URL": address})
    crawler.spider = DatedSpider.from_crawler(crawler)
    storage = ArchiveStorage(crawler.settings)
    storage.open_spider(crawler.spider)
    yield storage, crawler.spider
    storage.close_spider(crawler.spider)


def test_scrapy_gets_the_response_and_the_time_of_its_download(storage):
    store, spider = storage
    asked = Request(URL, meta={"max_age_days": 30})
    store.store_response(spider, asked, HtmlResponse(URL, body=b"<p>letra</p>", headers={"Content-Type": "text/html"}))
    assert asked.meta["fetched_at"].endswith("+00:00")
    again = Request(URL)
    found = store.retrieve_response(spider, again)
    assert isinstance(found, HtmlResponse)
    assert (found.url, found.status, found.body) == (URL, 200, b"<p>letra</p>")
    assert again.meta["fetched_at"] == asked.meta["fetched_at"]


def test_scrapy_gets_nothing_for_a_refusal(storage):
    store, spider = storage
    store.store_response(spider, Request(URL), Response(URL, status=429))
    assert store.retrieve_response(spider, Request(URL)) is None
    assert spider.crawler.stats.get_value("archive/refused") == 1
