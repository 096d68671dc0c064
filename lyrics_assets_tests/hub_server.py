"""A contract server: what the huggingface_hub client says on the wire when it pushes a Space, answered from memory.

The client is the real one. The shapes of the answers come from the client's own code. Not imitated: Xet, uploads in
parts, pull requests, branches other than main, and whether a Space that was pushed can be built.
"""

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import yaml

WRITE_TOKEN, READ_TOKEN = "hf_writes0123456789", "hf_reads0123456789"
_ATTRIBUTES = b"*.npz filter=lfs diff=lfs merge=lfs -text\n"
"""The file that a new Space begins with: which files are large ones, whatever their size."""

Answer = dict[str, Any]


class Refusal(Exception):
    """The answer is an error."""

    def __init__(self, status: int, message: str, code: str = "", **more: Any) -> None:
        super().__init__(message)
        self.status, self.content = status, {"error": message} | more
        self.headers = {"X-Error-Code": code} if code else {}


@dataclass
class Faults:
    """What goes wrong from now on."""

    path: str = ""
    """Only requests whose path holds this fail."""
    failures: int = 0
    """So many of them."""
    status: int = 503
    """What they are answered; 0 cuts the connection."""
    headers: dict[str, str] = field(default_factory=dict)
    repeat_token: bool = False
    """Every refusal repeats the token that it was asked with."""


@dataclass
class Repository:
    """A Space: its newest files, and what each commit said and changed."""

    private: bool
    files: dict[str, bytes] = field(default_factory=lambda: {".gitattributes": _ATTRIBUTES})
    large: set[str] = field(default_factory=set)
    """The files that are kept as large ones."""
    commits: list[tuple[str, list[str]]] = field(default_factory=list)
    """Message, and the operations as ``file README.md``, oldest first."""

    @property
    def sha(self) -> str:
        return hashlib.sha1(f"{len(self.commits)}".encode(), usedforsecurity=False).hexdigest()

    def oid(self, path: str) -> str:
        """Return how the hub names the content of a file."""
        content = self.files[path]
        if path in self.large:
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class HubServer(ThreadingHTTPServer):
    """Listens on a port of loopback, which the system chooses, from entering the context to leaving it."""

    daemon_threads = True
    block_on_close = False
    large_bytes = 10_000_000
    """From this size on a file is a large one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.spaces: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        """The content of large files by its SHA-256, of all Spaces."""
        self.requests: list[str] = []
        """Method and path of each, oldest first."""
        self.agents: set[str] = set()
        """What the clients said of themselves."""
        self.faults = Faults()
        self.lock = threading.RLock()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a connection that is cut is part of the tests."""

    def create(self, asked: Answer) -> Answer:
        """Make a Space."""
        name = f"{asked['organization']}/{asked['name']}"
        if (asked["type"], asked["sdk"]) != ("space", "docker"):
            raise Refusal(400, "contract server: only Docker Spaces")
        url = f"{self.address}/spaces/{name}"
        if name in self.spaces:
            raise Refusal(409, "You already created this space repo", url=url)
        self.spaces[name] = Repository(asked.get("visibility") == "private")
        return {"url": url, "name": name}

    def preupload(self, space: Repository, asked: Answer) -> Answer:
        """Tell how each file is to be sent, and what is there under its name."""
        patterns = [line.split()[0] for line in space.files[".gitattributes"].decode().splitlines()]
        files = []
        for file in asked["files"]:
            path = file["path"]
            large = file["size"] >= self.large_bytes or any(fnmatch(path, pattern) for pattern in patterns)
            known = {"oid": space.oid(path)} if path in space.files else {}
            files.append({"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False} | known)
        return {"files": files}

    def batch(self, asked: Answer) -> Answer:
        """Tell where the large files go that are not there."""
        objects = []
        for wanted in asked["objects"]:
            action = {
                "upload": {"href": f"{self.address}/objects/{wanted['oid']}", "header": {}},
                "verify": {"href": f"{self.address}/objects/verify", "header": {}},
            }
            objects.append(wanted if wanted["oid"] in self.objects else wanted | {"actions": action})
        return {"transfer": "basic", "objects": objects}

    def commit(self, name: str, lines: list[Answer]) -> Answer:
        """Change the files, all or none."""
        space = self.spaces[name]
        files, large, operations = dict(space.files), set(space.large), []
        header, *changes = lines
        for line in changes:
            kind, value = line["key"], line["value"]
            path = value["path"]
            operations.append(f"{kind} {path}")
            large.discard(path)
            if kind == "file":
                files[path] = base64.b64decode(value["content"])
            elif kind == "lfsFile":
                files[path] = self.objects[value["oid"]]
                large.add(path)
            elif kind == "deletedFile":
                del files[path]
            else:
                raise Refusal(400, f"contract server: {kind}")
        space.files, space.large = files, large
        space.commits.append((header["value"]["summary"], operations))
        return {"commitUrl": f"{self.address}/spaces/{name}/commit/{space.sha}", "commitOid": space.sha}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HubServer

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        with self.server.lock:
            self.server.requests.append(f"{self.command} {path}")
            self.server.agents.add(self.headers["User-Agent"])
            faults = self.server.faults
            if faults.failures and faults.path in path:
                faults.failures -= 1
                self._fail(faults, token)
                return
            try:
                self._send(200, self._answer(path, token, body))
            except Refusal as refusal:
                if faults.repeat_token:
                    refusal.content["error"] += f" Token: {token}"
                self._send(refusal.status, refusal.content, refusal.headers)

    do_GET = do_POST = do_PUT = _handle

    def _answer(self, path: str, token: str, body: bytes) -> Any:
        """Answer a request; what a route does beside its permission is the server's."""
        hub = self.server
        if self.command == "PUT":  # to the store of objects, which asks for no token
            oid = path.rsplit("/", 1)[-1]
            if hashlib.sha256(body).hexdigest() != oid:
                raise Refusal(400, "contract server: the object is not what it is called")
            hub.objects[oid] = body
            return {}
        if token not in (WRITE_TOKEN, READ_TOKEN):
            raise Refusal(401, "Invalid username or password.")
        if path == "/api/validate-yaml":
            return _validate(json.loads(body)["content"])
        if path == "/objects/verify":
            return {} if json.loads(body)["oid"] in hub.objects else _missing("object")
        if path == "/api/repos/create":
            self._must_write(token)
            return hub.create(json.loads(body))
        parts = path.removeprefix("/api").removeprefix("/spaces/").split("/")
        name, route = f"{parts[0]}/{parts[1].removesuffix('.git')}", "/".join(parts[2:])
        space = hub.spaces.get(name) or _missing("Space")
        if self.command == "GET" and route == "tree/main":
            return [{"type": "file", "path": p, "size": len(c), "oid": space.oid(p)} for p, c in space.files.items()]
        if self.command == "GET" and route in ("", "revision/main"):
            return {"id": name, "sha": space.sha, "private": space.private, "siblings": [], "tags": []}
        self._must_write(token)
        if route == "preupload/main":
            return hub.preupload(space, json.loads(body))
        if route == "info/lfs/objects/batch":
            return hub.batch(json.loads(body))
        if route == "commit/main":
            return hub.commit(name, [json.loads(line) for line in body.splitlines()])
        raise Refusal(404, f"contract server: {self.command} {path}")

    @staticmethod
    def _must_write(token: str) -> None:
        if token != WRITE_TOKEN:
            raise Refusal(403, "You don't have the rights to do this with a read token.")

    def _fail(self, faults: Faults, token: str) -> None:
        if not faults.status:
            self.close_connection = True
            return
        said = f"<html>Out of order. {token if faults.repeat_token else ''}</html>".encode()
        self.send_response(faults.status)
        for name, value in ({"Content-Type": "text/plain", "Content-Length": str(len(said))} | faults.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)

    def _send(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (
            {"Content-Type": "application/json", "Content-Length": str(len(body))} | (headers or {})
        ).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


def _missing(what: str) -> Any:
    raise Refusal(404, f"{what} not found", "RepoNotFound")


def _validate(readme: str) -> Answer:
    """Check the head of a README.md as far as a Docker Space needs it."""
    head = yaml.safe_load(readme.split("---")[1])
    wrong = [name for name in ("title", "sdk", "app_port") if not head.get(name)]
    if wrong:
        errors = [{"message": f'"{name}" is required'} for name in wrong]
        raise Refusal(400, "Invalid metadata in README.md", errors=errors, warnings=[])
    return {"errors": [], "warnings": []}
