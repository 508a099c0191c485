"""A Step: the config and the handler of one file, or what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import override_settings

from motia_django import cron, http, queue, state_changed, step, stream
from motia_django.conf import Settings
from motia_django.declarations import Problem
from motia_django.exceptions import TriggerGone
from motia_django.steps import Step, Topic, read_step
from tests.projects import Project

TRIGGERS = [{"type": "queue", "topic": "t"}]


def handler(input: Any, ctx: Any) -> None:
    """Do nothing."""


def read(config: Any, function: Any = handler) -> tuple[Step | None, list[Problem]]:
    """Read a Step that stands in no file."""
    module = SimpleNamespace(config=config, handler=function)
    return read_step(module, Path("x_step.py"), "app")


def good(**config: Any) -> Step:
    """Return the Step of this config."""
    found, problems = read({"name": "A", "triggers": TRIGGERS, **config})
    assert found is not None, list(map(str, problems))
    return found


def wrong(config: Any, function: Any = handler) -> str:
    """Return the one problem that keeps this from being a Step."""
    found, problems = read(config, function)
    assert found is None
    assert len(problems) == 1, list(map(str, problems))
    assert problems[0].file == Path("x_step.py")
    return f"{problems[0].id} {problems[0].message} {problems[0].hint}"


def test_the_smallest_step_has_a_name_a_trigger_and_a_handler() -> None:
    found = good()
    assert (found.name, found.description, found.flows, found.enqueues) == ("A", "", (), ())
    assert (found.app, found.arity, found.is_async) == ("app", 2, False)
    assert found.handler is handler


@pytest.mark.parametrize("name", ["CreateTodo", "a b", "a.b::c", "größe", "日本", "x" * 200])
def test_any_text_up_to_200_characters_is_a_name(name: str) -> None:
    assert good(name=name).name == name


@pytest.mark.parametrize("name", ["", "  ", None, 5, "x" * 201, ["A"]])
def test_what_is_no_such_text_is_no_name(name: Any) -> None:
    assert "motia.E005 config.name: expected" in wrong({"name": name, "triggers": TRIGGERS})


def test_everything_else_may_be_told_of_a_step() -> None:
    found = good(description="d", flows=["f", "g"], enqueues=["a", {"topic": "b", "label": "L"}])
    assert (found.description, found.flows) == ("d", ("f", "g"))
    assert found.enqueues == (Topic(name="a"), Topic(name="b", label="L"))
    assert found.topics == {"a", "b"}


@pytest.mark.parametrize(
    "enqueues",
    ["a", {"topic": "a"}, [5], [None], [""], [{"topic": ""}], [{"topic": 5}], [{}],
     [{"topic": "a", "lable": "x"}], {"a"}],
    ids=repr,
)  # fmt: skip
def test_what_is_no_list_of_topics_is_a_problem(enqueues: Any) -> None:
    text = wrong({"name": "A", "triggers": TRIGGERS, "enqueues": enqueues})
    assert "config.enqueues: expected a list of topics" in text


@pytest.mark.parametrize(("key", "value"), [("flows", "todos"), ("flows", [5]), ("description", 5)])
def test_a_value_of_the_wrong_kind_is_a_problem(key: str, value: Any) -> None:
    assert f"config.{key}: expected" in wrong({"name": "A", "triggers": TRIGGERS, key: value})


@pytest.mark.parametrize("key", ["onDead", "on_dead"])
def test_what_follows_from_a_death_is_one_topic(key: str) -> None:
    assert good(**{key: "payment.died"}).on_dead == "payment.died"
    assert good().on_dead == ""
    for value in ("", " ", "x" * 256, ["payment.died"], {"topic": "payment.died"}, 5, None):
        raw = {"name": "A", "triggers": TRIGGERS, key: value}
        assert f"config.{key}: expected a string" in wrong(raw)


@pytest.mark.parametrize(
    "key", ["virtualEnqueues", "virtual_enqueues", "virtualEmits", "virtual_emits"]
)
def test_what_follows_outside_of_the_code_has_motias_two_names_in_two_spellings(key: str) -> None:
    found = good(**{key: ["a", {"topic": "b", "label": "by hand"}]})
    assert found.virtual_enqueues == (Topic(name="a"), Topic(name="b", label="by hand"))
    assert found.topics == frozenset()
    assert good(virtualSubscribes=["c"]).virtual_subscribes == ("c",)


@pytest.mark.parametrize("topics", ["a", [5], [""], [{"topic": "a"}], None])
def test_virtual_subscriptions_are_a_list_of_topics(topics: Any) -> None:
    problem = wrong({"name": "A", "triggers": TRIGGERS, "virtualSubscribes": topics})
    assert "motia.E005 config.virtualSubscribes: expected a list of" in problem


@pytest.mark.parametrize(
    "url", ["https://wiki/x?a=b#c", "http://user@host:8080/", "https://ü.example/ä"]
)
def test_docs_are_any_address_on_the_web(url: str) -> None:
    assert good(docs=url).docs == url
    assert good().docs == ""


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "JavaScript://x/%0aalert(1)", "/runbook", "https://", "wiki.example",
     "data:text/html,x", "ftp://host/", "https://a b/", "https://a\n.b/", "https://[", "", 5, None,
     "https://host/" + "x" * 2000],
)  # fmt: skip
def test_what_is_no_address_on_the_web_is_a_problem(url: Any) -> None:
    problem = wrong({"name": "A", "triggers": TRIGGERS, "docs": url})
    assert "motia.E005 config.docs: expected a URL such as" in problem


@pytest.mark.parametrize("triggers", [[], {}, "x", None, 5, [5], ["queue"], [None], [TRIGGERS]])
def test_what_is_no_list_of_triggers_is_a_problem(triggers: Any) -> None:
    assert "config.triggers: expected a list" in wrong({"name": "A", "triggers": triggers})


def test_a_step_needs_a_name_and_triggers() -> None:
    _, problems = read({})
    assert [problem.id for problem in problems] == ["motia.E006", "motia.E006"]


@pytest.mark.parametrize(
    ("key", "hint"), [("trigger", "triggers"), ("enqueue", "enqueues"), ("flow", "flows")]
)
def test_an_unknown_key_is_a_problem_with_the_nearest(key: str, hint: str) -> None:
    text = wrong({"name": "A", "triggers": TRIGGERS, key: []})
    assert f"motia.E004 config: unknown key {key!r} of a Step Did you mean '{hint}'?" in text


@pytest.mark.parametrize("config", [5, "x", [], ["name"], object(), lambda: {}])
def test_a_config_that_is_no_dict_is_a_problem(config: Any) -> None:
    assert "motia.E003 config: expected a dict" in wrong(config)


def test_a_missing_config_and_a_missing_handler_are_two_problems() -> None:
    found, problems = read_step(SimpleNamespace(), Path("x_step.py"), "app")
    assert found is None
    assert {problem.id for problem in problems} == {"motia.E002", "motia.E007"}
    assert all(problem.line == 1 and problem.hint for problem in problems)


@pytest.mark.parametrize(
    "function", [None, 5, "handler", lambda a, b, c: 0, lambda *, ctx: 0, lambda a, *, b: 0]
)
def test_what_cannot_be_called_as_a_handler_is_a_problem(function: Any) -> None:
    assert wrong({"name": "A", "triggers": TRIGGERS}, function).startswith("motia.E007 ")


async def in_async(input: Any) -> None:
    """Do nothing, awaited."""


@pytest.mark.parametrize(
    ("function", "arity", "is_async"),
    [
        (handler, 2, False),
        (in_async, 1, True),
        (lambda: 0, 0, False),
        (lambda request, ctx, more=None: 0, 2, False),
    ],
)
def test_a_handler_takes_two_arguments_or_one_or_none_sync_or_async(
    function: Any, arity: int, is_async: bool
) -> None:
    found, _ = read({"name": "A", "triggers": TRIGGERS}, function)
    assert found is not None
    assert (found.arity, found.is_async) == (arity, is_async)


def test_the_helpers_declare_a_whole_step() -> None:
    config = step(
        "A",
        triggers=[http("GET", "/x"), queue("t"), cron("@daily"), state_changed("g"), stream("s")],
        description="d",
        enqueues=["t"],
        flows=["f"],
    )
    found, problems = read(config)
    assert not problems
    assert found is not None
    assert [trigger.kind for trigger in found.triggers] == [
        "http", "queue", "cron", "state", "stream"
    ]  # fmt: skip
    assert (found.description, found.flows) == ("d", ("f",))
    assert found.topics == {"t"}
    assert step("A", triggers=TRIGGERS) == {"name": "A", "triggers": TRIGGERS}


def test_a_trigger_is_found_by_kind_and_index() -> None:
    found = good(triggers=[queue("a"), cron("@daily"), queue("b")])
    assert found.trigger("queue", 2).source == "b"
    assert [index for index, _ in found.triggers_of("queue")] == [0, 2]
    assert found.triggers_of("http") == []


@pytest.mark.parametrize(
    ("index", "source", "found"),
    [(0, "b", "b"), (7, "b", "b"), (2, "a", "a"), (2, "", "b"), (0, "", "a")],
)
def test_if_the_file_has_changed_its_trigger_is_found_by_its_source(
    index: int, source: str, found: str
) -> None:
    step = good(triggers=[queue("a"), cron("@daily"), queue("b")])
    assert step.trigger("queue", index, source).source == found


@pytest.mark.parametrize("index", [0, 1, 2, 7, -1])
def test_no_other_trigger_stands_in_for_one_that_is_gone(index: int) -> None:
    step = good(triggers=[queue("a"), cron("@daily"), queue("b")])
    with pytest.raises(TriggerGone, match="'A' has no trigger of type queue for 'gone' here"):
        step.trigger("queue", index, "gone")
    assert not step.has_trigger("queue", index, "gone")


@pytest.mark.parametrize(
    ("kind", "index", "source", "found"),
    [
        ("state", 0, "orders/17", 0),
        ("state", 1, "orders/17", 1),
        ("state", 1, "orders/18", 0),
        ("state", 0, "users/17", None),
        ("stream", 2, "board/a/17", 2),
        ("stream", 7, "board/a/b/c", 2),
        ("stream", 2, "board/a", 2),
        ("stream", 2, "board/b/17", None),
        ("stream", 2, "other/a/17", None),
    ],
)
def test_a_change_is_for_who_watches_its_place(
    kind: str, index: int, source: str, found: int | None
) -> None:
    watching = [
        state_changed("orders"),
        state_changed("orders", "17"),
        stream("board", group_id="a"),
    ]
    step = good(triggers=watching)
    assert step.has_trigger(kind, index, source) == (found is not None)
    if found is not None:
        assert step.trigger(kind, index, source) is step.triggers[found]


def test_another_schedule_or_address_in_its_place_is_the_same_trigger() -> None:
    step = good(triggers=[cron("@daily"), http("GET", "/new")])
    assert step.trigger("cron", 0, "@hourly").source == "@daily"
    assert step.trigger("http", 1, "GET /old").source == "GET /new"
    assert step.has_trigger("cron", 0, "@hourly")


def test_a_kind_of_trigger_that_is_gone_is_an_error_that_names_the_step() -> None:
    with pytest.raises(TriggerGone, match="'A' has no trigger of type http here"):
        good().trigger("http", 0)


def test_every_value_of_a_real_file_is_read_with_its_line(project: Project) -> None:
    file = project.step(
        "create_todo_step.py",
        '''
        """Create a todo."""

        from pydantic import BaseModel


        class NewTodo(BaseModel):
            title: str


        config = {
            "name": "CreateTodo",
            "triggers": [{"type": "http", "path": "/todos", "bodySchema": NewTodo}],
            "enqueues": ["todo.created"],
        }


        async def handler(request, ctx):
            return {"status": 201}
        ''',
    )
    found = project.only_step()
    assert (found.name, found.file, found.line) == ("CreateTodo", file, 11)
    assert (found.arity, found.is_async) == (2, True)


def test_models_may_refer_to_models_further_down_the_file(project: Project) -> None:
    project.step(
        "order_step.py",
        """
        from __future__ import annotations
        from pydantic import BaseModel

        class Order(BaseModel):
            items: list[Item]

        class Item(BaseModel):
            name: str

        config = {"name": "A", "triggers": [{"type": "queue", "topic": "t", "input": Order}]}

        def handler(input): ...
        """,
    )
    trigger = project.only_step().triggers[0]
    assert trigger.clean_input({"items": [{"name": "x"}]}, "A").items[0].name == "x"


def test_a_schema_that_refers_to_nothing_is_a_problem_on_its_line(project: Project) -> None:
    file = project.step(
        "order_step.py",
        """
        from __future__ import annotations
        from pydantic import BaseModel

        class Order(BaseModel):
            items: list[Itme]

        config = {
            "name": "A",
            "triggers": [{
                "type": "queue", "topic": "t",
                "input": Order,
            }],
        }

        def handler(input): ...
        """,
    )
    (problem,) = project.problems()
    assert (problem.file, problem.line) == (file, 11)
    assert "Itme" in problem.message


def plain_parts() -> Any:
    yield 1


async def async_parts() -> Any:
    yield 1


@pytest.mark.parametrize("handler", [plain_parts, async_parts])
@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"triggers": TRIGGERS}, "only an HTTP request can be answered so"),
        ({"triggers": [http("GET", "/x")], "atomic": True}, "the transaction of an atomic Step"),
        ({"triggers": [http("POST", "/x", idempotency=True)]}, "kept for an Idempotency-Key"),
    ],
)
def test_a_yield_is_an_answer_and_a_problem_where_it_can_be_none(
    handler: Any, config: Any, says: str
) -> None:
    text = wrong({"name": "A", **config}, handler)
    assert text.startswith("motia.E007 handler: there is a yield in it, and ")
    assert says in text


@pytest.mark.parametrize("handler", [plain_parts, async_parts])
def test_a_handler_with_a_yield_may_answer_requests(handler: Any) -> None:
    found, problems = read({"name": "A", "triggers": [http("GET", "/x"), *TRIGGERS]}, handler)
    assert found is not None, problems
    assert found.is_async is (handler is async_parts)


@pytest.mark.parametrize("words", [["card"], ("card", "first_name"), [], ["-Key"]])
def test_a_step_may_say_which_words_are_of_secrets(words: Any) -> None:
    assert good(redact=words).masks == tuple(words)


def test_a_step_may_add_words_to_those_of_the_setting() -> None:
    step = good(redact={"add": ["passport"]})
    assert step.masks == (*Settings().redact, "passport")
    with override_settings(MOTIA={"REDACT": ["card"]}):
        assert step.masks == ("card", "passport")
    assert good(redact={"add": []}).masks == Settings().redact


def test_a_step_that_says_nothing_of_secrets_leaves_them_to_the_setting() -> None:
    assert good().masks == good(redact=None).masks == Settings().redact


@pytest.mark.parametrize(
    "words",
    [
        "card",
        [""],
        ["-"],
        ["..."],
        [7],
        {"card": True},
        {"add": "card"},
        {"add": [""]},
        {"add": ["a"], "b": 1},
        7,
    ],
)
def test_what_is_no_list_of_words_is_no_word_on_secrets(words: Any) -> None:
    said = wrong({"name": "A", "triggers": TRIGGERS, "redact": words})
    assert 'motia.E005 config.redact: expected a list of words, such as ["card", "iban"]' in said
    assert f"got {words!r}" in said
