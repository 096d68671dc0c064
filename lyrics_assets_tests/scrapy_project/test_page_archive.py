"""The archive's look-ups by date, what it takes in, and its count of requests, in SQLite and in PostgreSQL."""

import contextlib
import random
import sqlite3
import threading
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from scrapy import Request, Spider
from scrapy.http import HtmlResponse, Response
from scrapy.utils.test import get_crawler

from scrapy_project.archive import BLOCK_PAGE_BYTES, Archive, ArchiveSize, ArchiveStorage, Page, is_worth_keeping

MONDAY, TUESDAY, FRIDAY = date(2026, 11, 16), date(2026, 11, 17), date(2026, 11, 20)
NOW = datetime(2026, 11, 16, 8, 30, tzinfo=UTC)
URL = "https://www.letras.mus.br/a/b/"


def page(body: bytes, **fields) -> Page:
    return Page(URL, 200, {"Content-Type": ["text/html"]}, body, NOW)._replace(**fields)


@pytest.fixture
def sqlite_address(tmp_path):
    return f"sqlite:///{tmp_path / 'new' / 'folder' / 'pages.sqlite'}"


@pytest.fixture(params=["sqlite", "postgres"])
def address(request):
    return request.getfixturevalue(f"{request.param}_address")


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


def at_once(count, work):
    """Call a function in that many threads, all at the same moment; raise what one of them raised."""
    start = threading.Barrier(count)
    errors = []

    def run(number):
        start.wait()
        try:
            work(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_an_empty_database_serves_several_crawls_that_start_at_once(address):
    engine = sa.create_engine(address)
    for _ in range(8):  # one round alone can miss the moment in which PostgreSQL would stumble
        at_once(8, lambda _: Archive(address).close())
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE pages")
            connection.exec_driver_sql("DROP TABLE requests")
    engine.dispose()


def test_a_new_file_that_another_process_is_writing_to_is_waited_for(tmp_path):
    file = tmp_path / "pages.sqlite"
    with contextlib.closing(sqlite3.connect(file, check_same_thread=False)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.1, writer.rollback)
        release.start()
        Archive(f"sqlite:///{file}").close()
        release.join()
    with contextlib.closing(sqlite3.connect(file)) as later:
        assert later.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_page_that_several_crawls_store_at_once_is_one_of_theirs(address):
    archives = [Archive(address) for _ in range(4)]

    def store(number):
        for fingerprint in range(25):
            archives[number].store(f"f{fingerprint}", MONDAY, "letras", page(b"%d" % number))

    at_once(4, store)
    assert {archives[0].find(f"f{fingerprint}", MONDAY).body for fingerprint in range(25)} <= {b"0", b"1", b"2", b"3"}
    assert archives[0].size("letras").pages == 25
    for archive in archives:
        archive.close()


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


def test_the_question_for_a_date_reads_only_an_index(sqlite_address):
    Archive(sqlite_address).close()
    with sa.create_engine(sqlite_address).connect() as connection:
        query = "EXPLAIN QUERY PLAN SELECT site FROM pages WHERE site = 'letras' AND fetched_on = '2026-11-16' LIMIT 1"
        assert "COVERING INDEX pages_site_fetched_on" in str(connection.exec_driver_sql(query).all())


def test_a_dropped_date_takes_only_its_own_site_and_day_along(archive):
    archive.store("f1", MONDAY, "letras", page(b"monday"))
    archive.store("f1", TUESDAY, "letras", page(b"tuesday"))
    archive.store("f2", TUESDAY, "letras", page(b"tuesday"))
    archive.store("f3", TUESDAY, "vagalume", page(b"tuesday"))
    assert archive.drop_date(TUESDAY, "letras") == 2
    assert archive.drop_date(TUESDAY, "letras") == 0
    assert not archive.has_date(TUESDAY, "letras")
    assert archive.has_date(TUESDAY, "vagalume")
    assert archive.find("f1", TUESDAY, max_age_days=1).body == b"monday"


def test_the_size_of_a_site_is_its_pages_and_their_compressed_bodies(archive):
    assert archive.size("letras") == ArchiveSize(pages=0, bytes=0)
    archive.store("f1", MONDAY, "letras", page(b"letra " * 10_000))
    archive.store("f1", TUESDAY, "letras", page(b"\0" * 10_000))
    archive.store("f2", TUESDAY, "vagalume", page(b"x"))
    pages, size = archive.size("letras")
    assert pages == 2
    assert 50 < size < 500


def test_the_size_of_a_date_is_that_of_all_sites(archive):
    assert archive.dates() == {}
    archive.store("f1", TUESDAY, "letras", page(b"\0" * 10_000))
    archive.store("f2", TUESDAY, "vagalume", page(b"x"))
    archive.store("f1", MONDAY, "letras", page(b"letra " * 10_000))
    sizes = archive.dates()
    assert [(day, size.pages) for day, size in sizes.items()] == [(MONDAY, 1), (TUESDAY, 2)]
    assert sum(size.bytes for size in sizes.values()) == archive.size("letras").bytes + archive.size("vagalume").bytes


@pytest.mark.parametrize(("dropped", "smaller"), [(4, False), (9, True)])
def test_room_is_given_back_once_more_is_free_than_used(sqlite_address, dropped, smaller):
    archive = Archive(sqlite_address)
    for number in range(10):
        archive.store("f1", MONDAY + timedelta(days=number), "letras", page(random.Random(number).randbytes(50_000)))
    before = room_of(sqlite_address)
    for number in range(dropped):
        archive.drop_date(MONDAY + timedelta(days=number), "letras")
    archive.give_back()
    archive.close()
    assert (room_of(sqlite_address) < before / 2) is smaller
    assert len(Archive(sqlite_address).dates()) == 10 - dropped


def room_of(sqlite_address):
    """Return the size of the database, whatever of it still stands in the log."""
    with contextlib.closing(sqlite3.connect(sqlite_address.removeprefix("sqlite:///"))) as connection:
        return connection.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[
            0
        ]


def test_postgresql_looks_after_its_room_itself(postgres_address):
    archive = Archive(postgres_address)
    archive.store("f1", MONDAY, "letras", page(b"monday"))
    archive.give_back()
    assert archive.has_date(MONDAY, "letras")
    archive.close()


def test_a_date_s_requests_are_granted_up_to_the_budget(archive):
    assert archive.requests_sent(MONDAY, "letras") == 0
    assert [archive.claim_requests(MONDAY, "letras", 10, 25) for _ in range(4)] == [10, 10, 5, 0]
    assert archive.requests_sent(MONDAY, "letras") == 25
    archive.return_requests(MONDAY, "letras", 4)
    assert archive.claim_requests(MONDAY, "letras", 10, 25) == 4
    assert archive.claim_requests(MONDAY, "letras", 10, 20) == 0  # the budget was made smaller
    assert archive.requests_sent(MONDAY, "letras") == 25


def test_each_site_and_each_date_has_its_own_budget(archive):
    for site, on in (("letras", MONDAY), ("letras", TUESDAY), ("vagalume", MONDAY)):
        assert archive.claim_requests(on, site, 10, 5) == 5


def test_crawls_at_once_share_a_budget_to_the_last_request(address):
    archives = [Archive(address) for _ in range(4)]
    granted = []

    def claim(number):
        for _ in range(15):
            granted.append(archives[number].claim_requests(MONDAY, "letras", 3, 100))

    at_once(4, claim)
    assert sum(granted) == archives[0].requests_sent(MONDAY, "letras") == 100
    for archive in archives:
        archive.close()


def test_the_count_of_requests_outlives_the_pages_of_its_date(archive):
    archive.claim_requests(MONDAY, "letras", 10, 25)
    archive.drop_date(MONDAY, "letras")
    assert archive.requests_sent(MONDAY, "letras") == 10


def test_a_postgresql_address_needs_no_driver(postgres_address):
    Archive(postgres_address.replace("+pg8000", "")).close()


def test_an_address_of_another_database_is_named_without_its_password():
    with pytest.raises(ValueError, match=r"mysql://me:\*\*\*@db/x is not allowed; .* sqlite or postgresql"):
        Archive("mysql://me:secret@db/x")


@pytest.mark.parametrize(
    ("status", "location", "body", "kept"),
    [
        (200, None, b"<p>letra</p>", True),
        (404, None, b"", True),
        (301, b"/outra/", b"", True),
        *((status, None, b"", False) for status in (400, 401, 403, 408, 418, 429, 451)),
        *((status, None, b"<p>letra</p>", False) for status in (500, 502, 503, 504, 520, 522, 524, 599)),
        (302, b"https://site.example/Captcha?back=1", b"", False),
        (200, None, b"<div class='g-ReCAPTCHA'>", False),
        (200, None, b"<TITLE>Access Denied</TITLE>", False),
        (200, None, b"<title>Just a moment...</title>", False),
        (200, None, b"<script src=https://geo.captcha-delivery.com/c.js></script>", False),
        (404, None, b"<div id=px-captcha></div>", False),
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


def test_a_site_s_cookies_are_not_kept(storage):
    store, spider = storage
    headers = {"Content-Type": "text/html", "Set-Cookie": ["session=1", "tracker=2"]}
    store.store_response(spider, Request(URL), HtmlResponse(URL, body=b"<p>letra</p>", headers=headers))
    assert dict(store.retrieve_response(spider, Request(URL)).headers) == {b"Content-Type": [b"text/html"]}


def test_the_stats_tell_the_size_of_the_archive_at_the_end(address):
    crawler = get_crawler(DatedSpider, {"ARCHIVE_URL": address})
    crawler.spider = DatedSpider.from_crawler(crawler)
    storage = ArchiveStorage(crawler.settings)
    storage.open_spider(crawler.spider)
    storage.store_response(crawler.spider, Request(URL), HtmlResponse(URL, body=b"<p>letra</p>"))
    storage.close_spider(crawler.spider)
    assert crawler.stats.get_value("archive/pages") == 1
    assert 10 < crawler.stats.get_value("archive/bytes") < 40
