"""Every command that the documentation shows is run.

In a block fenced as `console`, each line that begins with `$ ` is a command of datagen; it must end with exit code 0,
or with the one that a comment behind it names (`# exit code 2`). The commands of a page share a folder, so that a later
one can use what an earlier one wrote; a block whose first line is `# file: NAME` is put there as that file, and so are
the scenarios of a folder that is called like the page. A broker at localhost:9092 is played by the client library's
mock cluster. What is not to be run, such as an installation, belongs into a block fenced as `sh`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))) if page.exists()]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```\w+\n# file: (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BROKER = "localhost:9092"


def commands(page: Path) -> list[str]:
    """The commands of a page, in order, lines that end in a backslash joined."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line[2:].strip() for line in lines if line.startswith("$ ")]


def write_files(page: Path, folder: Path) -> None:
    """Put the files of a page into its folder: blocks whose first line is `# file: NAME`, and its own scenarios."""
    folder.mkdir(exist_ok=True)
    for name, text in FILE.findall(page.read_text(encoding="utf-8")):
        (folder / Path(name).name).write_text(text, encoding="utf-8")
    for path in page.with_suffix("").glob("*.yaml"):
        shutil.copy(path, folder)


CASES = [(page, command) for page in PAGES for command in commands(page)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder a page, a `datagen` on the path, and the environment that finds it."""
    root = tmp_path_factory.mktemp("docs")
    script = root / "bin" / "datagen"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from sim.cli.main import main; main()" "$@"\n')
    script.chmod(0o755)
    return root


@pytest.fixture(scope="module")
def broker():
    if not any(BROKER in command for _, command in CASES):
        yield BROKER
        return
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1})
    found = next(iter(producer.list_topics(timeout=10).brokers.values()))
    yield f"{found.host}:{found.port}"


@pytest.mark.parametrize(("page", "command"), CASES, ids=[f"{page.name}: {command}" for page, command in CASES])
def test_a_documented_command_does_what_it_says(page, command, home, broker):
    assert command.startswith("datagen"), "a console block shows datagen; other commands go into a block fenced as sh"
    folder = home / page.stem
    write_files(page, folder)
    environment = {**os.environ, "PATH": f"{home / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    marked = re.search(r"#\s*exit code (\d+)", command)
    shell = ["bash", "-o", "pipefail", "-c", command.replace(BROKER, broker)]
    done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == (int(marked[1]) if marked else 0), done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_page_shows_every_command():
    from sim.cli.main import app

    shown = " ".join(commands(ROOT / "docs" / "cli.md"))
    names = [command.name or command.callback.__name__ for command in app.registered_commands]
    assert [name for name in names if f"datagen {name}" not in shown] == []
