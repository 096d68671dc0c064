"""Make the bucket of LYRICS_LAKE_URL if it is missing. Safe to run any number of times; keys as for everything else."""

import os
from urllib.parse import urlsplit

import boto3


def main() -> None:
    """Make the bucket."""
    bucket = urlsplit(os.environ["LYRICS_LAKE_URL"]).netloc
    client = boto3.client("s3")
    try:
        client.create_bucket(Bucket=bucket)
    except (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
        client.head_bucket(Bucket=bucket)  # fails if it is somebody else's


if __name__ == "__main__":
    main()
