"""Every refusal of the service: one JSON shape, with a code, what to do in English, and what a songwriter is told.

No message quotes what was sent: a draft must not come back in an error that somebody logs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_CHARACTERS = 20_000
"""Of one lyric, in Unicode code points."""
MAX_BODY_BYTES = 128 * 1024
MAX_LYRICS = 64
"""Of one request to /classify_many."""


@dataclass(eq=False)
class Problem(Exception):
    """A refusal, on its way to the client."""

    status: int
    """HTTP status."""
    code: str
    """Stable, for programs."""
    message: str
    """In English: what is wrong and what to do."""
    message_pt: str
    """In Brazilian Portuguese, for the page."""
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return {"error": {"code": self.code, "message": self.message, "message_pt": self.message_pt}}


def invalid_json() -> Problem:
    """Return the answer to a body that is no JSON text in UTF-8."""
    return Problem(
        400,
        "invalid_json",
        'The body is not JSON in UTF-8. Send an object such as {"lyrics": "..."}, without lone surrogates.',
        "O pedido chegou ilegível. Tente de novo.",
    )


def invalid_request(where: str, reason: str) -> Problem:
    """Return the answer to a JSON body that is not what the API document says.

    Args:
        where: the field that is wrong.
        reason: what is wrong with it, by a message that quotes no value.
    """
    return Problem(
        400,
        "invalid_request",
        f"{where}: {reason}. Compare the request with /docs.json.",
        "O serviço não entendeu o pedido.",
    )


def too_long(where: str) -> Problem:
    """Return the answer to a lyric of too many characters."""
    return Problem(
        400,
        "too_long",
        f"{where} has more than {MAX_CHARACTERS:,} characters. Send a shorter text.",
        f"A letra passou de {MAX_CHARACTERS // 1000} mil caracteres. Encurte um pouco para ter um palpite.",
    )


def no_words(where: str) -> Problem:
    """Return the answer to a lyric without a letter or a digit."""
    return Problem(
        400,
        "no_words",
        f"{where} holds no word. Send at least one.",
        "Escreva pelo menos uma palavra.",
    )


def not_found() -> Problem:
    """Return the answer to a path that is nobody's."""
    return Problem(
        404,
        "not_found",
        "There is nothing at this path. /docs.json lists what there is.",
        "Não há nada neste endereço.",
    )


def method_not_allowed(allowed: str) -> Problem:
    """Return the answer to a method that the path does not know."""
    return Problem(
        405,
        "method_not_allowed",
        f"This path does not take the method. Use {allowed}.",
        "O pedido foi feito do jeito errado.",
        {"Allow": allowed},
    )


def body_too_slow(seconds: float) -> Problem:
    """Return the answer to a body that does not come to its end."""
    return Problem(
        408,
        "body_too_slow",
        f"The body did not arrive within {seconds:g} s. Send it in one go.",
        "Sua conexão está lenta: a letra não chegou inteira. Tente de novo.",
        {"Connection": "close"},
    )


def body_too_large() -> Problem:
    """Return the answer to a body of too many bytes."""
    return Problem(
        413,
        "body_too_large",
        f"The body has more than {MAX_BODY_BYTES:,} bytes. Send less, or split a batch.",
        "A letra é grande demais para o serviço. Encurte um pouco.",
        {"Connection": "close"},
    )


def unsupported_media_type() -> Problem:
    """Return the answer to a body that says it is something else than plain JSON."""
    return Problem(
        415,
        "unsupported_media_type",
        "Send the body as application/json in UTF-8, uncompressed.",
        "O pedido chegou num formato que o serviço não lê.",
    )


def unknown_genre(known: str) -> Problem:
    """Return the answer to a request to explain a genre that the model does not tell."""
    return Problem(
        422,
        "unknown_genre",
        f"The model tells no such genre. Choose one of: {known}.",
        "O modelo não conhece esse gênero.",
    )


def too_many_requests(seconds: float) -> Problem:
    """Return the answer to a client that asks more often than it may."""
    wait = max(1, round(seconds + 0.5))
    return Problem(
        429,
        "too_many_requests",
        f"Too many requests from this address. Wait {wait} s.",
        f"Muitos pedidos em pouco tempo. Espere {wait} s e tente de novo.",
        {"Retry-After": str(wait)},
    )


def internal_error() -> Problem:
    """Return the answer when the fault is the service's own."""
    return Problem(
        500,
        "internal_error",
        "The service failed. It is not your request's fault; try again, and tell whoever runs it if it stays.",
        "O serviço tropeçou. Seu texto continua aqui; tente de novo.",
    )


def overloaded() -> Problem:
    """Return the answer when as many requests are at work as may be."""
    return Problem(
        503,
        "overloaded",
        "The service is at work on as many requests as it takes. Try again in a second.",
        "O serviço está cheio agora. Tente de novo daqui a pouco.",
        {"Retry-After": "1"},
    )


def not_ready() -> Problem:
    """Return the answer while the model is loading, or once the service is going."""
    return Problem(
        503,
        "not_ready",
        "The service is starting or stopping. Try again in a few seconds.",
        "O serviço está começando. Tente de novo daqui a pouco.",
        {"Retry-After": "2"},
    )


def timed_out(seconds: float) -> Problem:
    """Return the answer to a request that would take longer than a request may."""
    return Problem(
        504,
        "timeout",
        f"The answer would have taken more than {seconds:g} s. Send fewer or shorter lyrics.",
        "A resposta demorou demais. Tente de novo.",
    )
