"""A contract server: what the Hopsworks client says on the wire, answered from real Delta tables.

The client is the real one. It speaks TLS to an authority of the server's own, writes with delta-rs into a folder, and
reads back over Arrow Flight with mutual TLS. The shapes of the answers come from the client's parsers and from the
public 4.0 backend. Not imitated: HopsFS (a closed protocol), Kafka and the online store, Spark jobs, statistics, users.
"""

import secrets
import tempfile
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from filelock import FileLock

from lyrics_assets_tests.hopsworks_server.certificates import make_certificates
from lyrics_assets_tests.hopsworks_server.endpoints import Context
from lyrics_assets_tests.hopsworks_server.flight import QueryService
from lyrics_assets_tests.hopsworks_server.rest import RestServer
from lyrics_assets_tests.hopsworks_server.state import API_KEY, CONNECTOR, PROJECT, State

_WAIT_SECONDS = 240


class Address(NamedTuple):
    """How to reach the server: the fields of the resources, by their names."""

    host: str
    port: int
    project: str
    api_key: str
    ca_file: str
    storage_connector: str


class HopsworksServer:
    """Both servers together, from entering the context to leaving it.

    The client knows one port of the Query Service, so only one such server runs on a machine: the next waits its turn.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._turn = FileLock(Path(tempfile.gettempdir()) / "lyrics-hopsworks-contract-server.lock")

    def __enter__(self) -> Self:
        self._turn.acquire(timeout=_WAIT_SECONDS)
        self.state = State(self._folder)
        certificates, secret = make_certificates(), secrets.token_bytes(32)
        authority = self._folder / "authority.pem"
        authority.write_bytes(certificates.authority)
        self.query_service = QueryService(self.state, certificates, secret)
        self._rest = RestServer(Context(self.state, certificates, secret))
        self._rest.start()
        self.address = Address("localhost", self._rest.server_port, PROJECT, API_KEY, str(authority), CONNECTOR)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rest.stop()
        self.query_service.shutdown()
        self._turn.release()
