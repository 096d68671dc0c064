"""Execute exploration.ipynb on the home that LYRICS_HOME names: python notebooks/execute.py [FILE]

Writes the notebook with its outputs to FILE, else in its own place. Jupyter is that of the environment which runs this:
no profile, kernel or style of the user's own has a say.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

NOTEBOOK = Path(__file__).with_name("exploration.ipynb")
CELL_SECONDS = 300
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
"""No version and no time: the file is to change with what it shows alone."""


def execute(source: Path, target: Path) -> None:
    """Execute a notebook and write it with its outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed; nothing was written.
        nbclient.exceptions.CellTimeoutError: a cell took longer than CELL_SECONDS.
    """
    notebook = nbformat.read(source, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= dict.fromkeys(
            ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"), folder
        )
        NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            record_timing=False,
            resources={"metadata": {"path": str(Path.cwd())}},  # from where a relative LYRICS_HOME counts
            # Sockets in a folder of our own instead of ports of the machine.
            config=Config(KernelManager={"transport": "ipc", "ip": f"{folder}/kernel"}),
        ).execute()
    notebook.metadata = nbformat.from_dict(METADATA)
    nbformat.write(notebook, target)


if __name__ == "__main__":
    execute(NOTEBOOK, Path(sys.argv[1]) if len(sys.argv) > 1 else NOTEBOOK)
