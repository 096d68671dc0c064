"""Object stores by URL: what the lake and the Delta tables have in common. Both stand on the same client.

Keys and endpoints come from the environment alone, by the names that every client of such a store knows, so that no
resource holds a secret that could be shown: for S3 and what speaks like it AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION, AWS_ENDPOINT_URL and, for an endpoint without TLS, AWS_ALLOW_HTTP=true. Where the machine itself has a role,
none is needed.
"""

import datetime as dt
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

SCHEMES = ("s3", "gs", "az")
"""Amazon S3 and its like, Google Cloud Storage, Azure Blob Storage."""

_TIMEOUTS = {"connect_timeout": "10s", "timeout": "60s"}
_RETRIES = 5
_RETRY_TIME = dt.timedelta(seconds=60)


class ObjectStoreError(RuntimeError):
    """An object store cannot be used; the message says what to do."""


def is_object_store(url: str) -> bool:
    """Tell whether a URL names an object store, where to move a file would be to copy it."""
    return _scheme(url) in SCHEMES


def delta_options(url: str) -> dict[str, str] | None:
    """Return how Delta Lake is to speak with the store of a URL; None for a folder."""
    if not is_object_store(url):
        return None
    # Two writers of one version: the store itself refuses the second.
    conditional = {"conditional_put": "etag"} if _scheme(url) == "s3" else {}
    return {**_TIMEOUTS, "max_retries": str(_RETRIES), "retry_timeout": f"{_RETRY_TIME.seconds}s", **conditional}


def open_filesystem(url: str) -> "AbstractFileSystem":
    """Return the file system of an object store's URL; a file is put whole, and not seen before.

    Raises:
        ObjectStoreError: what the production needs is not installed.
    """
    try:
        from obstore.fsspec import FsspecStore
    except ImportError as error:
        raise ObjectStoreError(
            f"{url}: for object stores install the project with its extra `production`, as `make` does"
        ) from error
    return FsspecStore(
        _scheme(url),
        # What is given here takes the place of what the client reads from the environment by itself.
        client_options={**_TIMEOUTS, "allow_http": os.environ.get("AWS_ALLOW_HTTP", "").lower() == "true"},
        retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIME},
    )


def _scheme(url: str) -> str:
    return url.partition("://")[0] if "://" in url else ""
