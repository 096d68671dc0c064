"""The contract server of Hopsworks as a process of its own; where another one runs, it waits for its end."""

import json
import subprocess
import sys

from lyrics_assets.resources.hopsworks import HopsworksFeatureStore
from lyrics_assets_tests.resources.feature_store_contract import DATE, songs, titles


def test_it_serves_a_store_and_ends_with_its_input(tmp_path):
    command = [sys.executable, "-m", "lyrics_assets_tests.hopsworks_server", "--folder", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        store = HopsworksFeatureStore(**json.loads(server.stdout.readline()))
        store.replace_date(songs("Um"))
        assert titles(store.read_date(DATE)) == ["Um"]
        server.stdin.close()
        assert server.wait(30) == 0
