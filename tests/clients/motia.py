"""Motia's own npm packages, unmodified, and the processes that use them."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Page

from tests.journeys.running import Project, eventually

FOLDER = Path(__file__).parent
INSTALLED = FOLDER / "node_modules"


def missing() -> str:
    """Return why the packages cannot be used here; nothing if they can."""
    if which("node") is None:
        return "node is not installed (Debian's package nodejs)"
    if not (INSTALLED / ".package-lock.json").exists():
        return "Motia's clients are not installed: run scripts/install_clients.sh"
    return ""


def bundle(target: Path) -> str:
    """Return the script of the page, made by esbuild."""
    esbuild = ["node", str(INSTALLED / "esbuild/bin/esbuild"), str(FOLDER / "page.jsx")]
    options = ["--bundle", "--jsx=automatic", "--log-level=warning", f"--outfile={target}"]
    define = "--define:process.env.NODE_ENV='production'"
    subprocess.run([*esbuild, *options, define], check=True, cwd=FOLDER)
    return target.read_text()


def open_page(project: Project, page: Page, script: str, **query: str) -> None:
    """Open a page of this site, and make it that of Motia's clients; the query is told to it."""
    site = f"127.0.0.1:{project.port}"
    asked = urlencode({"address": f"ws://{site}/ws/", **query})
    page.goto(f"http://{site}/admin/login/?{asked}")
    page.set_content("<div id=root></div><pre id=plain></pre><pre id=next></pre>")
    page.add_script_tag(content=script)


class Node:
    """A Node process that follows by Motia's client, and what it knows by now."""

    def __init__(self, address: str, token: str = "") -> None:
        self.process = subprocess.Popen(
            ["node", str(FOLDER / "follow.mjs"), address, *([token] if token else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.states: dict[str, Any] = {}
        self.told: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def say(self, **command: Any) -> None:
        """Have it follow, or end what it follows."""
        assert self.process.stdin
        print(json.dumps(command), file=self.process.stdin, flush=True)

    def knows(self, name: str, expected: Any, explain: Callable[[], str]) -> None:
        """Wait until what it follows under this name is so."""

        def told() -> str:
            return f"{name} is {self.states.get(name)}, not {expected}\n{explain()}"

        eventually(lambda: name in self.states and self.states[name] == expected, told)

    def history(self, name: str) -> list[Any]:
        """Return all that it has known under this name, one after the other."""
        return [each["state"] for each in self.told if each.get("name") == name and "state" in each]

    def events(self, name: str) -> list[Any]:
        """Return the events that it has heard under this name."""
        return [each["event"] for each in self.told if each.get("name") == name and "event" in each]

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self._reader.join()
        self.process.communicate()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            said = json.loads(line)
            self.told.append(said)
            if "state" in said:
                self.states[said["name"]] = said["state"]
