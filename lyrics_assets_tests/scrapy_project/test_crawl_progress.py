"""The line that tells how far a crawl has come, and that it reads back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrapy_project.progress import CrawlProgress

COUNTS = st.integers(0, 10**12 - 1)
RATES = st.integers(0, 10**6).map(lambda tenths: tenths / 10)


def test_the_line_is_for_people():
    assert str(CrawlProgress(120, 308, 97, 0, 90.2)) == "120 of 308 pages, 97 songs, 0 errors, 90.2 pages/s"


@given(st.builds(CrawlProgress, COUNTS, COUNTS, COUNTS, COUNTS, RATES))
def test_the_line_reads_back(progress):
    assert CrawlProgress.parse(str(progress)) == progress


@given(st.from_regex(r"[0-9]{1,3} of [0-9]{1,3} pages, [0-9]{1,3} songs, [0-9]{1,3} errors, [0-9]{1,3}\.[0-9]{1,2}.*"))
def test_what_is_read_is_exactly_the_line(text):
    progress = CrawlProgress.parse(text)
    assert progress is None or str(progress) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Crawled 120 pages",
        "120 of 308 pages, 97 songs, 0 errors, 90.2 pages/s\n",
        "120 of 308 pages, 97 songs, 0 errors, 90.25 pages/s",
        "0120 of 308 pages, 97 songs, 0 errors, 90.2 pages/s",
        "١٢ of 308 pages, 97 songs, 0 errors, 90.2 pages/s",
        f"{'9' * 5000} of 308 pages, 97 songs, 0 errors, 90.2 pages/s",
    ],
)
def test_any_other_text_is_no_progress(text):
    assert CrawlProgress.parse(text) is None


def test_failures_and_exceptions_count_as_errors():
    stats = {"lyrics/pages": 31, "lyrics/pages_expected": 40, "lyrics/songs": 20, "lyrics/failed": 1}
    stats |= {"lyrics/unparsed": 2, "spider_exceptions/count": 4}
    assert CrawlProgress.of_stats(stats, 10) == CrawlProgress(31, 40, 20, 7, 3.1)
    assert CrawlProgress.of_stats({}, 0) == CrawlProgress(0, 0, 0, 0, 0.0)


@pytest.mark.parametrize(
    ("progress", "seconds"),
    [
        (CrawlProgress(100, 300, 90, 0, 50.0), 4),
        (CrawlProgress(300, 300, 90, 0, 50.0), 0),
        (CrawlProgress(310, 300, 90, 0, 50.0), 0),  # the estimate was too low
        (CrawlProgress(0, 300, 0, 0, 0.0), 0),
    ],
    ids=["under way", "done", "more than expected", "begun"],
)
def test_the_rest_takes_as_long_as_the_pages_before(progress, seconds):
    assert progress.seconds_left == seconds
