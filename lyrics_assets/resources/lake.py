"""The lake: files by name under one root, local or on any store that fsspec knows. Nothing half-written is seen."""

import datetime as dt
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from lyrics_assets.resources.object_store import is_object_store, open_filesystem

if TYPE_CHECKING:
    import pyarrow as pa
    from fsspec import AbstractFileSystem


class Lake(dg.ConfigurableResource):
    """Raw songs, datasets and reports. A name is a relative path such as ``raw/letras/2026-11-24.jsonl``."""

    root: str = Field(description="Folder, or any fsspec URL such as s3://bucket/prefix")

    def url(self, name: str) -> str:
        """Return the full address of a name."""
        return f"{self.root.rstrip('/')}/{name}"

    def exists(self, name: str) -> bool:
        """Tell whether a file of that name is published."""
        return bool(self._filesystem().exists(self.url(name)))

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, sorted; none if it does not exist."""
        filesystem = self._filesystem()
        if not filesystem.exists(self.url(folder)):
            return []
        files = (path.rsplit("/", 1)[-1] for path in filesystem.ls(self.url(folder), detail=False))
        return sorted(f"{folder}/{file}" for file in files if not file.endswith(".part"))

    def folders(self, folder: str) -> list[str]:
        """Return what the folders in a folder are called, sorted; none if it does not exist."""
        filesystem = self._filesystem()
        if not filesystem.exists(self.url(folder)):
            return []
        entries = filesystem.ls(self.url(folder), detail=True)
        return sorted(entry["name"].rstrip("/").rsplit("/", 1)[-1] for entry in entries if entry["type"] == "directory")

    def all_names(self) -> list[str]:
        """Return the names of all files, sorted."""
        filesystem = self._filesystem()
        if not filesystem.exists(self.root):
            return []
        prefix = self.root.rpartition("://")[2].strip("/") + "/"
        found = (path.strip("/").removeprefix(prefix) for path in filesystem.find(self.root))
        return sorted(name for name in found if not name.endswith(".part"))

    def read_bytes(self, name: str) -> bytes:
        """Return the content of a file.

        Raises:
            dg.Failure: it does not exist; the message says what to materialize.
        """
        self._must_exist(name)
        return bytes(self._filesystem().cat_file(self.url(name)))

    def write_bytes(self, name: str, content: bytes) -> str:
        """Publish a file whole, replacing one of the same name; return its address."""
        with self._publishing(name) as part:
            self._filesystem().pipe_file(part, content)
        return self.url(name)

    def publish(self, local_file: str, name: str) -> str:
        """Publish a local file whole, replacing one of the same name; return its address."""
        with self._publishing(name) as part:
            self._filesystem().put_file(local_file, part)
        return self.url(name)

    def read_json(self, name: str) -> Any:
        """Return the value of a JSON file."""
        return json.loads(self.read_bytes(name))

    def write_json(self, name: str, value: Any) -> str:
        """Publish a value as indented JSON; return its address."""
        return self.write_bytes(name, json.dumps(value, ensure_ascii=False, indent=2).encode())

    def read_lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file with their ends, a piece of the file at a time.

        Raises:
            dg.Failure: it does not exist; the message says what to materialize.
        """
        self._must_exist(name)
        with self._filesystem().open(self.url(name), "rb") as lines:
            yield from lines

    def read_json_lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield the object on each line."""
        return map(json.loads, self.read_lines(name))

    def read_table(self, name: str) -> "pa.Table":
        """Return a Parquet file as an Arrow table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        return pq.read_table(pa.BufferReader(self.read_bytes(name)))

    def write_table(self, name: str, table: "pa.Table") -> str:
        """Publish an Arrow table as Parquet; return its address."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        return self.write_bytes(name, sink.getvalue().to_pybytes())

    def size(self, name: str) -> int:
        """Return how many bytes a file holds."""
        return int(self._filesystem().size(self.url(name)))

    def modified(self, name: str) -> dt.datetime:
        """Return when a file was published, UTC."""
        when = self._filesystem().modified(self.url(name))
        return when if when.tzinfo else when.replace(tzinfo=dt.UTC)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that it holds; nothing happens if it is gone already."""
        filesystem = self._filesystem()
        if filesystem.exists(self.url(name)):
            filesystem.rm(self.url(name), recursive=True)

    def _must_exist(self, name: str) -> None:
        if not self.exists(name):
            raise dg.Failure(f"{self.url(name)} does not exist: materialize what writes it first", allow_retries=False)

    @contextmanager
    def _publishing(self, name: str) -> Iterator[str]:
        """Yield the address to write; when that went well, move it to its name, atomically on a local disk.

        An object store shows a file when it has all of it: there it is written straight under its name.
        """
        filesystem, target = self._filesystem(), self.url(name)
        if is_object_store(self.root):
            yield target
            return
        part = f"{target}.{uuid.uuid4().hex}.part"
        filesystem.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        try:
            yield part
            filesystem.mv(part, target)
        finally:
            if filesystem.exists(part):
                filesystem.rm_file(part)

    def _filesystem(self) -> "AbstractFileSystem":
        from fsspec.core import url_to_fs

        if is_object_store(self.root):
            return open_filesystem(self.root)
        filesystem: AbstractFileSystem = url_to_fs(self.root)[0]
        return filesystem
