"""What a model came from: the training set by its digest, the code by its commit."""

import hashlib
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from lyrics_assets.lyrics.identity import lyrics_hash

_PACKAGE = "lyrics-classifier"
_METADATA_KEY = b"lyrics_training_set"
_GIT_SECONDS = 10


class TrainingSetFacts(BaseModel):
    """How a training set was made; it travels in the metadata of its Parquet file, so that the two cannot part."""

    model_config = ConfigDict(frozen=True)

    digest: str = Field(description="32 hexadecimal digits of song ids, dates, splits and lyrics hashes")
    rows: int = Field(description="Songs")
    n_train: int = Field(description="Songs that teach")
    n_test: int = Field(description="Songs that examine")
    first_extraction_date: str = Field(description="Oldest date of the window that the store holds, ISO")
    last_extraction_date: str = Field(description="Newest one")
    store_version: str = Field("unknown", description="State of the feature store that was read")
    window_days: int | None = Field(None, description="Days up to as_of from which each song's newest row was taken")
    test_share: float | None = Field(None, description="Expected share of artists that only examine")
    split_seed: int | None = Field(None, description="Of the artists' places")

    @classmethod
    def of(cls, songs: pd.DataFrame, **known: Any) -> Self:
        """Return the facts of songs with their splits, and what else is known of how they were chosen."""
        dates = songs["extraction_date"].astype(str)
        counts = songs["split"].value_counts()
        facts: dict[str, Any] = {
            "digest": digest(songs),
            "rows": len(songs),
            "n_train": int(counts.get("train", 0)),
            "n_test": int(counts.get("test", 0)),
            "first_extraction_date": dates.min(),
            "last_extraction_date": dates.max(),
        }
        return cls(**facts | known)

    @classmethod
    def read(cls, metadata: dict[bytes, bytes] | None, songs: pd.DataFrame) -> Self:
        """Return the facts that an Arrow schema's metadata holds; what the songs themselves tell if it holds none."""
        if metadata and _METADATA_KEY in metadata:
            return cls.model_validate_json(metadata[_METADATA_KEY])
        return cls.of(songs)

    def to_metadata(self) -> dict[bytes, bytes]:
        """Return the facts as metadata of an Arrow schema."""
        return {_METADATA_KEY: self.model_dump_json().encode()}

    def to_tags(self) -> dict[str, str]:
        """Return the facts as tags; what is not known is left out."""
        values = self.model_dump(exclude_none=True)
        return {("dataset_digest" if name == "digest" else name): str(value) for name, value in values.items()}


def digest(songs: pd.DataFrame) -> str:
    """Return 32 hexadecimal digits that change if a song, its date, its side or its text does; the order is no matter.

    Args:
        songs: columns song_id, extraction_date, split, lyrics.
    """
    columns = (songs["song_id"], songs["extraction_date"].astype(str), songs["split"], songs["lyrics"].map(lyrics_hash))
    rows = sorted("\x1f".join(row) for row in zip(*columns, strict=True))
    return hashlib.blake2b("\n".join(rows).encode(), digest_size=16).hexdigest()


def code_version(root: Path) -> str:
    """Return the version of the package and, if `root` is a Git checkout, its commit and whether files were changed.

    Such as ``0.1.0+g1a2b3c4d5e6f`` or ``0.1.0+g1a2b3c4d5e6f.dirty``; never a path.
    """
    try:
        released = version(_PACKAGE)
    except PackageNotFoundError:
        released = "0"
    # A package that was installed inside somebody else's checkout has no commit of its own.
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return released
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    changed = _git(root, "status", "--porcelain")
    return f"{released}+g{commit}{'.dirty' if changed else ''}" if commit else released


def _git(root: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    try:
        done = subprocess.run(
            [git, "-C", str(root), *arguments], capture_output=True, text=True, timeout=_GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
