"""The search for hyperparameters, as sweep.yaml describes it, on a local engine by default."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    import pandas as pd

    from lyrics_assets.model.tuning import Trial


class Tuner(dg.ConfigurableResource, ABC):
    """Runs the sweep on the training songs."""

    sweep: str = Field(description="Path of the sweep.yaml")
    n_folds: int = Field(3, ge=2, le=10, description="Cross-validation folds, of whole artists")
    seed: int = Field(0, description="Of the folds and of the sampler")

    @abstractmethod
    def search(self, songs: "pd.DataFrame") -> "list[Trial]":
        """Return the trials of the sweep, best first.

        Args:
            songs: training songs only; columns artist, genre, lyrics.

        Raises:
            SweepError: the sweep asks for what the engine cannot honour.
        """


class LocalTuner(Tuner):
    """Runs the sweep in this process, on Optuna."""

    def search(self, songs: "pd.DataFrame") -> "list[Trial]":
        """Run the trials one after another; vectorizations are shared between them."""
        from lyrics_assets.model.tuning import CrossValidation, read_sweep, search

        return search(read_sweep(Path(self.sweep)), CrossValidation(songs, self.n_folds, self.seed))
