"""A second registry to which each registered model is published, for those who look for models in another place."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import dagster as dg


class MirrorError(RuntimeError):
    """The model could not be published; the message says what to do."""


class ModelMirror(dg.ConfigurableResource, ABC):
    """Publishes versions of the model beside the registry that numbers them."""

    @abstractmethod
    def publish(self, folder: Path, version: int, metrics: Mapping[str, float], tags: Mapping[str, str]) -> str | None:
        """Publish the files of a version, once: a version that is there is left as it is.

        Returns:
            An address at which a person can look at it; None if it was published nowhere.

        Raises:
            MirrorError: it is not there.
        """


class NoMirror(ModelMirror):
    """Publishes nowhere."""

    def publish(self, folder: Path, version: int, metrics: Mapping[str, float], tags: Mapping[str, str]) -> str | None:
        """Do nothing."""
        return None
