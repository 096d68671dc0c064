"""The model as MLflow calls it."""

from types import SimpleNamespace

import pandas as pd
import pytest

from lyrics_assets_tests.corpus import TWO_GENRES, scorer, songs


def test_a_frame_of_lyrics_gets_the_scorers_probabilities_a_column_a_genre(tmp_path):
    from lyrics_assets.model.mlflow_model import GenreModel

    scorer(*TWO_GENRES).save(tmp_path)
    model = GenreModel()
    model.load_context(SimpleNamespace(artifacts={"scorer": str(tmp_path)}))
    texts = [*songs(*TWO_GENRES)["lyrics"][::9], ""]
    found = model.predict(None, pd.DataFrame({"lyrics": texts, "title": "left alone"}))
    assert list(found.columns) == scorer(*TWO_GENRES).classes
    for text, row in zip(texts, found.to_dict("records"), strict=True):
        assert row == pytest.approx(scorer(*TWO_GENRES).probabilities(text))
