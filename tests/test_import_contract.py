"""The import contract of pyproject.toml refuses what it is there to refuse."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "the API from the feed cache": ("service/feedcache/builder.py", "import service.api.problems"),
    "the feed cache from the store": ("service/store/events.py", "import service.feedcache.cache"),
    "the feed cache from the catalogue": ("service/catalogue/view.py", "import service.feedcache.cache"),
    "the store from a pure module of reminders": ("service/reminders/plan.py", "import service.store.events"),
    "a module that stands in no layer": ("service/stray.py", "import service.settings"),
}


@pytest.mark.campaign
@pytest.mark.parametrize(("file", "line"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_a_forbidden_import_breaks_the_contract(tmp_path: Path, file: str, line: str) -> None:
    for name in ("service", "feeds", "pyproject.toml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    assert lint(tmp_path) == 0
    with (tmp_path / file).open("a") as module:
        module.write(f"{line}\n")
    assert lint(tmp_path) == 1


def lint(folder: Path) -> int:
    """Returns the exit code of import-linter over the tree in this folder."""
    program = (
        "import sys; sys.path.insert(0, '.'); import importlinter.cli as cli; sys.exit(cli.lint_imports())"
    )
    return subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True).returncode
