"""What each address of the REST API answers; paths begin after /hopsworks-api/api."""

import base64
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from lyrics_assets_tests.hopsworks_server.certificates import SERVICE_DOMAIN, Certificates
from lyrics_assets_tests.hopsworks_server.flight import sign
from lyrics_assets_tests.hopsworks_server.state import (
    CONNECTOR,
    PROJECT,
    PROJECT_ID,
    STORE_ID,
    Refusal,
    State,
    group_not_found,
    hqs_payload,
)


@dataclass(frozen=True)
class Request:
    """A request, taken apart."""

    parts: list[str]
    """The path's segments, decoded: one of them may hold a slash."""
    query: dict[str, str]
    body: bytes
    content_type: str

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Context:
    """What the endpoints work on."""

    state: State
    certificates: Certificates
    secret: bytes


Endpoint = Callable[[Context, Request, dict[str, str]], Any]
_STORE = f"project/{PROJECT_ID}/featurestores"
_GROUPS, _VIEWS = f"{_STORE}/{STORE_ID}/featuregroups", f"{_STORE}/{STORE_ID}/featureview"
_MODELS, _FILES = f"project/{PROJECT_ID}/modelregistries/{PROJECT_ID}/models", f"project/{PROJECT_ID}/dataset"
_routes: list[tuple[str, re.Pattern[str], Endpoint]] = []


def _answers(method: str, path: str) -> Callable[[Endpoint], Endpoint]:
    """Register an endpoint; {name} in the path stands for one segment."""
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^\\0]+)", path.replace("/", "\0")))

    def register(endpoint: Endpoint) -> Endpoint:
        _routes.append((method, pattern, endpoint))
        return endpoint

    return register


def answer(context: Context, method: str, request: Request) -> Any:
    """Return the answer as JSON's values; None is an answer without a body.

    Raises:
        Refusal: the answer is an error.
    """
    for known, pattern, endpoint in _routes:
        found = pattern.fullmatch("\0".join(request.parts))
        if known == method and found:
            return endpoint(context, request, found.groupdict())
    raise Refusal(404, 120000, f"the contract server does not imitate {method} {'/'.join(request.parts)}")


@_answers("GET", "variables/versions")
def _versions(context: Context, request: Request, names: dict[str, str]) -> Any:
    return [{"software": "hopsworks", "version": context.state.version}]


@_answers("GET", "variables/{name}")
def _variable(context: Context, request: Request, names: dict[str, str]) -> Any:
    values = {
        "service_discovery_domain": SERVICE_DOMAIN,
        "enable_flyingduck": str(context.state.faults.query_service).lower(),
        "loadbalancer_external_domain_feature_query": "127.0.0.1",
    }
    if names["name"] not in values:
        raise Refusal(404, 160050, "Variable not found", names["name"])
    return {"successMessage": values[names["name"]]}


@_answers("GET", "project/getProjectInfo/{name}")
def _project_info(context: Context, request: Request, names: dict[str, str]) -> Any:
    if names["name"] != PROJECT:
        raise Refusal(404, 150004, "Project wasn't found.")
    return {"projectId": PROJECT_ID, "projectName": PROJECT, "owner": "engineer@example.org"}


@_answers("GET", "project")
def _projects(context: Context, request: Request, names: dict[str, str]) -> Any:
    return [{"user": {"username": "engineer"}, "project": {"name": PROJECT, "id": PROJECT_ID}}]


@_answers("GET", f"project/{PROJECT_ID}/credentials")
def _credentials(context: Context, request: Request, names: dict[str, str]) -> Any:
    """The Java key stores are bytes that nobody opens: the Python engine uses the PEMs."""
    user = context.certificates.user
    return {
        "kStore": base64.b64encode(b"no Java here").decode(),
        "tStore": base64.b64encode(b"no Java here").decode(),
        "password": "changeit",
        "caChain": context.certificates.authority.decode(),
        "clientCert": user.certificate.decode(),
        "clientKey": user.key.decode(),
    }


@_answers("GET", _STORE)
def _stores(context: Context, request: Request, names: dict[str, str]) -> Any:
    return [_store(context, request, {"name": f"{PROJECT}_featurestore"})]


@_answers("GET", f"{_STORE}/{{name}}")
def _store(context: Context, request: Request, names: dict[str, str]) -> Any:
    if names["name"] != f"{PROJECT}_featurestore":
        raise Refusal(404, 270008, "Featurestore wasn't found.")
    return {
        "featurestoreId": STORE_ID,
        "featurestoreName": names["name"],
        "offlineFeaturestoreName": names["name"],
        "created": "2026-01-01T00:00:00.000Z",
        "projectName": PROJECT,
        "projectId": PROJECT_ID,
        "onlineEnabled": False,
    }


@_answers("GET", f"{_STORE}/{STORE_ID}/storageconnectors/{{name}}")
def _connector(context: Context, request: Request, names: dict[str, str]) -> Any:
    if names["name"] != CONNECTOR:
        raise Refusal(404, 270042, "Connector not found.")
    return context.state.connector()


@_answers("POST", _GROUPS)
def _create_group(context: Context, request: Request, names: dict[str, str]) -> Any:
    return context.state.create_group(request.json)


@_answers("GET", f"{_GROUPS}/{{name}}")
def _find_group(context: Context, request: Request, names: dict[str, str]) -> Any:
    group = context.state.find_group(names["name"], int(request.query["version"]))
    if group is None:
        raise group_not_found()
    return [group]


@_answers("GET", f"{_GROUPS}/{{number}}/expectationsuite")
def _expectations(context: Context, request: Request, names: dict[str, str]) -> Any:
    context.state.group(int(names["number"]))


@_answers("POST", f"{_GROUPS}/{{number}}/commits")
def _commit(context: Context, request: Request, names: dict[str, str]) -> Any:
    return context.state.add_commit(context.state.group(int(names["number"]))["id"], request.json)


@_answers("GET", f"{_GROUPS}/{{number}}/commits")
def _commits(context: Context, request: Request, names: dict[str, str]) -> Any:
    """Without a commit there is no list: Hopsworks leaves out what is null."""
    known = context.state.commits[context.state.group(int(names["number"]))["id"]]
    newest_first = sorted(known, key=lambda commit: -commit["commitID"])
    return {"count": len(known)} | ({"items": newest_first} if known else {})


@_answers("PUT", f"{_STORE}/query")
def _construct_query(context: Context, request: Request, names: dict[str, str]) -> Any:
    payload = hqs_payload(context.state, request.json)
    return {
        "query": "",
        "onDemandFeatureGroups": [],
        "hudiCachedFeatureGroups": [],
        "hqsPayload": payload,
        "hqsPayloadSignature": sign(context.secret, payload),
    }


@_answers("POST", _VIEWS)
def _create_view(context: Context, request: Request, names: dict[str, str]) -> Any:
    return context.state.create_view(request.json)


@_answers("GET", f"{_VIEWS}/{{name}}/version/{{version}}")
def _view(context: Context, request: Request, names: dict[str, str]) -> Any:
    return context.state.view(names["name"], int(names["version"]))


@_answers("POST", f"{_VIEWS}/{{name}}/version/{{version}}/trainingdatasets")
def _create_training_dataset(context: Context, request: Request, names: dict[str, str]) -> Any:
    return context.state.create_training_dataset(names["name"], int(names["version"]), request.json)


@_answers("GET", f"{_VIEWS}/{{name}}/version/{{version}}/trainingdatasets/version/{{number}}")
def _training_dataset(context: Context, request: Request, names: dict[str, str]) -> Any:
    known = context.state.training_datasets.get((names["name"], int(names["version"])), [])
    number = int(names["number"])
    if not 1 <= number <= len(known):
        raise Refusal(404, 270012, "Training dataset wasn't found.")
    return known[number - 1]


@_answers("GET", f"{_VIEWS}/{{name}}/version/{{version}}/query/batch")
def _batch_query(context: Context, request: Request, names: dict[str, str]) -> Any:
    start, end = (int(request.query[name]) if name in request.query else None for name in ("start_time", "end_time"))
    return context.state.batch_query(names["name"], int(names["version"]), start, end)


@_answers("PUT", f"{_MODELS}/{{name}}")
def _register_model(context: Context, request: Request, names: dict[str, str]) -> Any:
    asked = request.json
    if not _path(context, f"/Projects/{PROJECT}/Models/{asked['name']}/{asked['version']}/Files").is_dir():
        raise Refusal(400, 360003, "The model's files are not there")
    metrics = {name: str(value) for name, value in (asked.get("metrics") or {}).items()}
    registered = asked | {"metrics": metrics, "modelRegistryId": PROJECT_ID, "created": 0}
    with context.state.lock:
        context.state.models[names["name"]] = registered
    return registered


@_answers("GET", f"{_MODELS}/{{name}}")
def _model(context: Context, request: Request, names: dict[str, str]) -> Any:
    with context.state.lock:
        if names["name"] not in context.state.models:
            raise Refusal(404, 360000, "Model not found")
        return context.state.models[names["name"]]


@_answers("GET", f"{_FILES}/{{path}}")
def _stat(context: Context, request: Request, names: dict[str, str]) -> Any:
    path = _path(context, names["path"])
    if not path.exists():
        raise Refusal(404, 110011, "Inode was not found.", names["path"])
    return {"attributes": {"name": path.name, "path": names["path"], "dir": path.is_dir()}}


@_answers("POST", f"{_FILES}/{{path}}")
def _make_folder(context: Context, request: Request, names: dict[str, str]) -> Any:
    path = _path(context, names["path"])
    if not path.parent.is_dir() or path.exists():
        raise Refusal(400, 110020, "The folder cannot be made", names["path"])
    path.mkdir()
    return {"attributes": {"name": path.name, "path": names["path"], "dir": True}}


@_answers("DELETE", f"{_FILES}/{{path}}")
def _remove(context: Context, request: Request, names: dict[str, str]) -> Any:
    path = _path(context, names["path"])
    if not path.exists():
        raise Refusal(404, 110011, "Inode was not found.", names["path"])
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@_answers("POST", f"{_FILES}/upload/{{path}}")
def _upload(context: Context, request: Request, names: dict[str, str]) -> Any:
    """One chunk of a file; the chunks may come in any order."""
    fields = _form(request)
    chunk = int(fields["flowChunkNumber"]) - 1
    path = _path(context, names["path"]) / fields["flowFilename"].decode()
    with context.state.lock, path.open("r+b" if path.exists() else "w+b") as file:
        file.seek(chunk * int(fields["flowChunkSize"]))
        file.write(fields["file"])
    if len(fields["file"]) != int(fields["flowCurrentChunkSize"]):
        raise Refusal(400, 110031, "The chunk is not as long as it says")


def _form(request: Request) -> dict[str, bytes]:
    """Return the fields of a multipart form."""
    head = f"Content-Type: {request.content_type}\r\n\r\n".encode()
    whole = BytesParser().parsebytes(head + request.body)
    parts: list[Message] = whole.get_payload()  # type: ignore[assignment]
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True) or b""  # type: ignore[misc]
        for part in parts
    }


def _path(context: Context, path: str) -> Path:
    """Return the file that stands for a path of HopsFS, absolute or of the project."""
    absolute = path if path.startswith("/Projects/") else f"/Projects/{PROJECT}/{path}"
    found = (context.state.folder / "hopsfs" / absolute.lstrip("/")).resolve()
    if not found.is_relative_to(context.state.files.resolve()):
        raise Refusal(400, 110018, "Path is outside of the project", path)
    return found
