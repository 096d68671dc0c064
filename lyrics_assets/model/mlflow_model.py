"""The scorer as MLflow loads it ("models from code"): no pickle, and `mlflow models serve` works.

MLflow runs this file when a model is logged or loaded; nothing imports it.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from lyrics_assets.model.scorer import Scorer


class GenreModel(PythonModel):
    """A frame with the column ``lyrics`` in, one column of probabilities a genre out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the scorer's files, which MLflow keeps as the artifact ``scorer``."""
        self._scorer = Scorer.load(Path(context.artifacts["scorer"]), with_songs=False)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return the probability of each genre, one row a lyric."""
        rows = [self._scorer.probabilities(str(lyrics)) for lyrics in model_input["lyrics"]]
        return pd.DataFrame(rows, columns=self._scorer.classes)


set_model(GenreModel())
