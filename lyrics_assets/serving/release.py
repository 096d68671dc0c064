"""The release file: which model a Bento or a Space serves, fixed when it is built and read when it starts."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

FILE = "release.json"

# A tuple's own schema is one that few readers of API documents know.
Interval = Annotated[
    tuple[float, float],
    WithJsonSchema({"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
]


class Release(BaseModel):
    """What is served. An alias is resolved once, here: a Bento never changes its model under its clients."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    model_tag: str | None = Field(None, description="Exact tag in BentoML's model store, None in a Space")
    version: int = Field(description="Version in the model registry")
    alias: str = Field(description="Alias in the registry when it was released")
    extraction_dates: list[str] = Field(description="First and last extraction date that it learned from")
    macro_f1: float = Field(description="Macro-F1 on artists that it never saw")
    macro_f1_interval: Interval = Field(description="95 % bootstrap interval of macro_f1")
    n_train: int = Field(description="Songs that it learned from")
    trained_at: str = Field(description="UTC, ISO 8601")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the release file of a Bento's or Space's folder."""
        return cls.model_validate_json((folder / FILE).read_text(encoding="utf-8"))

    def write(self, folder: Path) -> None:
        """Write the release file into a folder."""
        (folder / FILE).write_text(self.model_dump_json(indent=2), encoding="utf-8")
