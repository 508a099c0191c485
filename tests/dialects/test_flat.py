"""Motia 0.x: flat configs, dict requests, `context.emit`, state that answers under `data`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import override_settings

from motia_django import state, streams
from motia_django.exceptions import TriggerGone
from motia_django.public import invoke
from motia_django.runs import Status
from tests.dialects.firing import all_went_well, sent, ticked
from tests.factories import rows
from tests.projects import Project
from tests.web.serving import post, served

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


ORDER_API = """
    from typing import Optional

    from pydantic import BaseModel

    from .services.orders import new_order


    class Order(BaseModel):
        sku: str
        quantity: int = 1
        note: Optional[str] = None


    config = {
        "type": "api",
        "name": "Orders::Create order",
        "description": "Takes an order in",
        "path": "orders/:shop",
        "method": "post",
        "bodySchema": Order.model_json_schema(),
        "responseSchema": {200: {"type": "object"}, 400: None},
        "queryParams": [{"name": "dry", "description": "Try it", "required": False}],
        "emits": [
            "order.created",
            {"topic": "order::refused", "label": "Not ours", "conditional": True},
        ],
        "flows": ["orders"],
        "includeFiles": ["./services/*.py"],
        "virtualSubscribes": ["customer calls"],
        "virtualEmits": [{"topic": "parcel.sent", "label": "By hand"}],
    }


    async def handler(req, context):
        body = req.get("body", {})
        order = new_order(body)
        context.logger.info("An order", {"order": order})
        await context.state.set(context.trace_id, "order", order)
        await context.emit({"topic": "order.created", "data": order})
        return {
            "status": 200,
            "headers": {"X-Shop": req["pathParams"]["shop"]},
            "body": {
                "order": order,
                "dry": req.get("queryParams", {}).get("dry", "no"),
                "agent": req["headers"].get("user-agent"),
                "raw": req.get("rawBody"),
                "flows": context.flows,
                "trace": context.trace_id,
                "is": isinstance(req, dict) and isinstance(body, dict),
            },
            "ignored": True,
        }
"""

SERVICES = """
    def new_order(body):
        return {"id": "o-1", **body}
"""

ORDER_EVENT = """
    import json

    config = {
        "type": "event",
        "name": "process order",
        "subscribes": ["order.created", "order.again"],
        "emits": [],
        "input": {
            "type": "object",
            "properties": {"id": {"type": "string"}},
            "required": ["id"],
        },
        "flows": ["orders"],
        "infrastructure": {
            "handler": {"ram": 512, "cpu": 1, "timeout": 20},
            "queue": {"type": "fifo", "maxRetries": 0, "visibilityTimeout": 60, "delaySeconds": 0},
        },
    }


    async def handler(input_data, context):
        kept = await context.state.get(context.trace_id, "order")
        missing = await context.state.get(context.trace_id, "nothing")
        await context.state.set("seen", input_data["id"], {
            "sku": input_data.sku,
            "under data": kept.get("data")["sku"],
            "itself": kept["sku"],
            "missing": [bool(missing), missing.get("data"), "data" in missing],
            "trigger": context.trigger.type,
        })
"""


def test_an_api_step_and_an_event_step_run_as_they_did(project: Project) -> None:
    project.step("orders/create_step.py", ORDER_API)
    project.step("orders/services/orders.py", SERVICES)
    project.step("orders/process_step.py", ORDER_EVENT)
    project.load()
    with served() as client:
        answer = client.post(
            "/orders/berlin?dry=yes",
            '{"sku": "A1"}',
            content_type="application/json",
            headers={"User-Agent": "tester"},
        )
    assert answer.status_code == 200, answer.content
    assert answer["X-Shop"] == "berlin"
    said = answer.json()
    assert said["trace"] == answer["Motia-Trace-Id"]
    assert said == {
        "order": {"id": "o-1", "sku": "A1"},
        "dry": "yes",
        "agent": "tester",
        "raw": '{"sku": "A1"}',
        "flows": ["orders"],
        "trace": said["trace"],
        "is": True,
    }
    all_went_well()
    assert state.get("seen", "o-1") == {
        "sku": "A1",
        "under data": "A1",
        "itself": "A1",
        "missing": [False, None, True],
        "trigger": "event",
    }


def test_what_a_config_says_is_said_in_todays_words(project: Project) -> None:
    project.step("create_step.py", ORDER_API.replace("from .services.orders import new_order", ""))
    project.step("process_step.py", ORDER_EVENT)
    steps = project.load()
    created = steps.step("Orders::Create order")
    assert [each.source for each in created.triggers] == ["POST /orders/:shop"]
    assert [(each.name, each.label, each.conditional) for each in created.enqueues] == [
        ("order.created", "", False),
        ("order::refused", "Not ours", True),
    ]
    assert created.virtual_enqueues[0].name == "parcel.sent"
    assert created.virtual_subscribes == ("customer calls",)
    again, more = steps.step("process order").triggers
    assert (again.source, more.source) == ("order.created", "order.again")
    assert again.delivery.fifo
    assert again.delivery.max_retries == 0
    assert again.delivery.visibility_timeout == 60


def test_a_body_is_checked_and_a_missing_one_is_an_empty_object(project: Project) -> None:
    project.step("create_step.py", ORDER_API.replace("from .services.orders import", "#"))
    project.step(
        "list_step.py",
        """
        config = {"type": "api", "name": "List", "path": "/list", "method": "GET", "emits": []}

        def handler(req, context):
            body = req.get("body", {})
            return {"status": 200, "body": {"q": body.get("q"), "path": req.path}}
        """,
    )
    project.load()
    with served() as client:
        wrong = post(client, {"quantity": 1}, "/orders/berlin")
        assert wrong.status_code == 400
        assert client.get("/list").json() == {"q": None, "path": "/list"}


def test_a_model_as_a_schema_gives_a_dict_that_has_attributes(project: Project) -> None:
    project.step(
        "hello_step.py",
        """
        from pydantic import BaseModel
        from motia_django import state

        class Input(BaseModel):
            extra: str
            more: dict = {}

        config = {"type": "event", "name": "Hello", "subscribes": ["hello"], "input": Input,
                  "emits": ["hello.response"], "flows": ["hello"]}

        async def handler(input: Input, ctx):
            await ctx.state.set("g", "k", [input.extra, input.get("extra"), input.more.deep])
        """,
    )
    project.load()
    sent("hello", {"extra": "py", "more": {"deep": 1}})
    assert state.get("g", "k") == ["py", "py", 1]


@pytest.mark.parametrize("parameters", ["context", "ctx", "_, context"])
def test_a_cron_handler_takes_the_context(project: Project, parameters: str) -> None:
    project.step(
        "audit_step.py",
        f"""
        config = {{
            "type": "cron", "name": "Audit", "cron": "*/5 * * * *", "emits": ["noted"],
        }}

        async def handler({parameters}):
            the = {parameters.split(", ")[-1]}
            for item in await the.state.get_group("orders"):
                the.logger.warn("late", item)
                await the.emit({{"topic": "noted", "data": item}})
        """,
    )
    project.step(
        "noted_step.py",
        """
        config = {"type": "event", "name": "Noted", "subscribes": ["noted"], "emits": []}

        def handler(input, context):
            context.state.set("noted", input["id"], input)
        """,
    )
    project.load()
    state.set("orders", "1", {"id": "1"})
    ticked("Audit")
    assert state.list("noted") == [{"id": "1"}]


@pytest.mark.parametrize("emits", ['[""]', '"", "virtualEmits": ["", ""]'])
def test_an_empty_text_is_no_topic(project: Project, emits: str) -> None:
    project.step(
        "quiet_step.py",
        f"""
        config = {{"type": "event", "name": "Quiet", "subscribes": ["go"], "emits": {emits}}}

        async def handler(input, context):
            pass
        """,
    )
    assert project.only_step().enqueues == ()


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ("{}", "text/plain; charset=utf-8"),
        ("None", "text/plain; charset=utf-8"),
        ('{"X-Kind": "note"}', "text/plain; charset=utf-8"),
        ('{"content-type": "application/json"}', "application/json"),
        ('{"Content-Type": "text/html"}', "text/html"),
    ],
)
def test_a_body_that_is_a_text_is_sent_as_it_is(project: Project, headers: str, kind: str) -> None:
    project.step(
        "text_step.py",
        f"""
        import json

        config = {{"type": "api", "name": "Text", "path": "/text", "method": "POST", "emits": [],
                  "responseSchema": {{201: {{"type": "string"}}}}}}

        async def handler(req, context):
            said = json.dumps({{"said": req["body"]["text"]}})
            return {{"status": req["body"]["status"], "body": said, "headers": {headers}}}
        """,
    )
    project.load()
    with served() as client:
        for status in (200, 201):
            answer = post(client, {"text": "<b>", "status": status}, "/text")
            assert (answer.status_code, answer.content) == (status, b'{"said": "<b>"}')
            assert answer.headers["Content-Type"] == kind


@pytest.mark.parametrize(("policy", "status"), [("debug", 200), ("log", 200), ("error", 500)])
def test_an_answer_that_breaks_its_schema_is_sent(
    project: Project, caplog: pytest.LogCaptureFixture, policy: str, status: int
) -> None:
    project.step(
        "pet_step.py",
        """
        config = {
            "type": "api", "name": "Pet", "path": "/pet", "method": "POST", "emits": [],
            "responseSchema": {200: {"type": "object", "required": ["photo"]}},
        }

        async def handler(req, context):
            return {"status": 200, "body": {"photos": []}}
        """,
    )
    project.load()
    with override_settings(DEBUG=True, MOTIA={"INVALID_RESPONSES": policy}), served() as client:
        client.raise_request_exception = False
        answer = post(client, {}, "/pet")
    assert answer.status_code == status
    said = [each.message for each in caplog.records if "it was sent all the same" in each.message]
    assert len(said) == (status == 200)
    assert all("The 200 response of Step 'Pet' is invalid: photo: " in each for each in said)


def test_what_is_not_awaited_is_done_before_the_run_ends(project: Project) -> None:
    project.step(
        "hasty_step.py",
        """
        config = {"type": "event", "name": "Hasty", "subscribes": ["go"], "emits": []}

        async def handler(input, context):
            for number in range(5):
                context.state.set("hasty", str(number), number)
        """,
    )
    project.load()
    sent("go")
    assert state.list("hasty") == [0, 1, 2, 3, 4]


MIDDLEWARE = """
    async def authorize(req, context, next_fn):
        token = req.get("headers", {}).get("X-Token")
        if not token:
            return {"status": 401, "body": {"error": "no token"}}
        req["who"] = token
        context.seen = ["authorize"]
        answer = await next_fn()
        answer["headers"] = {"X-Seen": ",".join(context.seen)}
        return answer


    def plain(req, context, next_fn):
        context.seen.append("plain")
        return next_fn()


    config = {
        "type": "api", "name": "Guarded", "path": "/guarded", "method": "GET", "emits": [],
        "middleware": [authorize, plain],
    }


    async def handler(req, context):
        context.seen.append("handler")
        return {"status": 200, "body": {"who": req["who"]}}
"""


def test_middleware_at_the_root_stands_before_the_handler(project: Project) -> None:
    project.step("guarded_step.py", MIDDLEWARE)
    project.load()
    with served() as client:
        assert client.get("/guarded").status_code == 401
        answer = client.get("/guarded", headers={"X-Token": "me"})
    assert answer.json() == {"who": "me"}
    assert answer["X-Seen"] == "authorize,plain,handler"


RENEWING = """
    def renew(req, context, next_fn):
        assert "X-Token" in req.headers and "x-none" not in req["headers"] and 5 not in req.headers
        req.body = {"n": req.body.n + 1}
        return next_fn({**req, "raw_body": req.get("nothing", "none")})


    config = {
        "type": "api", "name": "Renewed", "path": "/renewed", "method": "POST",
        "emits": ["renewed"], "middleware": [renew],
    }


    def handler(req, context):
        assert context.is_api() and not context.is_event()
        context.emit("renewed", req["body"])
        return {"status_code": 202, "body": [req["body"], req["raw_body"]]}
"""
HEARING = """
    config = {"type": "event", "name": "Hearing", "subscribes": ["renewed"], "emits": []}

    async def handler(data, context):
        assert context.is_event() and "todo" in list(context.streams)
        await context.state.set("renewed", "n", data)
        kept = await context.state.get("renewed", "n")
        assert kept.get("data") == data and kept.get("none", 0) == 0
"""


def test_middleware_may_hand_on_another_request(project: Project) -> None:
    project.stream("todo_stream.py", 'config = {"name": "todo", "schema": {"type": "object"}}')
    project.step("renewed_step.py", RENEWING)
    project.step("hearing_step.py", HEARING)
    project.load()
    with served() as client:
        answer = client.post(
            "/renewed", '{"n": 1}', content_type="application/json", headers={"X-Token": "me"}
        )
    assert (answer.status_code, answer.json()) == (202, [{"n": 2}, "none"])
    all_went_well()
    assert state.get("renewed", "n") == {"n": 2}


def test_a_stream_answers_its_items(project: Project) -> None:
    project.stream(
        "todo_stream.py",
        """
        config = {"name": "todo", "schema": {"type": "object"},
                  "baseConfig": {"storageType": "state", "property": "text"}}
        """,
    )
    project.step(
        "todo_step.py",
        """
        config = {"type": "api", "name": "Todo", "path": "/todo", "method": "POST", "emits": []}

        async def handler(req, context):
            made = await context.streams.todo.set("inbox", "t1", req.get("body"))
            await context.streams["todo"].send({"groupId": "inbox"}, {"type": "hi", "data": 1})
            again = await context.streams.get("todo").get("inbox", "t1")
            group = await context.streams.todo.getGroup("inbox")
            gone = await context.streams.todo.delete("inbox", "t1")
            return {"status": 200, "body": [made, again, group, gone]}
        """,
    )
    project.load()
    item = {"id": "t1", "text": "x"}
    with served() as client:
        assert post(client, {"text": "x"}, "/todo").json() == [item, item, [item], item]


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_arguments_of_state_and_streams_have_their_old_names(project: Project, kind: str) -> None:
    wait = "await " if kind == "async def" else ""
    project.stream("todo_stream.py", 'config = {"name": "todo", "schema": {"type": "object"}}')
    project.step(
        "named_step.py",
        f"""
        config = {{"type": "event", "name": "Named", "subscribes": ["go"], "emits": []}}

        {kind} handler(data, context):
            state, todo = context.state, context.streams.todo
            {wait}state.set(trace_id="a", key="k", value={{"n": 1}})
            kept = {wait}state.get(trace_id="a", key="k")
            group = {wait}state.get_group(group_id="a")
            {wait}todo.set(group_id="inbox", id="t", data={{"n": 2}})
            item = {wait}todo.get(group_id="inbox", id="t")
            {wait}state.delete(trace_id="a", key="k")
            items = {wait}todo.getGroup(group_id="inbox")
            told = [kept["data"], group, item, items]
            {wait}state.set(scope="told", item_id="all", data=told)
        """,
    )
    project.load()
    sent("go")
    item = {"id": "t", "n": 2}
    assert state.get("told", "all") == [{"n": 1}, [{"n": 1}], item, [item]]
    assert state.get("a", "k") is None


@pytest.mark.parametrize(
    ("schema", "warned"),
    [({"type": "object", "required": ["text"]}, 1), ({"text": {"type": "text"}, "type": "row"}, 0)],
    ids=["broken by the item", "no schema"],
)
def test_a_streams_schema_lets_everything_pass(
    project: Project, caplog: pytest.LogCaptureFixture, schema: dict[str, Any], warned: int
) -> None:
    project.stream(
        "todo_stream.py",
        f"""
        config = {{"name": "todo", "schema": {schema},
                  "baseConfig": {{"storageType": "default"}}}}
        """,
    )
    project.step(
        "todo_step.py",
        """
        config = {"type": "event", "name": "Todo", "subscribes": ["todo"], "emits": []}

        async def handler(data, context):
            await context.streams.todo.set("inbox", "t1", {"done": True})
        """,
    )
    project.load()
    sent("todo")
    assert streams["todo"].list("inbox") == [{"id": "t1", "done": True}]
    said = [each.message for each in caplog.records if "it is kept all the same" in each.message]
    assert len(said) == warned
    assert all("item inbox/t1 of stream 'todo'" in each for each in said)


NOOP = """
    config = {
        "type": "noop",
        "name": "Wait for the customer",
        "description": "Somebody calls",
        "virtualSubscribes": ["order.created"],
        "virtualEmits": ["order.again"],
        "flows": ["orders"],
        "colour": "green",
    }
"""


def test_a_noop_step_stands_in_the_flow_and_never_runs(project: Project) -> None:
    project.step("wait_step.py", NOOP)
    project.step("process_step.py", ORDER_EVENT)
    steps = project.load()
    step = steps.step("Wait for the customer")
    assert step.triggers == ()
    assert "Wait for the customer" in {each.name for each in steps.flows()["orders"]}
    with pytest.raises(TriggerGone, match="it stands for what people do outside"):
        invoke("Wait for the customer")
    assert not rows()


def test_keys_that_nobody_reads_are_noted_and_no_problem(project: Project) -> None:
    project.step("wait_step.py", NOOP)
    step = project.only_step()
    [note] = step.unread
    assert "unknown key 'colour'" in note.message
    assert note.line == 8


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ('"type": "apii", "name": "X"', "expected one of http, queue, cron, state, stream"),
        ('"type": "cron", "name": "X"', "the key 'schedule' is missing"),
        ('"type": "api", "name": "X", "method": "GET"', "the key 'path' is missing"),
        ('"type": "event", "subscribes": ["t"]', "the key 'name' is missing"),
        ('"type": "event", "name": "X", "subscribes": [5]', "config.triggers[0].topic: expected"),
    ],
)
def test_what_is_wrong_is_still_an_error(project: Project, config: str, text: str) -> None:
    project.step("x_step.py", f"config = {{{config}}}\ndef handler(a, b): ...\n")
    assert text in "\n".join(each.message for each in project.problems())


def test_a_message_that_breaks_its_schema_is_told_of_and_given(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.step(
        "feed_step.py",
        """
        from pydantic import BaseModel

        class Feeding(BaseModel):
            pet_id: str

        config = {"type": "event", "name": "Feed", "subscribes": ["feed"], "emits": [],
                  "input": Feeding.model_json_schema()}

        async def handler(input_data, context):
            await context.state.set("fed", input_data["pet_id"], input_data)
        """,
    )
    step = project.only_step()
    sent("feed", {"pet_id": 7})
    assert state.get("fed", "7") == {"pet_id": 7}
    [run] = rows(status=Status.SUCCEEDED)
    assert json.loads(json.dumps(run.input)) == {"pet_id": 7}
    [told] = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert "The input of Step 'Feed' is invalid: pet_id: the value is not of type" in told
    schema = step.triggers[0].schema
    assert schema is not None
    assert schema.json_schema()["required"] == ["pet_id"]


ATOMIC = """
    config = {"type": "event", "name": "count", "subscribes": ["count"], "emits": []}

    async def handler(input, context):
        state = context.state
        told = [
            await state.increment("n", "visits"),
            await state.increment("n", "visits", 4),
            await state.decrement("n", "visits"),
            await state.push("n", "list", "b", "c"),
            await state.unshift("n", "list", "a"),
            await state.pop("n", "list"),
            await state.shift("n", "list"),
            await state.shift("n", "none"),
            await state.exists("n", "none"),
            await state.setField("n", "order", "paid", True),
            await state.set_field("n", "order", "by", "card"),
            await state.deleteField("n", "order", "paid"),
            await state.compare_and_swap("n", "lock", None, "mine"),
            await state.compareAndSwap("n", "lock", None, "mine too"),
            await state.update("n", "visits", lambda visits: visits * 10),
            await state.update("n", "order", [{"type": "set", "path": "at", "value": "door"}]),
            context.utils.dates.now().isoformat()[-6:],
        ]
        await state.set("told", "all", told)
"""


@pytest.mark.parametrize("how", ["awaited", "plainly"])
def test_state_does_what_its_last_versions_could(project: Project, how: str) -> None:
    plain = ATOMIC.replace("async def", "def").replace("await ", "")
    project.step("count_step.py", ATOMIC if how == "awaited" else plain)
    project.load()
    sent("count")
    assert state.get("told", "all") == [
        *(1, 5, 4),
        ["b", "c"],
        ["a", "b", "c"],
        *("c", "a", None, False),
        {"paid": True},
        {"paid": True, "by": "card"},
        {"by": "card"},
        *(True, False, 40),
        {"by": "card", "at": "door"},
        "+00:00",
    ]
    assert state.items("n") == [
        ("list", ["b"]),
        ("lock", "mine"),
        ("order", {"by": "card", "at": "door"}),
        ("visits", 40),
    ]


def test_schemas_that_nobody_looked_at_stop_nobody(project: Project) -> None:
    project.step(
        "book_step.py",
        """
        config = {
            "type": "api", "name": "Book", "path": "/books/{book_id}/pages/{page}", "method": "PUT",
            "bodySchema": {"title": {"type": "string"}, "required": {"type": "boolean"}},
            "responseSchema": {"id": {"type": "string"}, "title": {"type": "string"}},
        }

        async def handler(req, context):
            return {"status": 200, "body": {**req["pathParams"], **req["body"]}}
        """,
    )
    project.step(
        "page_step.py",
        """
        config = {
            "type": "event", "name": "Page", "subscribes": ["page"],
            "input": {"properties": {"no": {"type": "integer", "required": True}}},
        }

        async def handler(input, context):
            await context.state.set("pages", "no", input["no"])
        """,
    )
    [book, page] = project.load()
    assert (book.triggers[0].schema, page.triggers[0].schema) == (None, None)
    with served() as client:
        answer = client.put("/books/b1/pages/2", {"title": 5}, "application/json")
    assert answer.json() == {"book_id": "b1", "page": "2", "title": 5}
    sent("page", {"no": "one"})
    assert state.get("pages", "no") == "one"
