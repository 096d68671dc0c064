"""Commands that serve until they are interrupted."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import click

from lyrics_assets.cli.options import at_work, home_option, read_settings, sandbox_for
from lyrics_assets.home_guard import must_be_writable
from lyrics_assets.settings import ROOT


@click.command()
@click.option("--songbook", type=click.Path(path_type=Path), help="Songs to show: a file or a folder.")
@click.option("--latency-ms", type=click.IntRange(0), default=0, show_default=True, help="Delay of every answer.")
@click.option("--faults", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Share of failing answers.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of charts and faults.")
@click.option("--letras-port", type=click.IntRange(0, 65535), default=8701, show_default=True, help="0 for a free one.")
@click.option("--vagalume-port", type=click.IntRange(0, 65535), default=8702, show_default=True, help="0 likewise.")
def sandbox(songbook: Path | None, **options: float) -> None:
    """Serve both sites, imitated, on loopback until interrupted."""
    command = [sys.executable, "-m", "scrapy_project.sandbox"]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    if songbook:
        command += ["--songbook", str(songbook)]
    sys.exit(run_server(command, os.environ))


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=3000, show_default=True)
@home_option
def ui(port: int, home: Path | None) -> None:
    """Serve the Dagster UI, and the sandbox unless the live sites are set, until interrupted."""
    from lyrics_assets.runs import end_dead_runs, open_instance, write_instance_config

    settings = read_settings(home)
    # A second daemon would start whatever is on a second time. A run beside it is well: the pools part them.
    with at_work(settings, "ui") as lock, sandbox_for(settings, None, fixed_ports=True) as settings:
        with open_instance(settings.home, settings.dagster_home) as instance:
            end_dead_runs(instance, launched_too=True)  # the lock says that no other daemon is here
        environment = os.environ | settings.to_environment()
        environment["DAGSTER_HOME"] = settings.dagster_home or str(write_instance_config(settings.home))
        click.echo(f"Dagster UI: http://127.0.0.1:{port}  (Ctrl-C stops it)")
        command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
        sys.exit(run_server(command, environment, keep_open=(lock,)))


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Default: LYRICS_SERVICE_PORT, or 3001.")
@click.option("--bento", default="latest", show_default=True, help="latest, previous, or a Bento's tag.")
@home_option
def serve(port: int | None, bento: str, home: Path | None) -> None:
    """Serve a Bento, endpoint and page, until interrupted."""
    from lyrics_assets.definitions import build_resources
    from lyrics_assets.serving.settings import ServiceSettings

    if port is None:
        port = ServiceSettings.from_environment().port
    settings = read_settings(home)
    store = build_resources(settings)["bento_store"]
    if settings.home.exists():
        must_be_writable(settings.home.absolute())
    tag = store.find(bento)
    click.echo(f"{tag}: http://127.0.0.1:{port}  (Ctrl-C stops it)")
    # What is set empty means no log, here as everywhere.
    log = {"LYRICS_SERVICE_PREDICTION_LOG": str(settings.prediction_log)}
    sys.exit(run_server(store.serve_command(tag, port), log | os.environ | store.environment()))


def run_server(command: list[str], environment: Mapping[str, str], keep_open: Sequence[int] = ()) -> int:
    """Run a server in the foreground to its end; it never outlives this process, unless that is killed.

    Args:
        command: that starts it.
        environment: of it.
        keep_open: numbers of open files that it has too, such as a lock's.
    """
    process = subprocess.Popen(command, env=dict(environment), cwd=ROOT, pass_fds=keep_open)
    try:
        while True:
            # Ctrl-C reaches the server too, which then ends by itself.
            with suppress(KeyboardInterrupt):
                return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
