"""The Query Service: Arrow Flight over mutual TLS, which reads the Delta tables that the client wrote."""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.flight as flight
from deltalake import DeltaTable

from lyrics_assets_tests.hopsworks_server.certificates import Certificates
from lyrics_assets_tests.hopsworks_server.state import State

PORT = 5005
"""The client knows no other."""

_SQL = {
    "EQUALS": "=",
    "NOT_EQUALS": "!=",
    "GREATER_THAN": ">",
    "GREATER_THAN_OR_EQUAL": ">=",
    "LESS_THAN": "<",
    "LESS_THAN_OR_EQUAL": "<=",
}


def sign(secret: bytes, payload: str) -> str:
    """Return the signature by which the service knows that the REST server wrote a query."""
    return hmac.new(secret, payload.encode(), hashlib.sha256).hexdigest()


class QueryService(flight.FlightServerBase):
    """Answers the queries that the REST server has signed."""

    def __init__(self, state: State, certificates: Certificates, secret: bytes) -> None:
        super().__init__(
            f"grpc+tls://127.0.0.1:{PORT}",
            tls_certificates=[(certificates.server.certificate, certificates.server.key)],
            verify_client=True,
            root_certificates=certificates.authority,
            middleware={"signature": _SignatureFactory()},
        )
        self._state = state
        self._secret = secret
        self.queries: list[dict[str, Any]] = []
        """Every query that was answered, oldest first."""

    def list_actions(self, context: flight.ServerCallContext) -> list[tuple[str, str]]:
        """Name the two things that the client asks when it connects."""
        return [("healthcheck", "Whether it lives"), ("get-version", "Version of the service")]

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> list[flight.Result]:
        """Answer one of them."""
        return [flight.Result(b"5.2.0" if action.type == "get-version" else b"ok")]

    def get_flight_info(
        self, context: flight.ServerCallContext, descriptor: flight.FlightDescriptor
    ) -> flight.FlightInfo:
        """Return the query itself as the ticket."""
        endpoint = flight.FlightEndpoint(flight.Ticket(descriptor.command), [])
        return flight.FlightInfo(pa.schema([]), descriptor, [endpoint])

    def do_get(self, context: flight.ServerCallContext, ticket: flight.Ticket) -> flight.RecordBatchStream:
        """Read the columns and rows that the query asks for."""
        payload = ticket.ticket.decode()
        signature = context.get_middleware("signature").value
        if not hmac.compare_digest(signature, sign(self._secret, payload)):
            raise flight.FlightUnauthenticatedError("the query is not signed by the REST server")
        if self._state.faults.hang_queries:
            self._state.faults.released.wait(60)
        query = json.loads(payload)
        self.queries.append(query)
        return flight.RecordBatchStream(_read(query))


def _read(query: dict[str, Any]) -> pa.Table:
    folder = unquote(urlparse(query["location"]).path)
    if not query["location"].startswith("file:") or not DeltaTable.is_deltatable(folder):
        raise flight.FlightServerError(f"No delta logs found for {query['location']}. Details: none")
    table = DeltaTable(folder)
    scan = table.scan(columns=query["columns"], predicate=_predicate(query["filter"]))
    rows = pa.table(scan).select(query["columns"])
    return rows.cast(pa.schema([pa.field(field.name, _plain(field.type)) for field in rows.schema]))


def _plain(found: pa.DataType) -> pa.DataType:
    """Return the type that any client can read: delta-rs hands out views of strings."""
    if pa.types.is_string_view(found):
        return pa.string()
    return pa.list_(_plain(found.value_type)) if pa.types.is_list(found) else found


def _predicate(logic: dict[str, Any] | None) -> str | None:
    """Return the filters, of which all must hold, as SQL."""
    if not logic:
        return None
    parts = [_comparison(logic[side]) for side in ("leftFilter", "rightFilter") if logic.get(side)]
    parts += [part for side in ("leftLogic", "rightLogic") if (part := _predicate(logic.get(side)))]
    if len(parts) > 1 and logic["type"] != "AND":
        raise flight.FlightServerError(f"the contract server knows no {logic['type']}")
    return " AND ".join(parts)


def _comparison(compared: dict[str, Any]) -> str:
    value = compared["value"].replace("'", "''")
    return f"{compared['feature']['name']} {_SQL[compared['condition']]} '{value}'"


class _Signature(flight.ServerMiddleware):
    def __init__(self, value: str) -> None:
        super().__init__()
        self.value = value


class _SignatureFactory(flight.ServerMiddlewareFactory):
    def start_call(self, info: flight.CallInfo, headers: dict[str, list[str]]) -> _Signature:
        return _Signature(headers.get("hopsworks-signature", [""])[0])
