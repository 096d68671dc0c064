"""Which pause a site asks for, in the two forms of its header."""

import pytest

from scrapy_project.middlewares import retry_after_seconds

NOW = 1_795_000_000.0  # Mon, 18 Nov 2026 11:06:40 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"120", 120.0),
        (b" 0 ", 0.0),
        (b"Wed, 18 Nov 2026 11:07:10 GMT", 30.0),
        (b"Wed, 18 Nov 2026 10:00:00 GMT", 0.0),
        *((header, None) for header in (None, b"", b"soon", b"-5", b"1.5", b"\xff\xfe", "²".encode("latin-1"))),
    ],
)
def test_a_pause_is_read_as_seconds_or_as_a_date(header, seconds):
    assert retry_after_seconds(header, NOW) == seconds
