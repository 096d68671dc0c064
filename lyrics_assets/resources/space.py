"""The Hugging Face Space: a folder that is ready to push, by default not pushed."""

import shutil
import uuid
from abc import ABC, abstractmethod
from pathlib import Path

import dagster as dg
from pydantic import Field


class Space(dg.ConfigurableResource, ABC):
    """Publishes the folder of a Space."""

    @abstractmethod
    def publish(self, folder: Path) -> str:
        """Publish a complete folder, replacing the last one; return where it stands."""


class SpaceFolder(Space):
    """Keeps the Space as a local folder."""

    folder: str = Field(description="Where the folder stands")

    def publish(self, folder: Path) -> str:
        """Copy the folder beside the last one, then take its place."""
        target = Path(self.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"{target.name}.{uuid.uuid4().hex}.part")
        shutil.copytree(folder, fresh)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
        return str(target)
