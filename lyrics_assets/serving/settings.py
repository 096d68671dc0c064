"""How the service runs: read from the environment when a process of it starts, for a Bento has no command line."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PREFIX = "LYRICS_SERVICE_"


class ServiceSettingsError(ValueError):
    """A setting is not usable; the message names it."""


class ServiceSettings(BaseModel):
    """Each field is an environment variable, LYRICS_SERVICE_ and its name in capitals."""

    model_config = ConfigDict(frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen at; 0.0.0.0 lets other machines in")
    port: int = Field(3001, ge=1, le=65535, description="Port to listen at")
    workers: int = Field(1, ge=1, le=64, description="Processes that answer, each with a model of its own")
    concurrency: int = Field(
        256, ge=1, description="Requests that a worker has at work or waiting; what comes on top is told 503"
    )
    timeout_seconds: float = Field(5, gt=0, le=600, description="For a body to arrive, and for an answer to be made")
    rate_per_minute: int = Field(
        0, ge=0, description="Lyrics a minute that one client may ask one worker; 0: as many as it likes"
    )
    client_header: str = Field(
        "", description="Header by which a trusted proxy tells the client's address; empty: the connection's own"
    )
    cors_origins: str = Field("", description="Origins whose pages may ask, parted by commas, or *; empty: none")
    frame_ancestors: str = Field(
        "'none'", pattern=r"^[^;,\r\n]+$", description="Sites that may show the page in a frame, as CSP writes them"
    )
    prediction_log: Path | None = Field(None, description="Folder of the prediction log; empty: no log")
    language: bool = Field(True, description="Whether to tell the language of a lyric")

    @property
    def origins(self) -> list[str]:
        """The origins whose pages may ask."""
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; what is not set, or empty, keeps its default.

        Raises:
            ServiceSettingsError: a value is not allowed.
        """
        values = {name: environment.get(PREFIX + name.upper(), "") for name in cls.model_fields}
        try:
            return cls.model_validate({name: value for name, value in values.items() if value})
        except ValidationError as error:
            problem = error.errors()[0]
            name = PREFIX + str(problem["loc"][0]).upper()
            raise ServiceSettingsError(f"{name}: {problem['input']!r}: {problem['msg']}") from error
