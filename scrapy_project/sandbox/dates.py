"""The date that a request asks to be shown."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from starlette.exceptions import HTTPException
from starlette.requests import Request

DATE_HEADER = "X-Sandbox-Date"


def shown_date(request: Request) -> date:
    """Return the date in the request's header, today in São Paulo if it has none.

    Raises:
        HTTPException: status 400, the header is not a date.
    """
    text = request.headers.get(DATE_HEADER)
    if text is None:
        return datetime.now(ZoneInfo("America/Sao_Paulo")).date()
    try:
        # fromisoformat() reads other forms as well, such as 2026-W01-1.
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise HTTPException(400, f"{DATE_HEADER}: {text!r} is not a date; it must look like 2026-01-31")
