"""The REST server: TLS, the API key, and the faults that a test asks for; what is answered is in `endpoints`."""

import json
import ssl
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from lyrics_assets_tests.hopsworks_server.endpoints import Context, Request, answer
from lyrics_assets_tests.hopsworks_server.state import API_KEY, Refusal

_PREFIX = "/hopsworks-api/api/"


class RestServer(ThreadingHTTPServer):
    """Listens on a port of loopback that the system chooses."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, context: Context) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.context = context
        # Each connection shakes hands in its own thread: one that is silent keeps no other waiting.
        self.socket = _tls(context).wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self.context.state.faults.released.set()
        self.shutdown()
        self.server_close()
        self._thread.join(10)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that goes away, or trusts another authority, is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: RestServer

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            status, content = 200, self._answer(body)
        except Refusal as refusal:
            status = refusal.status
            content = {"errorCode": refusal.code, "errorMsg": refusal.message, "usrMsg": refusal.detail}
        except Exception as error:  # a gap of the imitation, to be read in the test's own message
            status, content = 500, {"errorCode": 120000, "errorMsg": f"contract server: {error!r}"}
        self._send(status, b"" if content is None else json.dumps(content).encode())

    do_GET = do_POST = do_PUT = do_DELETE = _handle

    def _answer(self, body: bytes) -> Any:
        address = urlsplit(self.path)
        self.server.context.state.requests.append((self.command, address.path))
        self._fail_if_asked(address.path)
        if self.headers.get("Authorization") != f"ApiKey {API_KEY}":
            raise Refusal(401, 200003, "Authentication failed, invalid credentials")
        if not address.path.startswith(_PREFIX):
            raise Refusal(404, 120000, "outside of the API")
        parts = [unquote(part) for part in address.path.removeprefix(_PREFIX).split("/")]
        query = dict(parse_qsl(address.query))
        request = Request(parts, query, body, self.headers.get("Content-Type", ""))
        return answer(self.server.context, self.command, request)

    def _fail_if_asked(self, path: str) -> None:
        state = self.server.context.state
        faults = state.faults
        if faults.hang:
            faults.released.wait(60)
        with state.lock:
            meant = faults.fail_method in ("", self.command) and faults.fail_path in unquote(path)
            fails = meant and faults.failures > 0
            faults.failures -= fails
        if fails:
            raise Refusal(500, 120000, "A generic error occurred.", "asked for by a test")

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep silent."""


def _tls(context: Context) -> ssl.SSLContext:
    server = context.certificates.server
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        files[0].write_bytes(server.certificate)
        files[1].write_bytes(server.key)
        tls.load_cert_chain(*files)
    return tls
