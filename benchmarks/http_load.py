"""Asks a server for a while: `python -m benchmarks.http_load PORT PATH KIND CLIENTS SECONDS RATE SEED` prints JSON.

A process of its own, so that its work is not counted as the server's or the benchmark's.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.corpus import LyricWriter


def _body(kind: str, lyrics: str) -> bytes:
    values: dict[str, Any] = {"lyrics": lyrics}
    if kind == "mlflow":
        values = {"dataframe_records": [values]}
    elif kind == "explained":
        values |= {"explain": True, "neighbours": 5}
    return json.dumps(values).encode()


def _requests(path: str, kind: str, seed: int, number: int) -> list[bytes]:
    writer = LyricWriter(seed)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    bodies = (_body(kind, writer.write(index)) for index in range(number))
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies]


async def _client(
    port: int, requests: Iterator[bytes], until: float, pause: float, told: list[tuple[float, bool]]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    due = time.perf_counter()
    for request in requests:
        if time.perf_counter() >= until:
            break
        if pause:
            due += pause
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
        told.append((time.perf_counter() - began, head[9:12] == b"200"))
    writer.close()


async def _load(
    port: int, path: str, kind: str, clients: int, seconds: float, rate: float, seed: int
) -> dict[str, Any]:
    expected = rate * seconds if rate else seconds * 1_500
    requests = iter(_requests(path, kind, seed, int(expected) + 64))
    told: list[tuple[float, bool]] = []
    began = time.perf_counter()
    pause = clients / rate if rate else 0.0
    loads = (_client(port, requests, began + seconds, pause, told) for _ in range(clients))
    ended = await asyncio.gather(*loads, return_exceptions=True)
    took = time.perf_counter() - began
    times = sorted(milliseconds * 1000 for milliseconds, _ in told)
    broken = sum(isinstance(result, BaseException) for result in ended)
    return {
        "requests": len(times),
        "requests_a_second": len(times) / took,
        "p50": times[len(times) // 2],
        "p99": times[int(len(times) * 0.99)],
        "failed": sum(not well for _, well in told) + broken,
    }


if __name__ == "__main__":
    port, path, kind, clients, seconds, rate, seed = sys.argv[1:]
    found = asyncio.run(_load(int(port), path, kind, int(clients), float(seconds), float(rate), int(seed)))
    print(json.dumps(found))
