"""The history of the dataset in a real Delta table."""

import pytest

from lyrics_assets.resources.feature_store import DeltaFeatureStore
from lyrics_assets_tests.resources.feature_store_contract import (
    DATE,
    TOMORROW,
    FeatureStoreContract,
    songs,
    titles,
)


@pytest.fixture
def store(tmp_path):
    return DeltaFeatureStore(root=str(tmp_path / "store"))


class TestDelta(FeatureStoreContract):
    """The contract, and what the table's own log promises besides."""

    def test_a_date_is_one_commit(self, store):
        store.replace_date(songs("Um"))
        before = store.commits()[0].version
        store.replace_date(songs("Dois", "Três"))
        assert store.commits()[0].version == before + 1

    def test_commits_are_the_versions_of_the_table(self, store):
        store.replace_date(songs("Um"))
        store.replace_date(songs("Dois", date=TOMORROW))
        commits = store.commits()
        assert [commit.version for commit in commits] == [2, 1, 0]
        assert [commit.operation for commit in commits] == ["WRITE", "WRITE", "CREATE TABLE"]

    def test_training_data_name_the_newest_commit(self, store):
        store.replace_date(songs("Um"))
        assert store.training_data(DATE, 30).version == "commit 1"

    def test_a_slash_at_the_end_of_the_root_changes_nothing(self, store):
        store.replace_date(songs("Um"))
        assert titles(DeltaFeatureStore(root=store.root + "/").read_date(DATE)) == ["Um"]
