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
    seed: int = Field(0, description="Of the folds, of the estimator and of the sampler")
    folder: str = Field(
        "", description="Where what was measured is kept, so that a killed search goes on; empty: nowhere"
    )
    max_seconds: float | None = Field(None, gt=0, description="After how long no fold is begun any more; unset: never")

    @abstractmethod
    def search(self, songs: "pd.DataFrame") -> "list[Trial]":
        """Return the trials of the sweep, best first.

        Args:
            songs: training songs only; columns artist, genre, lyrics, lyrics_group.

        Raises:
            SweepError: the sweep asks for what is not honoured.
            SearchError: no trial could be measured, or who should measure is out of reach.
        """


class LocalTuner(Tuner):
    """Runs the sweep on Optuna: on the cores of this machine, or on a Dask cluster."""

    cores: int | None = Field(None, ge=1, description="Processes that measure; unset: one for each core")
    dask_address: str = Field("", description="Of a Dask scheduler, such as tcp://10.0.0.5:8786; empty: this machine")

    def search(self, songs: "pd.DataFrame") -> "list[Trial]":
        """Run the trials; the same seed gives the same ones wherever they run, a small search in this process."""
        from lyrics_assets.model.sweeps import read_sweep
        from lyrics_assets.model.tuning import search_songs
        from lyrics_assets.model.workers import choose_workers

        sweep = read_sweep(Path(self.sweep))
        return search_songs(
            sweep,
            songs,
            self.n_folds,
            self.seed,
            folder=Path(self.folder) if self.folder else None,
            workers=choose_workers(self.cores, self.dask_address, len(songs), sweep.n_trials),
            max_seconds=self.max_seconds,
        )
