"""The history of the dataset in a Delta table in an object store, which refuses the second of two equal commits."""

import uuid

import boto3
import botocore.exceptions
import pytest

from lyrics_assets.resources.feature_store import DeltaFeatureStore
from lyrics_assets_tests.object_server import environment, make_bucket, running_object_store
from lyrics_assets_tests.resources.feature_store_contract import FeatureStoreContract, at_once, songs, writer


@pytest.fixture(scope="module")
def variables():
    with running_object_store() as variables, environment(variables):
        yield variables


@pytest.fixture
def store(variables):
    return DeltaFeatureStore(root=make_bucket(variables, f"bucket-{uuid.uuid4().hex}"))


class TestDeltaInABucket(FeatureStoreContract):
    """The contract, and what it rests upon."""

    def test_the_store_refuses_to_write_over_a_file_that_is_there(self, store):
        store.replace_date(songs("Um"))
        client, bucket = boto3.client("s3"), store.root.removeprefix("s3://")
        keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]]
        (first,) = [key for key in keys if key.endswith("_delta_log/00000000000000000000.json")]
        with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
            client.put_object(Bucket=bucket, Key=first, Body=b"another", IfNoneMatch="*")

    def test_of_many_writers_at_once_each_makes_a_commit_of_its_own(self, store):
        store.replace_date(songs("Zero"))
        before = store.commits()[0].version
        assert at_once(*(writer(store, songs(f"Número {number}")) for number in range(4))) == []
        assert store.commits()[0].version == before + 4
