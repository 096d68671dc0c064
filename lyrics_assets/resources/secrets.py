"""Keys and passwords: resources hold their variables' names, so that no page of the UI and no log shows a value."""

import os
import re
from collections.abc import Mapping

import dagster as dg

HIDDEN = "***"
_MIN_LENGTH = 6
"""Characters below which a value is no secret, but a word that stands everywhere."""

_VARIABLE = re.compile(r"(?i)(key|password|passwd|token|secret)$")
_IN_ADDRESS = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_NAMED = re.compile(
    r"""(?ix) \b ( [\w-]* (?: password | passwd | secret | token | api[_-]?key | signature | credential ) [\w-]*
    ['"]? \s* [:=] \s* ) ( ['"]? ) [^\s'",;&)}\]]+"""
)
_HEADER = re.compile(r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}")


def reveal(secret: str) -> str:
    """Return the value of a resource's secret field: in Dagster it has been looked up, outside nobody has yet."""
    return (secret.get_value() or "") if isinstance(secret, dg.EnvVar) else secret


def conceal(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a text of others, such as an error's, without secrets.

    Hidden are the values of this process's variables that are called key, password, secret or token, who logs in
    within an address, and what a text itself names so: ``password=…``, ``Bearer …``.
    """
    values = {value for name, value in environment.items() if _VARIABLE.search(name) and len(value) >= _MIN_LENGTH}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    text = _IN_ADDRESS.sub(HIDDEN, text)
    return _HEADER.sub(rf"\1{HIDDEN}", _NAMED.sub(rf"\1\2{HIDDEN}", text))
