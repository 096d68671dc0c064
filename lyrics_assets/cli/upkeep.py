"""Commands that keep an installation well: an earlier champion, more hands for a search, room, a move to servers."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lyrics_assets.cli.options import at_work, home_option, read_settings, registered
from lyrics_assets.home_guard import must_be_writable
from lyrics_assets.settings import Settings

if TYPE_CHECKING:
    from lyrics_assets.resources.lake import Lake
    from lyrics_assets.resources.tracking import Tracking


@click.command()
@click.option("--to", type=click.IntRange(1), metavar="VERSION", help="An earlier champion. Default: the one before.")
@click.option("--release/--no-release", default=True, help="Build its Bento and its Space too. Default: yes.")
@home_option
@click.pass_obj
def rollback(verbose: bool, to: int | None, release: bool, home: Path | None) -> None:
    """Make the previous champion champion again, and release it."""
    from lyrics_assets.definitions import build_resources

    settings = read_settings(home)
    tracking: Tracking = build_resources(settings)["tracking"]  # type: ignore[assignment]
    registered(tracking)  # else a home would be made for nothing
    with at_work(settings):
        _roll_back(tracking, to)
        if release:
            from lyrics_assets.cli.sessions import open_session

            with open_session(settings, verbose=verbose) as session:
                session.release()
        else:
            click.echo("The last Bento stays as it is until release_job is run.")


def _roll_back(tracking: "Tracking", to: int | None) -> None:
    done = tracking.rollback(to)
    tags = done.after.tags
    measured = f"macro-F1 {float(tags['macro_f1']):.3f}, " if "macro_f1" in tags else ""
    before = f" instead of version {done.before}" if done.before else ""
    click.echo(
        f"Version {done.after.version} is champion again{before} ({measured}lyrics up to "
        f"{tags.get('last_extraction_date', 'an unknown date')})."
    )


@click.command()
@click.argument("sweep_id")
@home_option
def agent(sweep_id: str, home: Path | None) -> None:
    """Lend this machine to the W&B sweep SWEEP_ID, which another one has begun on the same training set."""
    from lyrics_assets.assets.training import TRAINING_SET
    from lyrics_assets.definitions import build_resources
    from lyrics_assets.resources.tuning import WandbTuner

    resources = build_resources(read_settings(home))
    lake: Lake = resources["lake"]  # type: ignore[assignment]
    tuner = resources["tuner"]
    if not isinstance(tuner, WandbTuner):
        raise click.UsageError("LYRICS_WANDB_API_KEY is not set: there is no W&B to ask for the sweep")
    songs = lake.read_table(TRAINING_SET).to_pandas()
    trials = tuner.work(sweep_id, songs[songs["split"] == "train"].reset_index(drop=True))
    best = f", the best with macro-F1 {trials[0].macro_f1:.3f}" if trials else ""
    click.echo(f"The sweep {sweep_id} has {len(trials)} trials{best}.")


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed, and why.")
@home_option
def prune(dry_run: bool, home: Path | None) -> None:
    """Remove what is older than the settings keep; never what the champion stands on."""
    from lyrics_assets.cli.removal_table import removal_table
    from lyrics_assets.cli.terminal import open_console
    from lyrics_assets.definitions import build_resources
    from lyrics_assets.retention import Retention, carry_out
    from lyrics_assets.runs import open_instance

    settings = read_settings(home)
    must_be_writable(settings.home.absolute())
    resources = build_resources(settings)
    retention: Retention = resources["retention"]  # type: ignore[assignment]
    stores: list[Any] = [resources[name] for name in ("lake", "tracking", "bento_store")]
    with open_instance(settings.home.absolute(), settings.dagster_home) as instance:
        removals = list(retention.plan(instance, *stores))
        failures = [] if dry_run else carry_out(removals, lambda removal: None)
    open_console().print(removal_table(removals, "would be removed" if dry_run else "removed"))
    if failures:
        raise click.ClickException("not removed: " + "; ".join(failures))


@click.command()
@click.argument("old_home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--to-env",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of variables that name the installation to migrate to, as deploy/.env. Default: the environment.",
)
def migrate(old_home: Path, to_env: Path | None) -> None:
    """Copy what OLD_HOME holds to the servers that the settings name; see deploy/README.md.

    Safe to repeat: what is there already is left as it is.
    """
    from dotenv import dotenv_values

    from lyrics_assets.cli.migration import migrate as copy_everything

    if to_env:
        # Where the clients of PostgreSQL and of object stores look for their passwords and keys.
        os.environ.update({name: value for name, value in dotenv_values(to_env).items() if value})
    for part in copy_everything(old_home, Settings.from_environment(), os.environ):
        click.echo(f"{part.name:<34} {part.found:>9}, of them new {part.copied:>9}")
