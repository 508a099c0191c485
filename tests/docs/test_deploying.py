"""The files that the page on deploying shows, tried as far as can be without what reads them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from configparser import ConfigParser
from typing import Any

import click
import pytest
import uvicorn
import yaml
from celery.bin.celery import celery
from django.core.management import get_commands

from tests.docs.pages import DOCS, blocks

PAGE = DOCS / "deploying.md"
TEXT = PAGE.read_text("utf-8")
OURS = "DJANGO_SETTINGS_MODULE"


def shown(title: str) -> str:
    """Return the one block of the page that shows a file."""
    [block] = [each for each in blocks(PAGE) if each.title.endswith(title)]
    return block.text


def environments() -> dict[str, dict[str, str]]:
    """Return what the processes are given by Compose and by Kubernetes; secrets have any value."""
    composed = yaml.safe_load(shown("compose.yaml"))["x-proj"]["environment"]
    [kept] = [each["data"] for each in manifests() if each["kind"] == "ConfigMap"]
    secret = dict(re.findall(r"--from-literal=(\w+)=(\S+)", TEXT))
    return {"compose": composed, "kubernetes": {**kept, **secret}}


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(shown("kubernetes.yaml")))


def pods() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield what is to run in Kubernetes, and its pod."""
    for each in manifests():
        if "template" in each.get("spec", {}):
            yield each, each["spec"]["template"]


def commands() -> Iterator[list[str]]:
    """Yield every command of ours that the page shows, in files and in text, word by word."""
    services = yaml.safe_load(shown("compose.yaml"))["services"].values()
    yield from (each["command"] for each in services if "command" in each and "build" in each)
    for _, pod in pods():
        yield from (each["command"] for each in pod["spec"]["containers"] if "command" in each)
    yield from map(yaml.safe_load, re.findall(r"^CMD (.+)$", shown("Dockerfile"), re.MULTILINE))
    yield from map(shlex.split, re.findall(r"^(celery .+)$", TEXT, re.MULTILINE))
    for line in re.findall(r"ExecStart=([^`\n]+)", TEXT):
        yield shlex.split(line.removeprefix("/srv/proj/.venv/bin/"))


def parsed(command: click.Command, words: list[str]) -> dict[str, Any]:
    """Return the options that a program would find; fail on one that it does not know."""
    context = click.Context(command)
    options, rest, _ = command.make_parser(context).parse_args(list(words))
    assert not [each for each in rest if each.startswith("-")]
    return dict(options)


def test_every_command_is_one_with_options_that_its_program_knows() -> None:
    seen = set()
    for program, *words in commands():
        seen.add(program)
        if program == "celery":
            assert words[:2] == ["-A", "proj"]
            parsed(celery.commands[words[2]], words[3:])
        elif program == "uvicorn":
            assert "proj.asgi:application" in words
            assert parsed(uvicorn.main, words)["timeout_graceful_shutdown"] == "5"
        else:
            assert words[0] == "manage.py"
            assert words[1] in get_commands()
    assert seen == {"celery", "uvicorn", "python"}


@pytest.mark.parametrize("place", ["compose", "kubernetes"])
def test_the_settings_ask_for_what_the_environment_gives_and_for_no_more(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = environments()[place]
    asked = set(re.findall(r'os\.environ\["(\w+)"\]', shown("proj/settings.py")))
    assert asked == set(given) - {OURS}
    assert given[OURS] == "proj.settings"
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings: dict[str, Any] = {}
    exec(shown("proj/settings.py"), settings)
    assert settings["DATABASES"]["default"]["HOST"] == given["POSTGRES_HOST"]
    assert settings["CELERY_BROKER_URL"].startswith("redis://")


def test_the_unit_ends_a_worker_by_its_main_process_and_gives_it_time() -> None:
    unit = ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(shown("proj-worker.service"))
    assert set(unit) - {"DEFAULT"} == {"Service", "Install"}
    assert (unit["Service"]["KillMode"], unit["Service"]["TimeoutStopSec"]) == ("mixed", "300")


def test_what_compose_names_is_in_its_file() -> None:
    file = yaml.safe_load(shown("compose.yaml"))
    services = file["services"]
    assert {"web", "worker", "beat", "migrate"} < set(services)
    for name, service in services.items():
        assert name not in service.get("depends_on", {})
        assert set(service.get("depends_on", {})) <= set(services)
        volumes = [each.partition(":")[0] for each in service.get("volumes", ())]
        assert set(volumes) <= set(file["volumes"])
        assert "image" in service
    ours = services["worker"]["environment"]
    assert ours["POSTGRES_HOST"] in services
    assert ours["BROKER_URL"].split("/")[2].split(":")[0] in services
    settings = shown("proj/settings.py")
    theirs = services["database"]["environment"]
    assert f'"NAME": "{theirs["POSTGRES_DB"]}"' in settings
    assert f'"USER": "{theirs["POSTGRES_USER"]}"' in settings
    assert services["worker"]["stop_grace_period"] == "5m"


def test_what_the_manifests_name_is_among_them() -> None:
    labels = []
    for workload, pod in pods():
        [container] = pod["spec"]["containers"]
        sources = [next(iter(each.items())) for each in container["envFrom"]]
        assert sources == [("configMapRef", {"name": "proj"}), ("secretRef", {"name": "proj"})]
        if workload["kind"] == "Deployment":
            assert workload["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
            labels.append(pod["metadata"]["labels"])
    [service] = [each["spec"] for each in manifests() if each["kind"] == "Service"]
    assert service["selector"] in labels
    assert "create secret generic proj " in TEXT
    assert len(labels) == 3
