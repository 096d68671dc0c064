"""The core can be used without what it is put together with."""

import pkgutil
import subprocess
import sys

import lyrics_assets.lyrics
import lyrics_assets.model
import lyrics_assets.serving
import scrapy_project

HOSTED = {
    "lyrics_assets.model.mlflow_model": "MLflow",
    "lyrics_assets.serving.service": "BentoML",
    "scrapy_project.extensions": "Dagster, by its pipes",
    "scrapy_project.sandbox.__main__": "a process of its own",
}
"""What only something else runs, and needs that."""
HEAVY = ["hopsworks", "wandb", "mlflow", "bentoml", "matplotlib", "lingua", "optuna"]
PURE = [
    name
    for package in (lyrics_assets.lyrics, lyrics_assets.model, lyrics_assets.serving, scrapy_project)
    for _, name, _ in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if name not in HOSTED
]


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_the_core_imports_without_dagster_and_loads_no_heavy_library():
    assert len(PURE) > 80
    done = run(
        "import sys; sys.modules['dagster'] = None; sys.modules['dagster_pipes'] = None\n"
        + "\n".join(f"import {name}" for name in PURE)
        + f"\nprint([name for name in {HEAVY} if name in sys.modules])"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_an_asset_cannot_be_imported_without_dagster():
    done = run("import sys; sys.modules['dagster'] = None\nimport lyrics_assets.resources.lake")
    assert "ModuleNotFoundError" in done.stderr
