"""The home: the folder of every file that this machine keeps. How large its parts are, and how full its disk is."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

import dagster as dg
from pydantic import Field

_BLOCK = 512
"""Bytes of what the system calls a block of a file, whatever the disk's own are."""


class Disk(NamedTuple):
    """The disk of the home."""

    total: int
    """Bytes."""
    free: int
    """Bytes that a user may still write."""


class Home(dg.ConfigurableResource):
    """The home's folder. What a setting keeps elsewhere, such as on a server, is not in it and is not counted."""

    folder: str = Field(description="Folder of every file that the project writes on this machine")

    def stores(self) -> dict[str, int]:
        """Return the bytes that each of the home's folders takes on the disk; none if there is no home yet."""
        home = Path(self.folder)
        folders = sorted(path for path in home.iterdir() if path.is_dir()) if home.is_dir() else []
        return {path.name: _disk_usage(path) for path in folders}

    def disk(self) -> Disk:
        """Return the size of the disk on which the home is, or will be."""
        place = Path(self.folder).absolute()
        while not place.exists():
            place = place.parent
        found = shutil.disk_usage(place)
        return Disk(found.total, found.free)


def _disk_usage(folder: Path) -> int:
    size = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                size += Path(place, name).lstat().st_blocks * _BLOCK
            except OSError:
                continue  # it is gone already
    return size
