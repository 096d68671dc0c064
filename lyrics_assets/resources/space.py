"""The Hugging Face Space: a folder that is ready to push, by default not pushed; with a token it is pushed too."""

import json
import shutil
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import dagster as dg
from pydantic import Field

from lyrics_assets.resources.secrets import reveal

if TYPE_CHECKING:
    import httpx2

TOKEN = "LYRICS_HF_TOKEN"  # noqa: S105  the variable's name
"""The environment variable that holds the token of the hub."""

_LONGEST_WAIT = 60
"""Seconds for which the client obeys a hub that asks for patience."""
_PASSING_STATUS = (408, 409, 412, 425, 429, 500, 502, 503, 504)
"""What may be otherwise a moment later; 409 and 412: somebody else commits to the Space just now."""


class SpaceError(RuntimeError):
    """The Space could not be pushed; the message says what to do and never holds the token."""


class Published(NamedTuple):
    """Where a Space stands."""

    folder: str
    url: str = ""
    """Its address on the hub; empty if it was not pushed."""
    commit: str = ""
    """The hub's newest commit of it; empty likewise."""


class Space(dg.ConfigurableResource, ABC):
    """Publishes the folder of a Space."""

    @abstractmethod
    def publish(self, folder: Path, message: str) -> Published:
        """Publish a complete folder, replacing the last one.

        Args:
            folder: holds the Space and nothing else; it is left as it is.
            message: what is published, in a line.
        """


class SpaceFolder(Space):
    """Keeps the Space as a local folder."""

    folder: str = Field(description="Where the folder stands")

    def publish(self, folder: Path, message: str) -> Published:
        """Copy the folder beside the last one, then take its place."""
        target = Path(self.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh, old = (target.with_name(f"{target.name}.{uuid.uuid4().hex}.part") for _ in range(2))
        try:
            shutil.copytree(folder, fresh)
            if target.exists():
                target.rename(old)
            fresh.rename(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
        return Published(str(target))


class HubSpace(SpaceFolder):
    """Keeps the folder and pushes it to a Docker Space of a Hugging Face hub, in one commit: half of it is never built.

    Files that are there already are not sent again; files that are no longer in the folder are removed.
    """

    repository: str = Field(description="Owner and name of the Space, as in owner/name; it is made if missing")
    token: str = Field(description="Token with write permission for the Space")
    endpoint: str = Field("https://huggingface.co", description="Address of the hub")
    private: bool = Field(True, description="Whether a Space that is made is shown to its owner alone")
    timeout_seconds: float = Field(60, gt=0, description="Longest wait for a connection or for the next bytes")
    attempts: int = Field(5, ge=1, description="How often a push is begun while the hub is ailing")
    wait_seconds: float = Field(2, ge=0, description="Wait before the second attempt; it doubles each time")

    def publish(self, folder: Path, message: str) -> Published:
        """Keep the folder, then push it.

        Raises:
            SpaceError: the hub did not take it; the folder is kept all the same.
        """
        kept = super().publish(folder, message)
        token = reveal(self.token)
        if not token:
            raise SpaceError(f"no token for {self.endpoint}: set {TOKEN}")
        for attempt in range(self.attempts):
            if attempt:
                time.sleep(self.wait_seconds * 2 ** (attempt - 1))
            try:
                return kept._replace(url=f"{self._address}/spaces/{self.repository}", commit=self._push(kept, message))
            except Exception as error:
                problem = _understand(error)
                if problem is None:
                    raise
            if not problem.passing:
                break
        # Not while the error is handled: it would be shown too, and a hub may repeat the token in what it says.
        text = self._advise(problem).replace(token, "***")
        raise SpaceError(f"{text}. The folder is ready at {kept.folder}: materialize huggingface_space to try again.")

    @property
    def _address(self) -> str:
        return self.endpoint.rstrip("/")

    def _push(self, kept: Published, message: str) -> str:
        """Bring the Space on the hub to what the folder holds; return the commit."""
        import httpx2
        from huggingface_hub import HfApi, constants, set_client_factory
        from huggingface_hub.utils import disable_progress_bars

        # Variables of the environment too, but read when another library may have imported the client already.
        constants.HF_HUB_DISABLE_TELEMETRY = True
        constants.HF_HUB_DISABLE_XET = True  # it would part the push into several commits, and each is built
        disable_progress_bars()
        hooks = {"request": [self._bound], "response": [_refuse_long_waits]}
        set_client_factory(lambda: httpx2.Client(follow_redirects=True, event_hooks=hooks))
        api = HfApi(self._address, token=reveal(self.token), library_name="lyrics-classifier")
        where: dict[str, Any] = {"repo_id": self.repository, "repo_type": "space"}
        # A token for this one Space may not make any.
        if not api.repo_exists(**where):
            api.create_repo(**where, space_sdk="docker", private=self.private, exist_ok=True)
        commit = api.upload_folder(
            **where,
            folder_path=kept.folder,
            commit_message=message,
            ignore_patterns=["*__pycache__/*"],
            delete_patterns="*",
        )
        return str(commit.oid)

    def _bound(self, request: "httpx2.Request") -> None:
        """Give a request its timeout: the client itself asks for none, which means for ever."""
        import httpx2

        request.extensions["timeout"] = httpx2.Timeout(self.timeout_seconds).as_dict()

    def _advise(self, problem: "_Problem") -> str:
        """Return what went wrong and what to do, in a sentence without its stop."""
        if problem.status == 401:
            return f"{self._address} does not know the token in {TOKEN} (401): make a new one there"
        if problem.status == 403:
            return (
                f"the token in {TOKEN} may not write to the Space {self.repository} (403: {problem.text}): give it the "
                "write permission, or name a Space of its owner in LYRICS_HF_SPACE"
            )
        status = f" ({problem.status})" if problem.status else ""
        again = f", {self.attempts} times" if problem.passing else ""
        return f"{self._address} did not take the Space {self.repository}{again}{status}: {problem.text}"


class _Problem(NamedTuple):
    """What a failed push was about."""

    text: str
    status: int | None = None
    passing: bool = False
    """Whether the same push may succeed a moment later."""


def _understand(error: Exception) -> _Problem | None:
    """Return what the hub or the way to it has to do with an error; None if nothing."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    for cause in _chain(error):
        if isinstance(cause, SpaceError):
            return _Problem(str(cause))
        if isinstance(cause, HfHubHTTPError):
            status = cause.response.status_code
            return _Problem(_line(cause.server_message or str(cause)), status, status in _PASSING_STATUS)
        if isinstance(cause, httpx2.TransportError):
            return _Problem(_line(f"{type(cause).__name__}: {cause}"), passing=True)
        if isinstance(cause, json.JSONDecodeError):  # what the client makes of a gateway's error page here and there
            return _Problem("the answer is not the hub's", passing=True)
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it was raised from or came after, to the first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _line(text: str) -> str:
    """Return a text in one line of moderate length."""
    return " ".join(text.split())[:500].rstrip(".")


def _refuse_long_waits(response: "httpx2.Response") -> None:
    """Give up where the client would wait for as long as it is told to."""
    from huggingface_hub.utils import parse_ratelimit_headers

    limit = parse_ratelimit_headers(response.headers)
    asked = response.headers.get("retry-after", "")
    seconds = limit.reset_in_seconds if limit and not limit.remaining else int(asked) if asked.isdigit() else 0
    if response.status_code >= 400 and seconds > _LONGEST_WAIT:
        raise SpaceError(f"the hub asks to wait for {seconds} s")
