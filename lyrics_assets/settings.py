"""Where an installation keeps its files, which sites it asks, and how much. Read once, by who puts it together."""

import os
from collections.abc import Mapping
from email.headerregistry import HeaderRegistry
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from scrapy_project.genres import find_genres

ROOT = Path(__file__).resolve().parents[1]
"""The root of the project, which holds workspace.yaml, bentofile.yaml, sweep.yaml."""

SANDBOX_ADDRESSES = {"letras": "http://127.0.0.1:8701", "vagalume": "http://127.0.0.1:8702"}
LIVE_ADDRESSES = {"letras": "https://www.letras.mus.br", "vagalume": "https://www.vagalume.com.br"}

_PREFIX = "LYRICS_"


_LOGINS = {
    "archive_url": "PGPASSWORD",
    "text_index_url": "PGPASSWORD",
    "tracking_uri": "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
}
"""Where the client of an address looks for who logs in."""


class SettingsError(ValueError):
    """A setting is not usable; the message names it and what is allowed."""


class Settings(BaseModel):
    """The settings of an installation; each is an environment variable, LYRICS_ and the field's name in capitals."""

    model_config = ConfigDict(frozen=True)

    home: Path = Field(ROOT / "var", description="Folder of every file that the project writes")
    sites: Literal["sandbox", "live"] = Field("sandbox", description="The sandbox on loopback, or the real sites")
    letras_url: str = Field("", description="Base address of Letras; empty for the one that `sites` implies")
    vagalume_url: str = Field("", description="Base address of Vagalume; empty for the one that `sites` implies")
    songs_per_genre: int = Field(100, ge=1, le=1000, description="Songs asked of each site for each genre")
    genres: str = Field("", description="Genres to ask for, parted by commas; all if empty")
    contact: str = Field("", description="Address in the crawler's User-Agent by which a site can reach you")
    lake_url: str = Field("", description="Root of the lake, as s3://bucket/lake; a folder in the home if empty")
    feature_store_url: str = Field("", description="Root of the Delta tables, likewise")
    dagster_home: str = Field("", description="Folder of the dagster.yaml to use; an instance in the home if empty")
    archive_url: str = Field("", description="SQLAlchemy URL of the page archive; SQLite under the home if empty")
    text_index_url: str = Field("", description="SQLAlchemy URL of the index of texts; SQLite under the home if empty")
    tracking_uri: str = Field("", description="URL of an MLflow server; SQLite under the home if empty")
    hopsworks_host: str = Field("", description="Hopsworks server, without https://; Delta tables in the home if empty")
    hopsworks_project: str = Field("", description="Project on that server")
    hopsworks_api_key: str = Field("", description="API key of that project", repr=False)
    hopsworks_port: int = Field(443, ge=1, le=65535, description="Port of the server's REST API")
    hopsworks_ca_file: str = Field(
        "", description="PEM file of the authority that signed the server; else the system's"
    )
    hopsworks_data_source: str = Field("", description="Data source (S3, GCS, ADLS) of the project that holds the rows")
    wandb_api_key: str = Field("", description="API key of Weights & Biases; the local engine if empty", repr=False)
    wandb_base_url: str = Field("https://api.wandb.ai", description="Of the W&B server")
    wandb_entity: str = Field("", description="User or team that owns the sweeps; the key's own if empty")
    wandb_project: str = Field("lyrics-classifier", description="Project of the sweeps")
    wandb_agents: int = Field(1, ge=1, description="Agents of a sweep on this machine")
    wandb_offline: bool = Field(False, description="Keep an offline W&B run of each trial of the local engine")
    dask_address: str = Field("", description="Dask scheduler for the local engine; this machine if empty")
    service_prediction_log: str = Field(
        "", description="Folder of the service's prediction log, which it reads itself too; in the home if empty"
    )
    smtp_host: str = Field("", description="Mail server; .eml files in the home if empty")
    smtp_port: int = Field(0, ge=0, le=65535, description="0 for the usual one: 587 (starttls), 465 (tls), 25 (none)")
    smtp_security: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is secured")
    smtp_user: str = Field("", description="Name to log into the mail server with; no login if empty")
    smtp_password: str = Field("", description="Of that user", repr=False)
    smtp_ca_file: str = Field("", description="PEM file of the authority that signed that server; else the system's")
    mail_from: str = Field("lyrics-classifier@localhost", description="Address that mails come from")
    mail_to: str = Field("operator@localhost", description="Addresses that mails go to, parted by commas")
    ui_url: str = Field("http://127.0.0.1:3000", description="Of the Dagster UI, to which mails link")
    hf_token: str = Field("", description="Token of the hub with write permission; no push if empty", repr=False)
    hf_space: str = Field("", pattern=r"^([\w.-]+/[\w.-]+)?$", description="Space to push to, as owner/name")
    hf_endpoint: str = Field("https://huggingface.co", description="Of the hub that holds the Space")
    hf_private: bool = Field(True, description="Show a Space that is made to its owner alone")
    extraction_cron: str = Field(
        "0 5,11,17 * * *", description="When a date is asked for, São Paulo; later ticks try again what failed"
    )
    training_cron: str = Field("0 7 * * 1", description="When a model is trained, São Paulo")
    tuning_cron: str = Field("0 1 1 * *", description="When hyperparameters are searched for, São Paulo")
    pruning_cron: str = Field("0 3 * * 0", description="When old files are removed, São Paulo")
    keep_archive_days: int = Field(90, ge=0, description="Days of downloaded pages; 0, here and below, keeps all")
    keep_raw_days: int = Field(365, ge=0, description="Days of raw songs, datasets and rejects")
    keep_report_days: int = Field(180, ge=0, description="Days of reports")
    keep_run_days: int = Field(90, ge=0, description="Days of Dagster's runs that nothing refers to any more")
    keep_bentos: int = Field(5, ge=0, description="Bentos, newest first, besides the champion's; at least 2 stay")
    keep_models: int = Field(20, ge=0, description="Model versions, newest first, besides champion and challenger")
    keep_prediction_days: int = Field(90, ge=0, description="Days of the service's prediction log")
    keep_mail_days: int = Field(90, ge=0, description="Days of mails in the outbox")
    stale_after_hours: int = Field(54, ge=2, description="Age at which the newest date counts as stale")
    model_stale_after_days: int = Field(15, ge=1, description="Age at which the newest model counts as stale")
    tuning_stale_after_days: int = Field(63, ge=1, description="Age at which the last search counts as stale")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings from LYRICS_* variables; what is not set, or empty, keeps its default.

        Raises:
            SettingsError: a value is not allowed.
        """
        values = {name: environment.get(_PREFIX + name.upper(), "") for name in cls.model_fields}
        for name, value in values.items():
            if _holds_login(value):
                # Addresses are shown in the UI and in lists of processes.
                advice = f" and set {_LOGINS[name]}" if name in _LOGINS else ""
                raise SettingsError(f"{_PREFIX}{name.upper()}: leave the password out{advice}")
        try:
            return cls.model_validate({name: value for name, value in values.items() if value})
        except ValidationError as error:
            problem = error.errors()[0]
            name = _PREFIX + str(problem["loc"][0]).upper()
            raise SettingsError(f"{name}: {problem['input']!r}: {problem['msg']}") from error

    def to_environment(self) -> dict[str, str]:
        """Return the variables that make a child process read these same settings."""
        return {_PREFIX + name.upper(): str(value) for name, value in self.model_dump().items()}

    @field_validator("genres")
    @classmethod
    def _genres_are_known(cls, names: str) -> str:
        find_genres(names)
        return names

    @field_validator("mail_from", "mail_to")
    @classmethod
    def _addresses_are_usable(cls, text: str) -> str:
        try:
            header = HeaderRegistry()("To", text)
            usable = not header.defects and all(address.username and address.domain for address in header.addresses)
        except IndexError:  # the parser's own, of "ana@"
            usable = False
        if not usable:
            raise ValueError("no mail address, such as ana@example.org, or several parted by commas")
        return text

    @property
    def genre_names(self) -> list[str]:
        """The genres to ask for."""
        return [genre.name for genre in find_genres(self.genres)]

    @property
    def lake(self) -> str:
        """Root of the lake."""
        return self.lake_url or str(self.home.absolute() / "lake")

    @property
    def feature_store(self) -> str:
        """Root of the Delta tables."""
        return self.feature_store_url or str(self.home.absolute() / "feature_store")

    @property
    def archive(self) -> str:
        """SQLAlchemy URL of the page archive; imitated pages are kept apart from real ones."""
        return self.archive_url or f"sqlite:///{self.home.absolute() / 'archive' / self.sites}.sqlite"

    @property
    def prediction_log(self) -> Path:
        """Folder into which the service logs its answers, and from which monitoring reads them."""
        return Path(self.service_prediction_log or self.home / "predictions").absolute()

    @property
    def text_index(self) -> str:
        """SQLAlchemy URL of the index of all texts seen; imitated songs are kept apart from real ones."""
        return self.text_index_url or f"sqlite:///{self.home.absolute() / 'text_index' / self.sites}.sqlite"

    @property
    def addresses(self) -> dict[str, str]:
        """Base address of each site."""
        implied = SANDBOX_ADDRESSES if self.sites == "sandbox" else LIVE_ADDRESSES
        return {
            "letras": self.letras_url or implied["letras"],
            "vagalume": self.vagalume_url or implied["vagalume"],
        }


def _holds_login(address: str) -> bool:
    """Tell whether an address holds a password, or a token where the name stands."""
    if "://" not in address:
        return False
    parts = urlsplit(address)
    named = parts.scheme in ("http", "https") and parts.username
    return bool(parts.password or named or "password" in parse_qs(parts.query))
