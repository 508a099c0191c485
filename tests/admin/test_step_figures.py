"""A Step's figures, its source and its documentation, on its page and in the list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from motia_django.ledger import figures
from motia_django.registry import Registry, installed
from tests.admin.conftest import MakeRun
from tests.admin.test_steps import STEPS, Install, config, page_of, text_of
from tests.projects import Project

ClientOf = Callable[..., Client]
CODE = '''"""A "file" & <more>."""

config = {
    "name": "Shown",
    "triggers": [{"type": "queue", "topic": "t"}],
}


def handler(input, ctx):
    return """two
    lines <b>"""
'''


def worked(make_run: MakeRun, seconds: float, **values: Any) -> None:
    now = timezone.now()
    make_run(**values, started_at=now - timedelta(seconds=seconds), finished_at=now)


def test_the_page_tells_how_many_failed_and_how_long_they_took(
    admin_client: Client, install: Install, make_run: MakeRun
) -> None:
    install(config("Busy"))
    for seconds in (1, 2, 3, 40):
        worked(make_run, seconds, step="Busy")
    worked(make_run, 5, step="Busy", status="dead")
    told = admin_client.get(page_of("Busy")).context["row"].told
    assert (told.runs.value, told.failed.value, told.rate) == ("5", "1", "20 %")
    assert (told.p50, told.p95) == ("3 s", "40 s")
    assert admin_client.get(told.failed.url).context["cl"].result_count == 1
    html = text_of(admin_client, page_of("Busy"))
    assert "failure rate" in html
    assert 'href="?window=7d"' in html
    assert admin_client.get(f"{page_of('Busy')}?window=1y").status_code == 404


def test_the_list_has_the_failure_rate_and_p95_of_each_step(
    admin_client: Client, install: Install, make_run: MakeRun
) -> None:
    install(config("Busy"), config("Idle"))
    worked(make_run, 2, step="Busy", status="dead")
    rows = admin_client.get(STEPS).context["rows"]
    assert [(row.told.runs.value, row.told.rate, row.told.p95) for row in rows] == [
        ("1", "100 %", "2 s"),
        ("0", "–", "–"),
    ]
    assert "run/?step=Idle" in text_of(admin_client, STEPS)
    assert admin_client.get(f"{STEPS}?window=x").status_code == 404


def test_it_says_so_if_there_were_more_runs_than_it_looked_at(
    admin_client: Client, install: Install, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "MOST", 2)
    install(config("Busy"))
    for _ in range(3):
        make_run(step="Busy")
    for address in (STEPS, page_of("Busy"), "/admin/motia/flow/"):
        assert "the figures of the newest 2." in text_of(admin_client, address)


def test_a_rate_that_is_not_nothing_is_not_shown_as_nothing(
    admin_client: Client, install: Install, make_run: MakeRun
) -> None:
    install(config("Busy"))
    for status in ["succeeded"] * 40 + ["dead"]:
        make_run(step="Busy", status=status)
    assert admin_client.get(STEPS).context["rows"][0].told.rate == "2.4 %"


def test_failures_that_are_only_tried_again_lead_to_those(
    admin_client: Client, install: Install, make_run: MakeRun
) -> None:
    install(config("Busy"))
    make_run(step="Busy", status="scheduled", wake_at=timezone.now() + timedelta(hours=1))
    told = admin_client.get(page_of("Busy")).context["row"].told
    assert told.failed.value == "1"
    assert admin_client.get(told.failed.url).context["cl"].result_count == 1


def test_failures_and_what_waits_lead_to_as_many_runs_as_they_count(
    admin_client: Client, install: Install, make_run: MakeRun
) -> None:
    install(config("Busy"))
    ago = timezone.now() - timedelta(minutes=1)
    make_run(step="Busy", status="dead")
    make_run(step="Busy", status="scheduled", wake_at=ago)
    make_run(step="Busy", status="queued")
    told = admin_client.get(page_of("Busy")).context["row"].told
    for number in (told.failed, told.waiting):
        assert number.value == "2"
        assert admin_client.get(number.url).context["cl"].result_count == 2


@pytest.fixture
def shown(project: Project) -> Registry:
    """A Step in a file of its own."""
    project.step("shown_step.py", CODE)
    return project.load()


def test_the_file_is_shown_line_by_line_to_those_who_may_see_it(
    client_of: ClientOf, shown: Registry
) -> None:
    with installed(shown):
        client = client_of("view_step", "view_source")
        source = client.get(page_of("Shown")).context["source"]
        html = text_of(client, page_of("Shown"))
    assert [line.number for line in source.lines] == list(range(1, 12))
    assert [line.number for line in source.lines if line.is_config] == [shown.step("Shown").line]
    assert '<span id="L9" class="motia-line">' in html
    assert f'href="#L{shown.step("Shown").line}"' in html
    assert "&lt;more&gt;" in html
    assert "<b>" not in html
    assert all(line.html.count("<span") == line.html.count("</span") for line in source.lines)


def test_nobody_else_sees_the_file(client_of: ClientOf, shown: Registry) -> None:
    with installed(shown):
        page = client_of("view_step", "view_run").get(page_of("Shown"))
    assert page.context["source"] is None
    assert "sync: nothing is awaited" in page.content.decode()
    assert "return" not in page.content.decode().partition("<main")[2]


def test_without_pygments_the_file_is_plain(
    admin_client: Client, shown: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pygments", None)
    with installed(shown):
        source = admin_client.get(page_of("Shown")).context["source"]
    assert (
        source.lines[0].html
        == "&quot;&quot;&quot;A &quot;file&quot; &amp; &lt;more&gt;.&quot;&quot;&quot;"
    )
    assert len(source.lines) == 11


@pytest.mark.parametrize(
    ("content", "lines"),
    [(CODE.encode() + b"x = 1\n" * 3000, 2000), (CODE.encode() + b"#" * 300_000, 12)],
)
def test_a_long_file_is_cut(
    admin_client: Client, shown: Registry, content: bytes, lines: int
) -> None:
    shown.step("Shown").file.write_bytes(content)
    with installed(shown):
        source = admin_client.get(page_of("Shown")).context["source"]
    assert source.is_cut
    assert len(source.lines) == lines


@pytest.mark.parametrize("content", [b"\xff\xfe\x00 no text \r\n\r x", None])
def test_a_file_that_is_no_text_or_gone_is_no_error(
    admin_client: Client, shown: Registry, content: bytes | None
) -> None:
    file: Path = shown.step("Shown").file
    file.unlink() if content is None else file.write_bytes(content)
    with installed(shown):
        page = admin_client.get(page_of("Shown"))
    assert page.status_code == 200
    assert (page.context["source"] is None) == (content is None)


def test_the_documentation_is_linked_where_there_is_any(
    admin_client: Client, install: Install
) -> None:
    install(config("A", docs='https://wiki/?a=1&b="2"'), config("B"))
    html = text_of(admin_client, page_of("A"))
    assert 'href="https://wiki/?a=1&amp;b=&quot;2&quot;" rel="noopener noreferrer"' in html
    assert "Documentation" not in text_of(admin_client, page_of("B")).partition("<main")[2]


def test_what_follows_from_a_death_is_told_on_the_page(
    admin_client: Client, install: Install
) -> None:
    install(config("A", onDead="a.died"), config("B"))
    html = text_of(admin_client, page_of("A"))
    assert '<code>a.died</code> <span class="quiet">(when a run is dead)</span> →' in html
    assert html.count("nobody listens") == 1
    assert "a.died" not in text_of(admin_client, page_of("B"))


def test_what_is_undone_together_and_what_is_kept_are_told_on_the_page(
    admin_client: Client, install: Install
) -> None:
    install(config("A", atomic=True, record="failures"), config("B", record="all"), config("C"))
    html = text_of(admin_client, page_of("A"))
    assert "<dd>The handler and its completion are one transaction.</dd>" in html
    assert "<dd>Only those of its runs that fail are kept.</dd>" in html
    assert "<dd>All of its runs are kept.</dd>" in text_of(admin_client, page_of("B"))
    plain = text_of(admin_client, page_of("C"))
    assert "one transaction" not in plain
    assert "are kept" not in plain


def test_what_follows_outside_of_the_code_is_told_on_the_page(
    admin_client: Client, install: Install
) -> None:
    install(config("A", enqueues=["sent"], virtualEnqueues=[{"topic": "told", "label": "by hand"}]))
    html = text_of(admin_client, page_of("A"))
    assert '<code>told</code> by hand <span class="quiet">(outside of the code)</span>' in html
    assert html.count("nobody listens") == 1
