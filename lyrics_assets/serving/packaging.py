"""How the service's folder is put together: the few files that it needs, its release file, its exact requirements."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from lyrics_assets.serving.release import Release

REQUIREMENTS = ("bentoml", "lingua-language-detector", "numpy", "prometheus-client", "pydantic", "starlette")
"""What the service imports; BentoML brings the server itself."""
_BUILD_SECONDS = 300


class PackagingError(RuntimeError):
    """A Bento could not be built; the message ends with what BentoML said."""


def assemble(project: Path, folder: Path, release: Release) -> None:
    """Copy what bentofile.yaml includes from the project into an empty folder and write what a release adds."""
    bentofile = yaml.safe_load((project / "bentofile.yaml").read_text(encoding="utf-8"))
    for pattern in bentofile["include"]:
        for source in project.glob(pattern):
            if source.is_file() and "__pycache__" not in source.parts:
                target = folder / source.relative_to(project)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    release.write(folder)
    pins = (f"{name}=={version(name)}" for name in REQUIREMENTS)
    (folder / "requirements.txt").write_text("\n".join(pins) + "\n", encoding="utf-8")
    _write_bentofile(folder, bentofile, release)


def _write_bentofile(folder: Path, bentofile: dict[str, Any], release: Release) -> None:
    bentofile["include"] += ["release.json"]
    bentofile["labels"] |= {
        "model_version": str(release.version),
        "alias": release.alias,
        "extraction_date": release.extraction_dates[-1],
        "macro_f1": f"{release.macro_f1:.3f}",
    }
    (folder / "bentofile.yaml").write_text(yaml.safe_dump(bentofile, allow_unicode=True), encoding="utf-8")


def assemble_space(project: Path, folder: Path, files: Path, release: Release) -> None:
    """Put a Docker Space together in an empty folder: the service's files, its model, how to build and start it."""
    assemble(project, folder, release)
    (folder / "bentofile.yaml").unlink()
    shutil.copytree(files, folder / "model")
    templates = Path(__file__).with_name("space")
    for template in templates.iterdir():
        shutil.copyfile(template, folder / template.name)


def save_model(files: Path, release: Release, home: Path) -> Release:
    """Put the scorer's files into the model store of BentoML's home; return the release with their exact tag."""
    import bentoml
    from bentoml._internal.models import ModelStore

    labels = {"registry_version": str(release.version), "alias": release.alias}
    metadata = release.model_dump(exclude={"model_tag"})
    # Which home BentoML itself knows was settled when somebody in this process first imported it.
    (home / "models").mkdir(parents=True, exist_ok=True)
    store = ModelStore(home / "models")
    with bentoml.models.create("lyrics_genre", labels=labels, metadata=metadata, _model_store=store) as model:
        for file in files.iterdir():
            shutil.copyfile(file, Path(model.path) / file.name)
    return release.model_copy(update={"model_tag": str(model.tag)})


def build_bento(folder: Path, home: Path) -> str:
    """Build the assembled folder into a Bento in BentoML's home; return its tag.

    In a process of its own: one that has imported a service keeps that first one for ever.

    Raises:
        PackagingError: the build failed or took longer than five minutes.
    """
    command = [sys.executable, "-m", "bentoml", "build", "--output", "tag"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PackagingError(f"bentoml build took more than {_BUILD_SECONDS} s") from error
    found = re.search(r"__tag__:(\S+)", done.stdout)
    if done.returncode or not found:
        raise PackagingError(f"bentoml build failed:\n{(done.stderr or done.stdout)[-2000:]}")
    return found.group(1)
