"""The command: ``python -m scrapy_project.sandbox``."""

import sys
from pathlib import Path

import click

from scrapy_project.sandbox.songbook import PACKAGED_SONGBOOK, SongbookError

_PORT = click.IntRange(0, 65535)


@click.command(context_settings={"show_default": True})
@click.option(
    "--songbook",
    type=click.Path(path_type=Path),
    default=PACKAGED_SONGBOOK,
    show_default="the packaged one",
    help="Folder of *.jsonl files, or one file; see songbook/README.md for the format.",
)
@click.option("--letras-port", type=_PORT, default=8701, help="Port of Letras.mus.br; 0 takes any free one.")
@click.option("--vagalume-port", type=_PORT, default=8702, help="Port of Vagalume.com.br; 0 takes any free one.")
@click.option("--latency-ms", type=click.IntRange(min=0), default=0, help="Milliseconds to an answer's first byte.")
@click.option("--faults", type=click.FloatRange(0, 1), default=0.0, help="Share of paths whose first answer fails.")
@click.option("--seed", type=int, default=0, help="What the movement of the charts and the faults depend on.")
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--exit-with-stdin", is_flag=True, help="End when stdin ends, as it does when the parent dies.")
def main(
    songbook: Path,
    letras_port: int,
    vagalume_port: int,
    latency_ms: int,
    faults: float,
    seed: int,
    host: str,
    exit_with_stdin: bool,
) -> None:
    """Imitate Letras.mus.br and Vagalume.com.br on loopback.

    One line of JSON on stdout tells the addresses once both sites answer. The request header X-Sandbox-Date:
    YYYY-MM-DD sets the date that a site shows.
    """
    # Imported late: --help and usage errors need no server.
    from scrapy_project.sandbox.server import Options, PortError, run

    options = Options(
        songbook=songbook,
        host=host,
        letras_port=letras_port,
        vagalume_port=vagalume_port,
        latency_ms=latency_ms,
        faults=faults,
        seed=seed,
        exit_with_stdin=exit_with_stdin,
    )
    try:
        run(options)
    except (SongbookError, PortError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
