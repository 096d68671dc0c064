"""The HTTP side: the key, GraphQL, the file stream, uploads, and the faults that a test asks for."""

import base64
import gzip
import json
import re
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from lyrics_assets_tests.wandb_server.operations import answer
from lyrics_assets_tests.wandb_server.state import Refusal

if TYPE_CHECKING:
    from lyrics_assets_tests.wandb_server import WandbServer

_HANG_SECONDS = 120
_FILE_STREAM = re.compile(r"/files/([^/]+)/([^/]+)/([^/]+)/file_stream")
_OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: "WandbServer"

    def do_POST(self) -> None:
        """Answer GraphQL and the file stream."""
        body = self._body()
        if self.path == "/graphql":
            self._graphql(json.loads(body))
        elif found := _FILE_STREAM.fullmatch(self.path):
            self._note(self.path)
            self.server.state.stream(found[3], json.loads(body))
            self._send(200, {"limits": {}})
        else:
            self._note(self.path)
            self._send(404, {"error": "not found"})

    def do_PUT(self) -> None:
        """Take an uploaded file and forget it."""
        self._body()
        self._send(200, {})

    def do_GET(self) -> None:
        """Answer what nobody should ask."""
        self._note(self.path)
        self._send(404, {"error": "not found"})

    def _graphql(self, asked: dict[str, Any]) -> None:
        state = self.server.state
        found = _OPERATION.search(asked["query"])
        name = asked.get("operationName") or (found[1] if found else "")
        self._note(name)
        faults = state.faults
        faults.hang = faults.hang or name == faults.hang_after
        if faults.hang:
            faults.released.wait(_HANG_SECONDS)
        key = base64.b64encode(f"api:{state.api_key}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {key}":
            self._send(401, {"errors": [{"message": "user is not logged in"}]})
            return
        try:
            self._send(200, {"data": answer(state, name, asked.get("variables") or {})})
        except Refusal as refusal:
            self._send(refusal.status, {"errors": [{"message": refusal.message}], "data": None})

    def _note(self, operation: str) -> None:
        self.server.state.operations.append(operation)

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _send(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True  # a client that was killed, or has waited long enough

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""
