"""An object store that speaks S3, on loopback and in memory: moto's, with keys and a bucket of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from obstore.fsspec import FsspecStore

from lyrics_assets.resources import tether
from lyrics_assets_tests.serving.parts import free_port

ACCESS_KEY, SECRET_KEY = "AKIALYRICS", "the-secret-key-of-the-object-store"


@contextmanager
def running_object_store() -> Iterator[dict[str, str]]:
    """Serve for as long as the context lasts; yield the variables by which every client finds it.

    In a process of its own: Delta Lake does not let others of its process work while it waits for an answer.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        # With a pause that doubles: bounded by about a minute.
        with httpx.Client(transport=httpx.HTTPTransport(retries=8), timeout=30) as client:
            client.get(f"{address}/moto-api/data.json").raise_for_status()
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }
    finally:
        tether.end(process, 15)
        # A client is kept for a process; the next server, of the same buckets, has another port.
        FsspecStore.clear_instance_cache()


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Lay the variables over this process' own for as long as the context lasts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def make_bucket(variables: dict[str, str], name: str) -> str:
    """Make a bucket and return its URL."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name=variables["AWS_REGION"],
    )
    client.create_bucket(Bucket=name)
    return f"s3://{name}"
