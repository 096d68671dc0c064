"""A client of the service's endpoint, with the standard library alone."""

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 10


class ClientError(RuntimeError):
    """The service refused the lyric, or did not answer."""


def classify(address: str, lyrics: str) -> dict[str, Any]:
    """Return the service's answer to a lyric.

    Raises:
        ClientError: no answer within ten seconds, or a refusal; the message ends with the service's reason.
    """
    request = urllib.request.Request(  # noqa: S310  the caller chooses the address
        f"{address.rstrip('/')}/classify",
        data=json.dumps({"lyrics": lyrics}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise ClientError(f"{address} answered {error.code}: {error.read().decode(errors='replace')[:500]}") from error
    except (urllib.error.URLError, OSError) as error:
        raise ClientError(f"{address} does not answer: {error}") from error
