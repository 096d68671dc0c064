"""The page archive: every page of every crawl by its date, and the cache storage that makes Scrapy read it.

A look-up is as-of: the newest page downloaded on the date that is asked for or at most so many days before it. From
that one rule follow resuming after a crash, replaying a past date without the network, and a daily crawl that asks
only for what is new. The table lives in SQLite or in PostgreSQL, next to the count of each date's requests.
"""

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from scrapy_project.database import create_tables, insert_into, open_engine

if TYPE_CHECKING:
    # Whoever only asks which dates are archived needs no Scrapy.
    from scrapy import Request, Spider
    from scrapy.http import Response
    from scrapy.settings import BaseSettings
    from scrapy.utils.request import RequestFingerprinterProtocol

KEPT_STATUSES = frozenset({200, 301, 302, 303, 307, 308, 404, 410})
"""Pages, redirects (a replay follows them) and known absences; refusals and errors would be believed for days."""

BLOCK_MARKERS = (
    *(b"g-recaptcha", b"h-captcha", b"px-captcha", b"captcha-delivery.com", b"cf-challenge", b"cf-chl-"),
    *(b"<title>attention required", b"<title>access denied", b"<title>just a moment"),
)
"""Lower-case marks of pages that say with a status of 200 that a robot is not welcome; no lyric or title holds one."""

BLOCK_PAGE_BYTES = 20_000
"""A longer page holds content, whatever scripts stand in it."""

COOKIE_HEADERS = frozenset({b"Set-Cookie", b"Set-Cookie2"})
"""Not kept: they name a session with the site and tell nothing of the page."""

COMPRESSION_LEVEL = 6

_ROOM = ("freelist_count", "page_count")
"""SQLite's words for its own pages, not the archive's: those that nothing uses, and all."""

_metadata = sa.MetaData()
PAGES = sa.Table(
    "pages",
    _metadata,
    sa.Column("fingerprint", sa.String(40), primary_key=True),
    sa.Column("fetched_on", sa.Date, primary_key=True),
    sa.Column("fetched_at", sa.DateTime, nullable=False),
    sa.Column("site", sa.String(40), nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("headers", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
sa.Index("pages_site_fetched_on", PAGES.c.site, PAGES.c.fetched_on)
REQUESTS = sa.Table(
    "requests",
    _metadata,
    sa.Column("site", sa.String(40), primary_key=True),
    sa.Column("sent_on", sa.Date, primary_key=True),
    sa.Column("sent", sa.Integer, nullable=False),
)


class Page(NamedTuple):
    """An answer of a site as it was downloaded."""

    url: str
    status: int
    headers: Mapping[str, list[str]]
    """Values in Latin-1, which can hold any byte."""
    body: bytes
    fetched_at: datetime
    """UTC, whole seconds."""


class ArchiveSize(NamedTuple):
    """What the archive holds of a site, over all dates."""

    pages: int
    bytes: int
    """Of the bodies as they are stored, which is compressed."""


_NEWEST_PAGE = (
    sa.select(PAGES)
    .where(PAGES.c.fingerprint == sa.bindparam("wanted"))
    .where(PAGES.c.fetched_on.between(sa.bindparam("first"), sa.bindparam("last")))
    .order_by(PAGES.c.fetched_on.desc())
    .limit(1)
)


class Archive:
    """The table of pages, one row for an address and the date of a crawl, and the count of requests.

    Each page is its own transaction: a crawl that is killed loses nothing that was stored before. Writing takes about
    0.5 ms a page in SQLite. Any number of crawls may write at once; of two that store the same page, the last wins.

    Args:
        url: of a SQLite file, which is created, or of a PostgreSQL database.

    Raises:
        ValueError: the URL names another kind of database.
        sqlalchemy.exc.SQLAlchemyError: the database cannot be had; all methods raise it too.
    """

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        # Built once: putting a statement together costs more than the database takes to execute it.
        self._upsert = self._upsert_page()
        create_tables(self._engine, PAGES, REQUESTS)

    def find(self, fingerprint: str, on: date, max_age_days: int = 0) -> Page | None:
        """Return the newest page downloaded on a date or at most so many days before; None if there is none."""
        wanted = {"wanted": fingerprint, "first": on - timedelta(days=max_age_days), "last": on}
        with self._engine.connect() as connection:
            row = connection.execute(_NEWEST_PAGE, wanted).one_or_none()
        if row is None:
            return None
        return Page(row.url, row.status, json.loads(row.headers), zlib.decompress(row.body), row.fetched_at)

    def store(self, fingerprint: str, on: date, site: str, page: Page) -> None:
        """Store a page under the date of its crawl, in the place of one stored under that date before."""
        row = {
            "fingerprint": fingerprint,
            "fetched_on": on,
            "fetched_at": page.fetched_at.replace(tzinfo=None),
            "site": site,
            "status": page.status,
            "url": page.url,
            "headers": json.dumps(page.headers),
            "body": zlib.compress(page.body, COMPRESSION_LEVEL),
        }
        with self._engine.begin() as connection:
            connection.execute(self._upsert, row)

    def has_date(self, on: date, site: str) -> bool:
        """Return whether any page of a site (a spider's name) was stored under a date; read from an index alone."""
        query = sa.select(PAGES.c.site).where(PAGES.c.site == site).where(PAGES.c.fetched_on == on).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def drop_date(self, on: date, site: str) -> int:
        """Remove what was stored of a site under a date, so that it is asked for anew; return how many pages it was.

        Pages of earlier dates stay, and so does the count of the date's requests: the site was asked all the same.
        """
        with self._engine.begin() as connection:
            return connection.execute(PAGES.delete().where(PAGES.c.site == site, PAGES.c.fetched_on == on)).rowcount

    def size(self, site: str) -> ArchiveSize:
        """Return how much is stored of a site.

        It visits every row of the site, but reads no body: about 1 ms for 1,000 pages.
        """
        # Of a binary value, both databases know the length without reading it.
        query = sa.select(sa.func.count(), sa.func.sum(sa.func.length(PAGES.c.body))).where(PAGES.c.site == site)
        with self._engine.connect() as connection:
            pages, size = connection.execute(query).one()
        return ArchiveSize(pages, int(size or 0))

    def dates(self) -> dict[date, ArchiveSize]:
        """Return how much is stored of each date, over all sites, oldest first; visits every row, but reads no body."""
        columns = PAGES.c.fetched_on, sa.func.count(), sa.func.sum(sa.func.length(PAGES.c.body))
        query = sa.select(*columns).group_by(PAGES.c.fetched_on).order_by(PAGES.c.fetched_on)
        with self._engine.connect() as connection:
            return {day: ArchiveSize(pages, int(size)) for day, pages, size in connection.execute(query)}

    def give_back(self) -> None:
        """Give the room of dropped pages back to the disk if it is more than is still used.

        SQLite writes the whole file anew for that, and meanwhile needs as much room again; PostgreSQL looks after
        itself.
        """
        if self._engine.dialect.name != "sqlite":
            return
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            free, pages = (connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in _ROOM)
            if free > pages - free:
                connection.exec_driver_sql("VACUUM")

    def claim_requests(self, on: date, site: str, wanted: int, budget: int) -> int:
        """Count requests to a site as sent on a date, before they are; return how many of those wanted may be sent.

        Over all crawls of the date, never more than the budget are granted.
        """
        with self._engine.begin() as connection:
            sent = self._add_requests(connection, on, site, wanted)
            granted = min(wanted, max(0, wanted - (sent - budget)))
            if granted < wanted:
                self._add_requests(connection, on, site, granted - wanted)
        return granted

    def return_requests(self, on: date, site: str, unsent: int) -> None:
        """Take back requests that were claimed and not sent."""
        with self._engine.begin() as connection:
            self._add_requests(connection, on, site, -unsent)

    def requests_sent(self, on: date, site: str) -> int:
        """Return how many requests to a site count as sent on a date."""
        query = sa.select(REQUESTS.c.sent).where(REQUESTS.c.site == site, REQUESTS.c.sent_on == on)
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one_or_none() or 0)

    def _upsert_page(self) -> sa.Executable:
        insert = insert_into(self._engine, PAGES)
        new = {name: column for name, column in insert.excluded.items() if not PAGES.c[name].primary_key}
        return insert.on_conflict_do_update(index_elements=list(PAGES.primary_key), set_=new)

    def _add_requests(self, connection: sa.Connection, on: date, site: str, number: int) -> int:
        """Add to a date's count and return the sum."""
        insert = insert_into(self._engine, REQUESTS).values(site=site, sent_on=on, sent=number)
        total = {"sent": REQUESTS.c.sent + insert.excluded["sent"]}
        upsert = insert.on_conflict_do_update(index_elements=list(REQUESTS.primary_key), set_=total)
        return int(connection.execute(upsert.returning(REQUESTS.c.sent)).scalar_one())

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()


class ArchiveStorage:
    """Scrapy's door to the archive (setting HTTPCACHE_STORAGE).

    The date is the spider's `extraction_date`; ``request.meta["max_age_days"]``, 0 without it, says how much older a
    page may be. Both ways set ``request.meta["fetched_at"]``, the time of the download. Pages are kept under the
    site's own address even if an imitation of it stood elsewhere: a date can be replayed wherever the site is now.
    """

    def __init__(self, settings: "BaseSettings") -> None:
        # Opened already here: a crawl must not begin if it cannot keep what it is about to ask for.
        self._archive = Archive(settings["ARCHIVE_URL"])

    def open_spider(self, spider: "Spider") -> None:
        """Take the spider's date and way of telling requests apart."""
        assert spider.crawler.request_fingerprinter is not None  # noqa: S101  # set before a spider opens
        self._fingerprinter: RequestFingerprinterProtocol = spider.crawler.request_fingerprinter
        self._date: date = spider.extraction_date  # type: ignore[attr-defined]  # every spider of the project has these
        self._base_url: str = spider.base_url  # type: ignore[attr-defined]
        self._site_url: str = spider.site_url  # type: ignore[attr-defined]

    def close_spider(self, spider: "Spider") -> None:
        """Tell in the stats how much the archive now holds of the site, and close it."""
        size = self._archive.size(spider.name)
        spider.crawler.stats.set_value("archive/pages", size.pages)
        spider.crawler.stats.set_value("archive/bytes", size.bytes)
        self._archive.close()

    def retrieve_response(self, spider: "Spider", request: "Request") -> "Response | None":
        """Return the archived response to a request; None if there is none."""
        from scrapy.http import Headers
        from scrapy.responsetypes import responsetypes

        page = self._archive.find(self._key(request), self._date, int(request.meta.get("max_age_days", 0)))
        if page is None:
            return None
        request.meta["fetched_at"] = _iso(page.fetched_at)
        headers = Headers(
            {name: [value.encode("latin-1") for value in values] for name, values in page.headers.items()}
        )
        response_type = responsetypes.from_args(headers=headers, url=request.url, body=page.body)
        return response_type(url=request.url, status=page.status, headers=headers, body=page.body)

    def store_response(self, spider: "Spider", request: "Request", response: "Response") -> None:
        """Store a response if it is one to rely on."""
        now = datetime.now(UTC).replace(microsecond=0)
        request.meta["fetched_at"] = _iso(now)
        spider.crawler.stats.inc_value("archive/bytes_fetched", len(response.body))
        if not is_worth_keeping(response.status, response.headers.get("Location"), response.body):
            spider.crawler.stats.inc_value("archive/refused")
            return
        headers = {
            name.decode("latin-1"): [value.decode("latin-1") for value in values]
            for name, values in response.headers.items()
            if name not in COOKIE_HEADERS
        }
        page = Page(self._at_the_site(response.url), response.status, headers, response.body, now)
        self._archive.store(self._key(request), self._date, spider.name, page)

    def _key(self, request: "Request") -> str:
        return self._fingerprinter.fingerprint(request.replace(url=self._at_the_site(request.url))).hex()

    def _at_the_site(self, url: str) -> str:
        return self._site_url + url.removeprefix(self._base_url) if url.startswith(self._base_url) else url


def is_worth_keeping(status: int, location: bytes | None, body: bytes) -> bool:
    """Return whether an answer says something of the page asked for, and not of the site's mood."""
    if status not in KEPT_STATUSES:
        return False
    if b"captcha" in (location or b"").lower():
        return False
    said = body.lower() if len(body) < BLOCK_PAGE_BYTES else b""
    return not any(marker in said for marker in BLOCK_MARKERS)


def _iso(when: datetime) -> str:
    return when.replace(tzinfo=UTC).isoformat()
