"""How much one client, and all clients together, may ask of one worker."""

import ipaddress
import time
from collections.abc import Callable

MAX_CLIENTS = 10_000
"""Remembered at once."""


class RateLimiter:
    """Lets each client ask so often a minute, in one burst or evenly; at most 10,000 clients are remembered.

    The generic cell rate algorithm: of a client nothing is kept but the time at which its burst is used up.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._interval = 60 / per_minute
        self._clock = clock
        self._due: dict[str, float] = {}

    def take(self, client: str, n: int = 1) -> float:
        """Count so many lyrics of a client; return 0, or the seconds that it has to wait and count nothing."""
        now = self._clock()
        cost = min(n, self.per_minute) * self._interval
        due = max(self._due.get(client, now), now) + cost
        if due > now + 60 + 1e-9:
            return due - now - 60
        if client not in self._due and len(self._due) >= MAX_CLIENTS:
            self._forget(now)
        self._due[client] = due
        return 0.0

    def _forget(self, now: float) -> None:
        """Drop who may ask at will again; if that is nobody, the longest known half."""
        kept = {client: due for client, due in self._due.items() if due > now}
        if len(kept) >= MAX_CLIENTS:
            kept = dict(list(kept.items())[MAX_CLIENTS // 2 :])
        self._due = kept


def client_of(peer: str, forwarded: str | None) -> str:
    """Return by what name a client is counted.

    Args:
        peer: address of the connection.
        forwarded: the trusted proxy's header, of which the last address is the one that the proxy itself has seen;
            None if no proxy is trusted or the header is missing.
    """
    address = forwarded.rsplit(",", 1)[-1].strip() if forwarded else peer
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return peer
    # Whoever has one address of IPv6 has the whole /64.
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else str(parsed)
