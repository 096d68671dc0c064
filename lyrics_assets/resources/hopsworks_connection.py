"""A login to Hopsworks through its own client: one for a process, bounded in time, verified, and leaving no trace.

The client is written for notebooks. It passes no timeout to any request, lets environment variables override its
arguments, reconfigures logging and warnings when imported, prints, and keeps one connection for the whole process,
whose certificates it shares with every other process through a common folder. What is done about each is here.
"""

import atexit
import contextlib
import importlib.metadata
import io
import logging
import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import dagster as dg
from pydantic import Field

from lyrics_assets.resources.secrets import reveal

if TYPE_CHECKING:
    from hopsworks.project import Project

HOST, PROJECT, API_KEY = "LYRICS_HOPSWORKS_HOST", "LYRICS_HOPSWORKS_PROJECT", "LYRICS_HOPSWORKS_API_KEY"
"""The environment variables by which an installation chooses Hopsworks."""

_RETRIES = 3
_RETRIED_STATUS = (500, 502, 503, 504)
# A PUT of this client is a query or a whole record; a POST makes something new each time.
_RETRIED_METHODS = ("GET", "HEAD", "PUT")
_NO_TABLE = ("No delta logs found", "No data found", "No commits found")
_QUERY_SERVICE_OFF = ("Reading data with Hive is not supported", "Hopsworks Query Service")

_logger = logging.getLogger(__name__)


class HopsworksError(RuntimeError):
    """Hopsworks cannot be used; the message says what to do."""


@dataclass(frozen=True)
class HopsworksConfiguration:
    """Which project of which Hopsworks, and who asks."""

    host: str
    project: str
    api_key: str = field(repr=False)
    port: int = 443
    ca_file: str = ""
    timeout_seconds: float = 60


def hopsworks_configuration(host: str, project: str, api_key: str, **others: Any) -> HopsworksConfiguration | None:
    """Return the configuration that an installation's settings choose, None if they choose no Hopsworks.

    Args:
        host: name of the server, without https://; empty if unset.
        project: name of the project; empty if unset.
        api_key: an API key of the project; empty if unset.
        others: the other fields of the configuration.

    Raises:
        HopsworksError: some are set and some are not. What should go to Hopsworks never silently stays on the machine.
    """
    given = {HOST: host, PROJECT: project, API_KEY: api_key}
    missing = [name for name, value in given.items() if not value]
    if len(missing) == len(given):
        return None
    if missing:
        chosen = [name for name in given if name not in missing]
        raise HopsworksError(
            f"{' and '.join(chosen)} set, {' and '.join(missing)} not: set all three to use Hopsworks, or none"
        )
    return HopsworksConfiguration(host, project, api_key, **others)


class HopsworksConnection(dg.ConfigurableResource):
    """The fields by which a resource reaches a project of Hopsworks."""

    host: str = Field(min_length=1, description="Name of the Hopsworks server, without https://")
    port: int = Field(443, description="Port of its REST API")
    project: str = Field(min_length=1, description="Name of the project")
    api_key: str = Field(description="API key of the scopes PROJECT, FEATURESTORE, DATASET_*, MODELREGISTRY")
    ca_file: str = Field("", description="PEM file of the authority that signed the server; empty for the system's")
    timeout_seconds: float = Field(60, gt=0, description="Longest wait for a connection or for the next bytes")

    def connect(self) -> "Project":
        """Return the project, logged in.

        Raises:
            HopsworksError: the login was refused or took too long.
        """
        key = reveal(self.api_key)
        if not key:
            raise HopsworksError(f"no API key for {self.host}: set {API_KEY}")
        return _connect(
            HopsworksConfiguration(self.host, self.project, key, self.port, self.ca_file, self.timeout_seconds)
        )

    def explain(self, error: Exception) -> str | None:
        """Return a sentence on what went wrong and what to do; None if it is no failure of Hopsworks."""
        return _explain(error, f"{self.host}:{self.port}", self.project, self.timeout_seconds)


class _Login(NamedTuple):
    configuration: HopsworksConfiguration
    project: "Project"


_lock = threading.RLock()
"""Of the login, and of the streams and the warnings, which too are the process's: one lock cannot wait for itself."""
_current: _Login | None = None


def _connect(configuration: HopsworksConfiguration) -> "Project":
    """Return the process's login; the client knows one at a time, so another configuration takes its place."""
    global _current
    with _lock:
        if _current is None or _current.configuration != configuration:
            _current = None
            _current = _Login(configuration, _login(configuration))
        return _current.project


def _login(configuration: HopsworksConfiguration) -> "Project":
    if configuration.ca_file and not Path(configuration.ca_file).is_file():
        raise HopsworksError(f"{configuration.ca_file}: no such file; ca_file must be a PEM file of the authority")
    hopsworks = import_hopsworks()
    # Every process has a folder of its own, for none but its user to read: the client deletes the certificates in it
    # when it logs out. Only a process that is killed leaves it behind.
    folder = tempfile.mkdtemp(prefix="lyrics-hopsworks-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    try:
        with quietly(), _arguments_alone(), _bounded(configuration.timeout_seconds):
            project = hopsworks.login(
                host=configuration.host,
                port=configuration.port,
                project=configuration.project,
                api_key_value=configuration.api_key,
                hostname_verification=True,
                trust_store_path=configuration.ca_file or None,
                cert_folder=folder,
                engine="python",
            )
        _check_version(configuration.host)
    except Exception as error:
        with quietly():
            hopsworks.logout()
        address = f"{configuration.host}:{configuration.port}"
        sentence = _explain(error, address, configuration.project, configuration.timeout_seconds)
        if sentence is None:
            raise
        raise HopsworksError(sentence) from error
    return project


def import_hopsworks() -> Any:
    """Return the client's module, with logging and warnings as they were before its import."""
    if "hsfs" in sys.modules and "hsml" in sys.modules:
        return sys.modules["hopsworks"]
    import pandas  # noqa: F401  the filters that it and numpy set for themselves stay
    import pyarrow  # noqa: F401

    root = logging.getLogger()
    handlers, level, formatter = list(root.handlers), root.level, warnings.formatwarning
    with warnings.catch_warnings():
        import hopsworks
        import hsfs  # noqa: F401
        import hsml  # noqa: F401
    root.handlers[:], warnings.formatwarning = handlers, formatter
    root.setLevel(level)
    for name in ("hopsworks_common", "hsfs", "hsml"):
        # It logs each step at INFO, and each of its errors, with a traceback, before it raises it.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return hopsworks


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep the client's prints, progress bars and advice from the terminal, for as long as the context lasts."""
    said = io.StringIO()
    try:
        with _lock, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        _logger.debug("the client said: %s", said.getvalue())


@contextlib.contextmanager
def _arguments_alone() -> Iterator[None]:
    """Hide the variables by which the environment overrides the arguments of a login."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("HOPSWORKS_")}
    inside = os.environ.pop("REST_ENDPOINT", None)  # would make it the login of a notebook inside Hopsworks
    try:
        yield
    finally:
        os.environ.update(hidden | ({} if inside is None else {"REST_ENDPOINT": inside}))


@contextlib.contextmanager
def _bounded(seconds: float) -> Iterator[None]:
    """Make the client that is created within the context wait so long at most, and try again so often at most."""
    from hopsworks_common.client import external
    from requests.adapters import HTTPAdapter
    from urllib3.exceptions import ReadTimeoutError
    from urllib3.util import Retry

    class PatientOnce(Retry):
        def increment(
            self,
            method: str | None = None,
            url: str | None = None,
            response: Any = None,
            error: Exception | None = None,
            _pool: Any = None,
            _stacktrace: Any = None,
        ) -> Self:
            if isinstance(error, ReadTimeoutError):
                raise error  # who was silent for the whole time is not waited for again
            return super().increment(method, url, response, error, _pool, _stacktrace)

    class BoundedAdapter(HTTPAdapter):
        def send(self, request: Any, stream: bool = False, timeout: Any = None, *others: Any, **named: Any) -> Any:
            return super().send(request, stream, timeout or seconds, *others, **named)

    retry = PatientOnce(
        total=_RETRIES,
        connect=1,
        read=1,
        other=0,
        status_forcelist=_RETRIED_STATUS,
        allowed_methods=_RETRIED_METHODS,
        backoff_factor=0.2,
        raise_on_status=False,
    )

    class BoundedClient(external.Client):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self._session.mount("https://", BoundedAdapter(max_retries=retry))

    original = external.Client
    external.Client = BoundedClient
    try:
        yield
    finally:
        external.Client = original


def _check_version(host: str) -> None:
    """Refuse a server of another major version; warn of another minor one, which the client may still understand."""
    from hopsworks_common.client import _get_connection

    server, client = _get_connection().backend_version, importlib.metadata.version("hopsworks")
    wanted, installed = server.split(".")[:2], client.split(".")[:2]
    if wanted[0] != installed[0]:
        raise HopsworksError(
            f"{host} is Hopsworks {server}, the client installed here is {client}: install hopsworks {'.'.join(wanted)}"
        )
    if wanted != installed:
        _logger.warning(
            "%s is Hopsworks %s, the client installed here is %s: they may misunderstand each other",
            host,
            server,
            client,
        )


def without_data(error: Exception) -> bool:
    """Tell whether a read failed because the feature group is known but nothing was ever written into it."""
    return any(words in str(cause) for cause in _causes(error) for words in _NO_TABLE)


def _explain(error: Exception, address: str, project: str, seconds: float) -> str | None:
    import requests
    from hopsworks_common.client.exceptions import FeatureStoreException, ProjectException, RestAPIError

    if isinstance(error, HopsworksError):
        return str(error)
    if isinstance(error, ProjectException):
        cause = error.__cause__
        if isinstance(cause, RestAPIError) and cause.response.status_code >= 500:
            return _explain_status(cause, address)
        return f"{address} shows no project {project} to this API key: check {PROJECT}, or ask its owner to invite you"
    if isinstance(error, RestAPIError):
        return _explain_status(error, address)
    if isinstance(error, requests.exceptions.SSLError):
        return (
            f"the certificate of {address} is not signed by an authority that is trusted here, or names another host: "
            "set ca_file to the PEM file of its authority"
        )
    if isinstance(error, requests.exceptions.Timeout):
        return f"{address} did not answer within {seconds:g} s: is it overloaded? try again, or raise timeout_seconds"
    if isinstance(error, requests.exceptions.JSONDecodeError):
        return f"{address} does not answer like Hopsworks: check {HOST} and the port"
    if isinstance(error, requests.exceptions.RequestException):
        return f"{address} cannot be reached ({type(error).__name__}): check {HOST}, the port and the network"
    if isinstance(error, FeatureStoreException | ValueError) and any(
        words in str(error) for words in _QUERY_SERVICE_OFF
    ):
        reason = next((str(cause) for cause in _causes(error) if cause is not error), "it is switched off")
        return f"{address} cannot be read through its Query Service, port 5005 ({_first_line(reason)}): is it running?"
    if isinstance(error, FeatureStoreException):
        return f"{address} refused: {_first_line(str(error))}"
    return None


def _explain_status(error: Any, address: str) -> str:
    status, message = error.response.status_code, _server_message(error.response)
    if status == 401:
        return f"{address} does not accept the API key: make a new one in Hopsworks and set {API_KEY}"
    if status == 403:
        return f"the API key may not do this at {address} ({message}): give it the scope that it lacks"
    if status >= 500:
        return f"{address} fails with HTTP {status} ({message}): try again later, then look at the server's log"
    return f"{address} refused with HTTP {status}: {message}"


def _server_message(response: Any) -> str:
    try:
        answer = response.json()
        return _first_line(f"{answer.get('errorMsg') or ''} {answer.get('usrMsg') or ''}".strip())
    except (ValueError, AttributeError):
        return "without a message"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:300] if text.strip() else "without a message"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, outermost first."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
