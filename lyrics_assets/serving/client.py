"""A client of the service, with the standard library alone."""

import json
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 10


class ClientError(RuntimeError):
    """The service refused the lyric, or did not answer. The message quotes the service's reason, never the lyric."""


def classify(
    address: str, lyrics: str, *, explain: bool = False, neighbours: int = 0, genre: str | None = None
) -> dict[str, Any]:
    """Return the service's answer to a lyric; docs/api.md tells what is in it.

    Args:
        address: of the service, as http://127.0.0.1:3001.
        lyrics: the raw text, at most 20,000 characters.
        explain: whether to tell what each word and line adds.
        neighbours: how many similar artists to name, at most 10.
        genre: which genre to explain; the most probable if None.

    Raises:
        ClientError: no answer within ten seconds, or a refusal; the message ends with the service's reason.
    """
    question: dict[str, Any] = {"lyrics": lyrics}
    if explain:
        question |= {"explain": True, "genre": genre}
    if neighbours:
        question["neighbours"] = neighbours
    # Lone surrogates, which a terminal's wrong bytes become, are no text that could be sent.
    body = json.dumps(question, ensure_ascii=False).encode(errors="replace")
    request = urllib.request.Request(  # noqa: S310  the caller chooses the address
        f"{address.rstrip('/')}/classify", data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer
    except urllib.error.HTTPError as error:
        raise ClientError(f"{address} answered {error.code}: {_reason(error)}") from error
    except (urllib.error.URLError, OSError) as error:
        raise ClientError(f"{address} does not answer: {error}") from error
    except ValueError as error:
        raise ClientError(f"{address} does not answer in JSON: is it the address of the service?") from error


def _reason(refusal: urllib.error.HTTPError) -> str:
    content = refusal.read()
    try:
        error = json.loads(content)["error"]
        return f"{error['message']} ({error['code']})"
    except (ValueError, KeyError, TypeError):  # it is not the service that answered
        return content.decode(errors="replace")[:200]
