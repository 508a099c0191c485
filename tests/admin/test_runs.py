"""The list of runs, and one run's page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib import admin
from django.contrib.admin.templatetags.admin_list import result_headers
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.timezone import localtime

from motia_django import models
from motia_django.admin import run_filters, run_list
from motia_django.admin.paging import BoundedPaginator
from motia_django.admin.run_list import RunListAdmin
from motia_django.admin.traces import in_order
from motia_django.runs import lowest_id_at
from tests.admin.conftest import MakeRun

LIST = "/admin/motia/run/"
CHILD = "0c7fae07-24ae-4cec-8fb1-e561a4116444"
ENTRIES: list[Any] = [
    {"at": 0.012, "kind": "log", "level": "info", "message": "Hello", "fields": {"id": 7}},
    {"at": 1.5, "kind": "log", "level": "error", "message": "Oh", "attempt": 2},
    {"at": 2, "kind": "state", "operation": "set", "group": "g", "key": "k", "old": None},
    {"at": 3, "kind": "enqueue", "topic": "t", "data": 1, "steps": ["A", "B"]},
    {"at": 3, "kind": "enqueue", "topic": "unheard", "data": 1, "steps": []},
    {"at": 4, "kind": "invoke", "step": "Pay", "run_id": CHILD, "status": "dead"},
    {"at": None, "kind": "worker_lost", "message": "it went silent"},
    {"at": 5, "kind": "left_out", "count": 37},
    {"at": 6, "kind": "teleport", "to": "Mars"},
    {"at": 6, "kind": "log", "message": "long", "fields": {"text": "x" * 500}},
    "no entry at all",
]


def page_of(run: models.Run) -> str:
    return f"{LIST}{run.pk}/change/"


def listed(client: Client, query: str = "") -> list[models.Run]:
    response = client.get(LIST + query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def test_django_finds_nothing_wrong_with_the_admin_of_the_list() -> None:
    assert RunListAdmin(models.Run, admin.site).check() == []


def test_the_list_shows_the_newest_run_first(admin_client: Client, make_run: MakeRun) -> None:
    older, newer = make_run(), make_run()
    assert listed(admin_client) == [newer, older]


def test_the_list_shows_cause_status_and_the_error_in_a_line(
    admin_client: Client, make_run: MakeRun
) -> None:
    traceback = 'Traceback (most recent call last):\n  File "x"\nKeyError: <b>\nmore of it'
    make_run(status="dead", error=traceback)
    html = admin_client.get(LIST).content.decode()
    assert '<span class="motia-status motia-dead">dead</span>' in html
    assert "POST /todos" in html
    assert "KeyError: &lt;b&gt;</td>" in html


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ({"status": 409, "headers": {}, "body": "x" * 90_000}, "409 Conflict"),
        ({"status": 499}, "499"),
        ({"body": {"status": 404}}, None),
        (None, None),
    ],
)
def test_the_list_shows_what_a_request_was_answered_with(
    admin_client: Client, make_run: MakeRun, output: Any, shown: str | None
) -> None:
    make_run(output=output)
    make_run(trigger="queue", output={"status": 404})
    html = admin_client.get(LIST).content.decode()
    said = [shown] if shown else []
    assert re.findall(r'succeeded</span> <span class="motia-stack">([^<]*)<', html) == said


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=dead", ["dead"]),
        ("status=dead,queued", ["dead"]),
        ("status=dead,succeeded", ["cron", "step", "dead", "old"]),
        ("trigger=cron", ["cron"]),
        ("step=A::b c/%C3%BC", ["step"]),
        ("step=A::b c/%C3%BC&status=succeeded", ["step"]),
        ("flow=todos", ["cron", "dead", "old"]),
        ("flow=todos&trigger=cron", ["cron"]),
        ("created=hour", ["cron", "step", "dead"]),
        ("from=2026-01-01&to=2100-01-01", ["cron", "step", "dead", "old"]),
        ("from=&to=", ["cron", "step", "dead", "old"]),
        ("to=2026-01-01T03:00", []),
        ("from=2099-01-01T03:00Z", []),
        ("from=1026-01-01", ["cron", "step", "dead", "old"]),
        ("from=0001-01-01T00:00%2B23:59", ["cron", "step", "dead", "old"]),
        ("to=9999-12-31T23:59-23:59", ["cron", "step", "dead", "old"]),
    ],
)
def test_the_list_is_filtered_by_the_query_string(
    admin_client: Client, make_run: MakeRun, query: str, found: list[str]
) -> None:
    long_ago = int((timezone.now() - timedelta(hours=2)).timestamp() * 1000)
    make_run(id=UUID(int=long_ago << 80), source="old")
    make_run(status="dead", source="dead")
    make_run(step="A::b c/ü", source="step")
    make_run(trigger="cron", source="cron")
    assert [run.source for run in listed(admin_client, f"?{query}")] == found


def test_runs_are_found_between_two_times(admin_client: Client, make_run: MakeRun) -> None:
    ids = [
        int(datetime(2026, 11, 28, hour, tzinfo=UTC).timestamp() * 1000) << 80 for hour in (2, 3, 4)
    ]
    two, three, four = (make_run(id=UUID(int=id)) for id in ids)
    with timezone.override("UTC"):
        assert listed(admin_client, "?from=2026-11-28T03:00&to=2026-11-28T04:00") == [three]
        assert listed(admin_client, "?from=2026-11-28T03:00") == [four, three]
        assert listed(admin_client, "?to=2026-11-28T04:00%2B01:00") == [two]
        assert listed(admin_client, "?to=2026-11-28T04:00+01:00") == [two]
        html = admin_client.get(f"{LIST}?status=succeeded&from=2026-11-28T03:00").content.decode()
    assert '<input type="datetime-local" name="from" value="2026-11-28T03:00">' in html
    assert '<input type="hidden" name="status" value="succeeded">' in html
    assert 'href="?status=succeeded">at any time</a>' in html


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("status=nonsense", "There is no status “nonsense”. There are: scheduled, queued"),
        ("status=dead,nonsense", "There is no status “nonsense”. There are: scheduled, queued"),
        ("status=dead,", "There is no status “”"),
        ("trigger=x", "There is no kind of trigger “x”. There are: http, queue"),
        ("step=CreateTod", "There is no Step named “CreateTod”, nor a run of one. Did you mean"),
        ("step=%00", "There is no Step named"),
        ("step=", "There is no Step named"),
        ("flow=x", "There is no flow “x”. There are: catalog"),
        ("created=x", "There is no age “x”. There are: hour, day"),
        ("gone=x", "There is no gone “x”"),
        ("from=yesterday", "“yesterday” is no time such as 2026-11-28T03:00"),
        ("to=2026-13-45", "“2026-13-45” is no time"),
        ("from=2026-11-28T04:00&to=2026-11-28T03:00", "is not before the one it ends at"),
        ("from=%00", "is no time"),
        ("foo=bar", "There is no filter “foo”. There are: status, error, created, from, to, flow"),
        ("status__in=dead", "There is no filter “status__in”"),
        ("id=1", "There is no filter “id”"),
        ("status=dead&status=queued", "The filter “status” is given more than once."),
        ("status=%3Cscript%3Ealert(1)", "&lt;script&gt;alert(1)"),
        ("foo=bar&status=nonsense&q=123", "“nonsense”"),
        ("q=%00", "Nothing has a NUL character in it"),
        ("error=", "The filter “error” has no fingerprint of an error."),
        ("status=cancelled&error=0123456789abcdef", "are cancelled have no fingerprint of one"),
        (f"step={'x' * 5000}", "There is no Step named"),
    ],
)
def test_a_query_string_that_asks_for_what_is_not_is_told_so_and_finds_nothing(
    admin_client: Client, make_run: MakeRun, query: str, told: str
) -> None:
    make_run(status="dead")
    response = admin_client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    assert told in response.content.decode()
    assert list(response.context["cl"].result_list) == []


def test_what_is_done_to_all_that_were_asked_for_wrongly_is_done_to_none(
    admin_client: Client, make_run: MakeRun
) -> None:
    run = make_run(status="dead")
    chosen = {"action": "discard", "index": "0", "select_across": "1", "confirmed": "yes"}
    for query in ("created=nonsense", "error=", "q=%00", "foo=bar"):
        admin_client.post(f"{LIST}?{query}", {**chosen, "_selected_action": [str(run.id)]})
        assert models.Run.objects.get().status == "dead"


def test_a_page_that_is_not_there_is_the_nearest_with_its_filters(
    admin_client: Client, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_list.RunListAdmin, "list_per_page", 2)
    dead = [make_run(status="dead") for _ in range(3)]
    make_run()
    assert listed(admin_client, "?status=dead&p=2") == [dead[0]]
    assert listed(admin_client, "?status=dead&p=3") == [dead[0]]
    assert listed(admin_client, "?status=dead&p=-7") == [dead[2], dead[1]]
    chosen = {"action": "discard", "index": "0", "select_across": "0", "confirmed": "yes"}
    data = {**chosen, "_selected_action": [str(dead[0].id)]}
    response = admin_client.post(f"{LIST}?status=dead&p=2", data, follow=True)
    assert list(response.context["cl"].result_list) == [dead[2], dead[1]]
    assert listed(admin_client, "?status=queued&p=2") == []


def test_what_no_index_tells_of_is_looked_for_among_the_newest_only(
    admin_client: Client, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_filters, "NEWEST", 3)
    oldest, *_others = (make_run(trigger="cron", step="Tick") for _ in range(4))
    newest, told = make_run(), "Only the newest"
    assert len(listed(admin_client, "?trigger=cron")) == 2
    assert told in admin_client.get(f"{LIST}?trigger=cron").content.decode()
    assert oldest in listed(admin_client, "?trigger=cron&step=Tick")
    assert told not in admin_client.get(f"{LIST}?trigger=http&step=CreateTodo").content.decode()
    assert told not in admin_client.get(LIST).content.decode()
    assert listed(admin_client, "?trigger=http&status=succeeded") == [newest]
    assert len(listed(admin_client, "?gone=yes&from=2026-01-01")) == 2


def test_runs_are_found_by_their_index_keys(admin_client: Client, make_run: MakeRun) -> None:
    one, other, _third = make_run(), make_run(), make_run()
    order = "0c7fae07-24ae-4cec-8fb1-e561a4116444"
    models.RunKey.objects.create(run_id=one.id, name="orderId", value="17")
    models.RunKey.objects.create(run_id=other.id, name="customer.id", value="17")
    models.RunKey.objects.create(run_id=other.id, name="orderId", value=order)
    assert listed(admin_client, "?q=17") == [other, one]
    assert listed(admin_client, "?q=orderId=17") == [one]
    assert listed(admin_client, "?q=customer.id%20=17&status=succeeded") == [other]
    assert listed(admin_client, "?q=17&status=dead") == []
    assert listed(admin_client, f"?q={order}") == [other]


def test_white_space_of_a_key_counts_and_several_keys_are_all_asked_for(
    admin_client: Client, make_run: MakeRun
) -> None:
    zed, blank, both = (make_run(status="dead") for _ in range(3))
    keys = ((zed, "room", "zed"), (blank, "room", "zed "), (both, "room", "zed "),
            (both, "floor", "1"))  # fmt: skip
    for run, name, value in keys:
        models.RunKey.objects.create(run_id=run.id, name=name, value=value)
    assert listed(admin_client, "?q=room%3Dzed+") == [both, blank]
    assert listed(admin_client, "?q=room%3Dzed&status=dead") == [zed]
    assert listed(admin_client, "?q=+room%3Dzed") == [zed]
    models.RunKey.objects.create(run_id=both.id, name="room", value="hall")
    assert listed(admin_client, "?q=room%3Dhall+floor%3D1") == [both]
    assert listed(admin_client, "?q=room%3Dzed+floor%3D1") == []


def test_runs_of_a_key_are_chosen_by_the_address_of_their_list(
    admin_client: Client, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motia_django.ledger.keys._AT_ONCE", 2)
    statuses = ("dead", "dead", "succeeded", "dead")
    made = [make_run(trigger="queue", source="work", status=each) for each in statuses]
    for run in made[:3]:
        models.RunKey.objects.create(run_id=run.id, name="room", value="zed ")

    def chosen(query: str) -> Any:
        address = "/admin/motia/batch/preview/"
        asked = {"deed": "discard", "query": f"/admin/motia/run/?{query}"}
        return admin_client.get(address, asked).context["chosen"]

    found = chosen("status=dead&q=room%3Dzed+")
    assert found.problems == []
    assert list(found.selection.rows()) == made[:2]
    assert found.told[0] == "found by “room=zed ”"
    monkeypatch.setattr("motia_django.admin.choosing.MOST_IDS", 1)
    cut = chosen("q=room%3Dzed+")
    assert (list(cut.selection.rows()), cut.is_cut) == ([made[1]], True)
    [problem] = chosen("q=room%3Dattic").problems
    assert problem == "room=attic is not the id of a run or of a trace, nor an index key of one."


PREVIEW = "/admin/motia/batch/preview/"


def test_what_the_page_leaves_empty_the_pasted_address_says(
    admin_client: Client, make_run: MakeRun, install: Callable[..., None]
) -> None:
    install(*({"name": name, "triggers": [{"type": "queue", "topic": "t"}]} for name in "AB"))
    now = timezone.now()
    of_a, of_b, old = (
        make_run(id=lowest_id_at(now - timedelta(hours=ago)), step=step, trigger="queue",
                 source="t", status="dead", fingerprint=f"{ago}" * 16)
        for step, ago in (("A", 1), ("B", 2), ("A", 9))
    )  # fmt: skip

    def chosen(pasted: str, **own: str) -> Any:
        empty = dict.fromkeys(("step", "error", "topic", "since", "before"), "")
        asked = {"deed": "discard", **empty, "query": f"/admin/motia/run/?{pasted}", **own}
        return admin_client.get(PREVIEW, asked).context["chosen"]

    def runs(pasted: str, **own: str) -> list[Any]:
        found = chosen(pasted, **own)
        assert found.problems == []
        return list(found.selection.rows())

    assert runs("status=dead&step=B") == [of_b]
    assert runs(f"error={of_a.fingerprint}") == [of_a]
    assert runs("status=dead", step="A") == [old, of_a]
    edge = localtime(now - timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M")
    assert runs(f"from={edge}&status=dead") == [of_b, of_a]
    assert runs(f"to={edge}&step=A") == [old]
    assert chosen(f"to={edge}").told[-1].startswith("born before 20")
    assert chosen("status=dead&step=A", step="B").problems == [
        "The address says step=A, and this page B: leave out one."
    ]
    assert chosen("from=never").problems != []


def test_what_else_is_asked_for_is_looked_for_among_all_that_have_the_key(
    admin_client: Client, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("motia_django.ledger.keys._AT_ONCE", 2)
    dead = make_run(status="dead")
    made = [dead, *(make_run() for _ in range(4))]
    models.RunKey.objects.bulk_create(
        models.RunKey(run_id=each.id, name="room", value="hall") for each in made
    )
    told = "Very many runs have this index key"
    assert listed(admin_client, "?q=room=hall&status=dead") == [dead]
    assert listed(admin_client, "?q=room=hall") == made[::-1]
    assert told not in admin_client.get(f"{LIST}?q=room=hall").content.decode()
    monkeypatch.setattr("motia_django.ledger.keys.MOST_LOOKED_AT", 4)
    assert listed(admin_client, "?q=room=hall&status=dead") == []
    assert told in admin_client.get(f"{LIST}?q=room=hall&status=dead").content.decode()
    monkeypatch.setattr("motia_django.ledger.keys.MOST_LOOKED_AT", 100)
    monkeypatch.setattr("motia_django.ledger.keys.MOST_FOUND", 3)
    assert listed(admin_client, "?q=room=hall") == made[:1:-1]


def test_runs_are_told_apart_by_their_index_keys_in_one_query(
    admin_client: Client, make_run: MakeRun, install: Callable[..., None]
) -> None:
    one, other = make_run(), make_run(step="Gone")
    for row, value in ((one, "<17>"), (other, "18")):
        models.RunKey.objects.create(run_id=row.id, name="orderId", value=value)
    install({"name": "CreateTodo", "triggers": [{"type": "queue", "topic": "t"}]})
    with CaptureQueriesContext(connection) as queries:
        html = admin_client.get(LIST).content.decode()
    assert "orderId=&lt;17&gt;" in html and "orderId=18" in html
    assert sum("motia_run_key" in each["sql"] and "IN (" in each["sql"] for each in queries) == 1


def test_a_search_that_finds_nothing_says_what_was_looked_for(
    admin_client: Client, install: Callable[..., None]
) -> None:
    queue = {"type": "queue", "topic": "t"}
    install({"name": "Work", "triggers": [queue], "index": ["orderId", "customer.id"]})
    assert (
        "the index keys customer.id, orderId." in admin_client.get(LIST + "?q=7").content.decode()
    )
    help_text = "or an index key: customer.id=..., orderId=..., or just its value."
    assert help_text in admin_client.get(LIST).content.decode()
    install({"name": "Work", "triggers": [queue]})
    assert "no Step has an index key" in admin_client.get(LIST + "?q=7").content.decode()
    assert "The whole id of a run or of a trace.<" in admin_client.get(LIST).content.decode()


def test_the_search_tells_of_keys_that_handlers_gave(
    admin_client: Client, make_run: MakeRun
) -> None:
    models.RunKey.objects.create(run_id=make_run().id, name="invoiceId", value="17")
    assert "invoiceId=..., " in admin_client.get(LIST).content.decode()
    assert "invoiceId, " in admin_client.get(LIST + "?q=7").content.decode()


def test_the_list_is_turned_round_by_its_time(admin_client: Client, make_run: MakeRun) -> None:
    one, other = make_run(), make_run()
    response = admin_client.get(LIST)
    assert list(response.context["cl"].result_list) == [other, one]
    [heading] = [each for each in result_headers(response.context["cl"]) if each.get("sortable")]
    again = admin_client.get(f"{LIST}{heading['url_primary']}")
    assert list(again.context["cl"].result_list) == [one, other]


def test_the_search_finds_a_run_by_its_id_and_a_trace_by_its_own(
    admin_client: Client, make_run: MakeRun
) -> None:
    run, sibling, _other = make_run(), make_run(), make_run(trace_id="b" * 32)
    assert listed(admin_client, f"?q=%20{run.id}%20") == [run]
    assert listed(admin_client, f"?q={run.id.hex}") == [run]
    assert listed(admin_client, f"?q={'A' * 32}") == [sibling, run]


@pytest.mark.parametrize("term", ["x", "123", "'", "a" * 31, "%", "ü"])
def test_a_search_for_what_is_no_id_finds_nothing(
    admin_client: Client, make_run: MakeRun, term: str
) -> None:
    make_run()
    assert listed(admin_client, f"?q={term}") == []


def test_a_search_with_a_nul_character_is_refused_by_the_form(admin_client: Client) -> None:
    assert "Null characters are not allowed" in admin_client.get(f"{LIST}?q=%00").content.decode()


def test_no_query_of_the_list_counts_or_reads_all_rows(
    admin_client: Client, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedPaginator, "limit", 60)
    for _ in range(70):
        make_run()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = admin_client.get(LIST)
    about_runs = [each["sql"] for each in queries if quoted("motia_run") in each["sql"]]
    counted, read, answered = about_runs
    assert "LIMIT" in counted and "LIMIT" in read and f"{quoted('id')} IN (" in answered
    large = (quoted("timeline"), quoted("input"))
    assert not any(column in sql for sql in about_runs for column in large)
    assert response.context["cl"].result_count == 60
    assert "These are the first 60" in response.content.decode()


def quoted(name: str) -> str:
    """Return a name as the database's SQL has it."""
    return connection.ops.quote_name(name)


def test_pages_end_at_the_bound(
    admin_client: Client, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedPaginator, "limit", 60)
    for _ in range(70):
        make_run()
    assert len(listed(admin_client, "?p=2")) == 10
    assert listed(admin_client, "?p=3") == listed(admin_client, "?p=2")


def test_a_list_within_the_bound_says_nothing_of_it(
    admin_client: Client, make_run: MakeRun
) -> None:
    make_run()
    assert "These are the first" not in admin_client.get(LIST).content.decode()


@pytest.mark.parametrize("path", ["add/", "{id}/delete/", "{id}/history/"])
def test_runs_can_be_looked_at_only(admin_client: Client, make_run: MakeRun, path: str) -> None:
    run = make_run()
    assert admin_client.get(LIST + path.format(id=run.id)).status_code == 404
    assert admin_client.post(page_of(run), {"status": "dead"}).status_code == 405
    selected = {"action": "delete_selected", "index": "0", "_selected_action": [str(run.id)]}
    assert admin_client.post(LIST, selected).status_code == 302
    assert models.Run.objects.get().status == "succeeded"


@pytest.mark.parametrize("id", ["nonsense", "0c7fae07-24ae-4cec-8fb1-e561a4116444", "a_b", "%00"])
def test_a_run_that_is_not_there_is_a_404(admin_client: Client, id: str) -> None:
    assert admin_client.get(f"{LIST}{id}/change/").status_code == 404


def test_the_page_masks_the_secrets_of_a_run_still_to_be_delivered(
    admin_client: Client, make_run: MakeRun
) -> None:
    run = make_run(status="queued", input={"api_key": "sk-1", "id": 7}, output={"Password": "pw-2"})
    html = admin_client.get(page_of(run)).content.decode()
    assert "sk-1" not in html
    assert "pw-2" not in html
    assert "********" in html
    assert "&quot;id&quot;: 7" in html


def test_the_page_escapes_what_the_run_holds(admin_client: Client, make_run: MakeRun) -> None:
    evil = "<script>alert(1)</script>"
    entry = {"at": 0, "kind": evil, "message": evil, "level": evil, "attempt": evil}
    run = make_run(
        step=evil,
        trigger="<b>",
        source=evil,
        worker=evil,
        error=evil,
        input={evil: evil},
        output=evil,
        timeline=[{**entry, "kind": kind, "topic": evil} for kind in (evil, "log", "enqueue")],
    )
    for address in (LIST, page_of(run)):
        assert "<script>alert" not in admin_client.get(address).content.decode()


def test_what_was_undone_is_told_so_and_leads_nowhere(
    admin_client: Client, make_run: MakeRun
) -> None:
    told = [{**ENTRIES[at], "undone": True} for at in (3, 5, 8)]
    response = admin_client.get(page_of(make_run(timeline=told)))
    lines = [(line.kind, line.text, line.url) for line in response.context["timeline"]]
    assert lines == [
        ("message sent, undone", "t → A, B", ""),
        ("Step invoked, undone", "Pay: dead", ""),
        ("teleport, undone", "", ""),
    ]
    assert response.content.decode().count('<tr class="motia-undone">') == 3


def test_the_timeline_tells_each_kind_in_words(admin_client: Client, make_run: MakeRun) -> None:
    context = admin_client.get(page_of(make_run(timeline=ENTRIES))).context
    lines = [(line.at, line.kind, line.text, line.facts) for line in context["timeline"]]
    assert lines == [
        ("12 ms", "log", "Hello", '{"id":7}'),
        ("1.5 s", "log", "ERROR: Oh", ""),
        ("2 s", "state", "set g/k", '{"old":null}'),
        ("3 s", "message sent", "t → A, B", '{"data":1}'),
        ("3 s", "message sent", "unheard → nobody listens", '{"data":1}'),
        ("4 s", "Step invoked", "Pay: dead", ""),
        ("–", "worker lost", "it went silent", ""),
        ("5 s", "left out", "37 more entries did not fit", ""),
        ("6 s", "teleport", "", '{"to":"Mars"}'),
        ("6 s", "log", "long", ""),
        ("–", "", "", '{"value":"no entry at all"}'),
    ]
    assert context["has_attempts"]
    assert context["timeline"][5].url.endswith(f"{CHILD}/change/")
    assert "x" * 500 in context["timeline"][9].document


@pytest.mark.parametrize("timeline", [None, {}, [], [None, 3, [], {}]])
def test_a_timeline_of_any_shape_is_shown(
    admin_client: Client, make_run: MakeRun, timeline: Any
) -> None:
    assert admin_client.get(page_of(make_run(timeline=timeline))).status_code == 200


def test_waiting_and_working_are_told_apart(admin_client: Client, make_run: MakeRun) -> None:
    now = timezone.now()
    run = make_run(
        created_at=now,
        started_at=now + timedelta(minutes=2, seconds=5),
        finished_at=now + timedelta(minutes=2, seconds=5.25),
    )
    times = dict(admin_client.get(page_of(run)).context["times"])
    assert times["Waited"] == "2 min 5 s"
    assert times["Worked"] == "250 ms"


def test_a_second_attempt_at_work_is_not_measured_by_the_end_of_the_first(
    admin_client: Client, make_run: MakeRun
) -> None:
    now = timezone.now()
    run = make_run(
        status="running",
        attempt=2,
        started_at=now - timedelta(minutes=3, seconds=1),
        finished_at=now - timedelta(minutes=9),
    )
    times = dict(admin_client.get(page_of(run)).context["times"])
    assert times["Worked"].startswith("3 min")
    assert "Finished" not in times
    assert "Last attempt ended" not in times


def test_the_page_shows_the_trace_as_a_tree_and_links_to_the_cause(
    admin_client: Client, make_run: MakeRun
) -> None:
    top = make_run(step="Top")
    child = make_run(step="Child", parent_id=top.id)
    make_run(step="Second", parent_id=top.id)
    make_run(step="Grandchild", parent_id=child.id)
    make_run(step="Stranger", trace_id="c" * 32)
    response = admin_client.get(page_of(child))
    branches = response.context["trace"].branches
    shown = [(branch.run.step, len(branch.indent), branch.is_this) for branch in branches]
    assert shown == [
        ("Top", 0, False),
        ("Child", 1, True),
        ("Grandchild", 2, False),
        ("Second", 1, False),
    ]
    html = response.content.decode()
    assert f'<a href="{page_of(top)}">Top</a>' in html
    assert f'href="{LIST}?q={child.trace_id}"' in html


def test_a_cause_that_was_pruned_is_named_by_its_id(
    admin_client: Client, make_run: MakeRun
) -> None:
    gone = uuid4()
    html = admin_client.get(page_of(make_run(parent_id=gone))).content.decode()
    assert str(gone) in html
    assert "not in the history" in html


def test_a_long_trace_is_cut_but_never_without_the_run_itself(
    admin_client: Client, make_run: MakeRun
) -> None:
    for _ in range(110):
        make_run()
    last = make_run(step="Last")
    trace = admin_client.get(page_of(last)).context["trace"]
    assert trace.is_cut
    assert [branch.run.step for branch in trace.branches if branch.is_this] == ["Last"]


def test_runs_that_are_their_own_ancestors_are_shown_once() -> None:
    one, two = UUID(int=1), UUID(int=2)
    runs = {
        one: models.Run(id=one, parent_id=two),
        two: models.Run(id=two, parent_id=one),
    }
    assert [run.id for run, _depth in in_order(runs)] == [one, two]


def test_who_may_view_runs_sees_runs_and_nothing_else(
    client_of: Callable[..., Client], make_run: MakeRun
) -> None:
    run, client = make_run(), client_of("view_run")
    html = client.get(page_of(run)).content.decode()
    assert "/admin/motia/step/" not in html
    assert client.get(LIST).status_code == 200
    for other in ("step", "flow", "stateitem", "step/CreateTodo/change"):
        assert client.get(f"/admin/motia/{other}/").status_code == 403
    assert "stateitem" not in client.get("/admin/").content.decode()


def test_who_may_not_view_runs_sees_none(
    client_of: Callable[..., Client], make_run: MakeRun
) -> None:
    run, client = make_run(), client_of("view_step")
    assert client.get(LIST).status_code == 403
    assert client.get(page_of(run)).status_code == 403
    html = client.get("/admin/motia/step/CreateTodo/change/").content.decode()
    assert str(run.id) not in html
    assert "/admin/motia/run/" not in html


def test_a_stranger_is_sent_to_the_login(client: Client, make_run: MakeRun) -> None:
    for address in (LIST, page_of(make_run())):
        assert client.get(address).headers["Location"].startswith("/admin/login/")


def test_the_pages_need_no_inline_script_or_style(admin_client: Client, make_run: MakeRun) -> None:
    run = make_run(status="dead", error="E", timeline=[{"at": 0, "kind": "log", "level": "error"}])
    for address in (LIST, page_of(run)):
        html = admin_client.get(address).content.decode()
        assert "<style" not in html
        assert " style=" not in html
        assert "<script>" not in html
        assert "onclick" not in html
        assert "motia_django/admin.css" in html
