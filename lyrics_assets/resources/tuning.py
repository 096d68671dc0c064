"""The search for hyperparameters, as sweep.yaml describes it: on a local engine by default, or on W&B."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from lyrics_assets.resources.secrets import reveal

if TYPE_CHECKING:
    import pandas as pd

    from lyrics_assets.model.tuning import Trial
    from lyrics_assets.model.wandb_processes import WandbAccount


_ENDLESS = 30 * 24 * 3600.0


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
    wandb_offline: str = Field("", description="Folder of one offline W&B run a trial, for `wandb sync`; empty: none")

    def search(self, songs: "pd.DataFrame") -> "list[Trial]":
        """Run the trials; the same seed gives the same ones wherever they run, a small search in this process."""
        from lyrics_assets.model.sweeps import read_sweep
        from lyrics_assets.model.tuning import search_songs
        from lyrics_assets.model.workers import choose_workers

        sweep = read_sweep(Path(self.sweep))
        trials = search_songs(
            sweep,
            songs,
            self.n_folds,
            self.seed,
            folder=Path(self.folder) if self.folder else None,
            workers=choose_workers(self.cores, self.dask_address, len(songs), sweep.n_trials),
            max_seconds=self.max_seconds,
        )
        if self.wandb_offline:
            from lyrics_assets.model.cross_validation import identify
            from lyrics_assets.model.wandb_processes import keep_offline_runs

            keep_offline_runs(trials, Path(self.wandb_offline), digest=identify(songs, self.n_folds, self.seed))
        return trials


class WandbTuner(Tuner):
    """Runs the sweep on Weights & Biases, with agents on this machine and on any other that joins."""

    max_seconds: float | None = Field(6 * 3600.0, gt=0, description="After how long the agents are ended")
    base_url: str = Field("https://api.wandb.ai", description="Of the W&B server")
    api_key: str = Field(description="Of W&B, 40 characters or more")
    entity: str = Field("", description="User or team that owns the sweep; empty: the key's own")
    project: str = Field("lyrics-classifier", min_length=1, description="Project of the sweep")
    sweep_id: str = Field("", description="Of a sweep to join; empty: a new one, or the one that `folder` knows of")
    agents: int = Field(1, ge=1, description="Processes that measure, one trial each at a time")
    timeout: float = Field(30.0, gt=0, description="Seconds that the server may take for an answer")
    heartbeat_seconds: float = Field(5.0, gt=0, description="Between an agent's questions to the server")

    def search(self, songs: "pd.DataFrame") -> "list[Trial]":
        """Run the sweep to its end, with the agents that are here and those that join; W&B draws the settings."""
        from lyrics_assets.model.sweeps import read_sweep
        from lyrics_assets.model.wandb_processes import search_on_wandb

        return search_on_wandb(
            self._account(),
            read_sweep(Path(self.sweep)),
            songs,
            self.n_folds,
            self.seed,
            sweep_id=self.sweep_id,
            folder=Path(self.folder) if self.folder else None,
            n_agents=self.agents,
            max_seconds=self.max_seconds or _ENDLESS,
            heartbeat_seconds=self.heartbeat_seconds,
        )

    def work(self, sweep_id: str, songs: "pd.DataFrame") -> "list[Trial]":
        """Lend this machine to a sweep that another one has created; return the trials so far, best first.

        Args:
            sweep_id: as the other machine or W&B's page says it.
            songs: the same training songs as there; the folds and their seed are those that the sweep names.

        Raises:
            SearchError: W&B is out of reach, there is no such sweep, or it is measured on other songs.
        """
        from lyrics_assets.model.wandb_processes import work_for_sweep

        return work_for_sweep(
            self._account(),
            sweep_id,
            songs,
            n_agents=self.agents,
            max_seconds=self.max_seconds or _ENDLESS,
            heartbeat_seconds=self.heartbeat_seconds,
        )

    def _account(self) -> "WandbAccount":
        from lyrics_assets.model.wandb_processes import WandbAccount

        return WandbAccount(self.base_url, reveal(self.api_key), self.entity, self.project, self.timeout)
