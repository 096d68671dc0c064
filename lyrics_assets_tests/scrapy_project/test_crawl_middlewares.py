"""Which pause a site asks for, in the two forms of its header, and which addresses are this machine's own."""

import pytest

from scrapy_project.middlewares import is_loopback, retry_after_seconds

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


@pytest.mark.parametrize(
    ("address", "own"),
    [
        *((address, True) for address in ("http://127.0.0.1:8701", "http://127.9.9.9/", "http://[::1]:80/a")),
        ("http://LOCALHOST:8701/a/", True),
        *((address, False) for address in ("https://www.letras.mus.br", "http://192.0.2.1", "http://0.0.0.0:8701")),
        *((address, False) for address in ("http://127.0.0.1.example.org", "http://localhost.example.org", "")),
        ("http://127.0.0.1@example.org/", False),
        ("http://example.org/127.0.0.1", False),
    ],
)
def test_only_loopback_is_this_machine(address, own):
    assert is_loopback(address) is own
