"""The todos and the greetings, as a project tests its Steps: see docs/testing.md."""

from __future__ import annotations

from motia_django.testing import Motia


def test_a_todo_is_created_processed_and_listed(motia: Motia, hurried: None) -> None:
    answer = motia.http("POST", "/todos", json={"title": "Buy milk"})
    todo = answer.json
    assert (answer.status, todo["title"], todo["completed"]) == (201, "Buy milk", False)
    assert motia.enqueued("todo.created") == [{"todoId": todo["id"]}]
    motia.drain()
    assert motia.http("GET", "/todos").json == {"todos": [todo], "count": 1}
    assert [log.message for log in motia.logs] == [
        "Todo created",
        "Processing todo",
        "Todo processed",
        "Listed todos",
    ]


def test_a_todo_without_a_title_is_refused(motia: Motia) -> None:
    assert motia.http("POST", "/todos", json={"title": ""}).status == 400
    assert motia.enqueued("todo.created") == []


def test_a_todo_that_is_gone_is_no_error(motia: Motia) -> None:
    [run] = motia.queue("todo.created", {"todoId": "17"})
    assert run.status == "succeeded"
    assert motia.logs == [("warning", "Todo not found", {"todoId": "17"}, "ProcessTodo")]


def test_greetings_are_counted(motia: Motia) -> None:
    for name in ("Ada", "Bob"):
        answer = motia.http("GET", "/greet", query={"name": name})
        assert answer.json["message"] == f"Hello, {name}!"
    motia.drain()
    assert motia.state.get("counters", "greetings") == {"count": 2}
