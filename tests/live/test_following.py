"""What a follower is told: how things are, then every event once, whoever commits when."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from motia_django import Stream, disconnect
from motia_django.live import hub as hub_module
from motia_django.live import log, unsent
from motia_django.live.following import CutOff, Dismissed, Following, TooSlow
from motia_django.live.holes import Holes
from motia_django.live.positions import Position
from motia_django.models import StreamEvent
from tests.factories import installed, make_stream
from tests.live.following import (
    GROUP,
    Client,
    anybody,
    away,
    hear,
    item,
    nothing_more,
    somebody,
    told,
)

pytestmark = pytest.mark.usefixtures("database")
LATE_COMMITS = pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)


AGAIN: dict[str, Any] = {"stream": "orders", "group": "g", "kind": "update"}


@pytest.fixture(autouse=True)
def quickly_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_LINGER", 0.0)
    monkeypatch.setattr(hub_module, "_BENEATH", 0.1)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def put(name: str, **values: Any) -> None:
    Stream("orders").set("g", name, values)


def test_a_follower_of_a_group_is_told_how_it_is_then_each_event() -> None:
    async def scenario() -> None:
        await away(lambda: put("b", n=1))
        await away(lambda: put("a", n=1))
        following = Following(anybody())
        assert await following.join(GROUP) == [GROUP]
        [first] = await hear(following)
        frame = json.loads(first.text)
        now = time.time() * 1000
        assert now - 60_000 < frame.pop("timestamp") <= now
        assert frame == {
            "type": "stream",
            "streamName": "orders",
            "groupId": "g",
            "id": None,
            "event": {"type": "sync", "data": [{"n": 1, "id": "a"}, {"n": 1, "id": "b"}]},
        }
        await away(lambda: put("a", n=2))
        await away(lambda: Stream("orders").delete("g", "b"))
        await away(lambda: Stream("orders").send("g", "paid", {"amount": 5}))
        await away(lambda: Stream("orders").set("elsewhere", "x", {}))
        await away(lambda: Stream("others").set("g", "x", {}))
        await away(lambda: put("c", n=1))
        messages = await hear(following, 4)
        assert [told(each) for each in messages] == [
            ("update", {"n": 2, "id": "a"}),
            ("delete", {"n": 1, "id": "b"}),
            ("event", {"type": "paid", "data": {"amount": 5}}),
            ("create", {"n": 1, "id": "c"}),
        ]
        assert json.loads(messages[0].text)["id"] == "a"
        await following.close()

    run(scenario())


def test_a_follower_of_an_item_is_told_of_that_item_alone() -> None:
    async def scenario() -> None:
        following = Following(anybody())
        await following.join(item("a"))
        [first] = await hear(following)
        assert told(first) == ("sync", None)
        assert json.loads(first.text)["id"] == "a"
        await away(lambda: put("b", n=1))
        await away(lambda: Stream("orders").send("g", "to the group"))
        await away(lambda: Stream("orders").send("g", "to it", item="a"))
        await away(lambda: put("a", n=1))
        messages = await hear(following, 2)
        assert [told(each)[0] for each in messages] == ["event", "create"]
        await following.close()

    run(scenario())


def test_an_event_of_two_subscriptions_is_one_message() -> None:
    async def scenario() -> None:
        following = Following(anybody())
        await following.join(GROUP, item("a"), item("b"))
        syncs = await hear(following, 3)
        assert [each.position is None for each in syncs] == [True, True, False]
        await away(lambda: put("a", n=1))
        await hear(following, 1)
        await following.leave(GROUP)
        await away(lambda: put("c", n=1))
        await away(lambda: put("b", n=1))
        [message] = await hear(following, 1)
        assert told(message) == ("create", {"n": 1, "id": "b"})
        await nothing_more(following)
        await following.close()

    run(scenario())


def test_one_transaction_is_told_when_it_commits_and_one_that_fails_never() -> None:
    def written() -> None:
        with transaction.atomic(using=log.database()):
            for number in range(5):
                put("a", n=number)
            try:
                with transaction.atomic(using=log.database()):
                    put("a", n=99)
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass

    async def scenario() -> None:
        following = Following(anybody())
        await following.join(GROUP)
        await hear(following)
        await away(written)
        messages = await hear(following, 5)
        assert [told(each)[1]["n"] for each in messages] == [0, 1, 2, 3, 4]
        stamps = [json.loads(each.text)["timestamp"] for each in messages]
        assert stamps == sorted(set(stamps))
        await following.close()

    run(scenario())


class Late:
    """A transaction that has written to an item, so many times, and commits when it is told to.

    The item has to be there: a new one would lock its neighbours on MariaDB.
    """

    def __init__(self, name: str, times: int = 1, **values: Any) -> None:
        self._commit, written = threading.Event(), threading.Event()
        self.fail = False

        def work() -> None:
            try:
                with transaction.atomic(using=log.database()):
                    put(name, **values)
                    log.events().bulk_create(
                        StreamEvent(**AGAIN, item=name, **{"data": {"id": name, "time": time}})
                        for time in range(1, times)
                    )
                    written.set()
                    assert self._commit.wait(30)
                    if self.fail:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass
            finally:
                connections.close_all()

        self._thread = threading.Thread(target=work)
        self._thread.start()
        assert written.wait(30)

    def end(self, *, fail: bool = False) -> None:
        """Let it commit, or fail."""
        self.fail = fail
        self._commit.set()
        self._thread.join(30)


@LATE_COMMITS
def test_who_commits_late_is_heard_all_the_same() -> None:
    async def scenario() -> None:
        await away(lambda: put("late"))
        following, client = Following(anybody()), Client()
        await following.join(GROUP)
        client.take((await hear(following))[0])
        late = await away(lambda: Late("late", n=1))
        await away(lambda: put("early"))
        [early] = await hear(following)
        client.take(early)
        assert early.position is not None and "~" in early.position
        await away(late.end)
        [message] = await hear(following)
        client.take(message)
        assert message.position is not None and "~" not in message.position
        assert client.items == {"early": {"id": "early"}, "late": {"n": 1, "id": "late"}}
        await following.close()

    run(scenario())


@LATE_COMMITS
def test_who_is_late_when_the_first_follower_comes_is_heard_too() -> None:
    async def scenario() -> None:
        await away(lambda: put("late"))
        late = await away(lambda: Late("late", n=1))
        await away(lambda: put("early"))
        following, client = Following(anybody()), Client()
        await following.join(GROUP)
        client.take((await hear(following))[0])
        assert client.items["late"] == {"id": "late"}
        resumed = Following(anybody())
        await away(late.end)
        for each in (following, resumed):
            if each is resumed:
                await each.join(GROUP, since=Position.from_token(client.position or ""))
            [message] = await hear(each)
            assert told(message) == ("update", {"n": 1, "id": "late"})
            await nothing_more(each, 0.3)
            await each.close()

    run(scenario())


@LATE_COMMITS
@pytest.mark.parametrize("is_cut_off", [True, False])
def test_who_commits_more_than_a_thousand_events_late_is_heard_with_all_of_them(
    is_cut_off: bool,
) -> None:
    async def scenario() -> None:
        await away(lambda: put("late"))
        following, client = Following(anybody()), Client()
        await following.join(GROUP)
        client.take((await hear(following))[0])
        late = await away(lambda: Late("late", times=1200, time=0))
        await away(lambda: put("early"))
        client.take((await hear(following))[0])
        if is_cut_off:
            await following.close()
        await away(late.end)
        if is_cut_off:
            following = Following(anybody())
            await following.join(GROUP, since=Position.from_token(client.position or ""))
        for message in await hear(following, 1200):
            client.take(message)
        times = [data["time"] for _, data in client.heard[1:]]
        assert times == list(range(1200))
        assert client.synced == 1
        await following.close()

    run(scenario())


def test_of_more_failed_transactions_than_can_be_named_those_of_the_last_minute_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def failed() -> None:
        for age in (300, 300, 300, 5):
            put("a")
            put("a")
            log.events().filter(id=log.newest() - 1).delete()
            created_at = timezone.now() - timedelta(seconds=age)
            log.events().filter(id=log.newest()).update(created_at=created_at)

    async def scenario() -> None:
        await away(failed)
        assert len((await away(log.recent)).holes) == 4
        monkeypatch.setattr(log, "MOST_WRITTEN", 3)
        end = await away(log.newest)
        assert await away(log.recent) == Position(end, Holes.of([end - 1]))

    run(scenario())


@LATE_COMMITS
def test_a_token_that_cannot_name_all_that_is_missing_is_answered_with_a_sync() -> None:
    async def scenario() -> None:
        await away(lambda: put("late"))
        end = await away(log.newest)
        position = Position(end - 3).with_seen([end])
        [missing] = position.holes.ranges
        many = Position(end, Holes(((0, 0), missing)))
        following = Following(anybody())
        await following.join(GROUP, since=many)
        [message] = await hear(following)
        assert told(message)[0] == "sync"
        assert message.position is not None
        again = Following(anybody())
        await again.join(GROUP, since=Position.from_token(message.position))
        await nothing_more(again, 0.3)
        for each in (following, again):
            await each.close()

    run(scenario())


@LATE_COMMITS
def test_a_transaction_that_fails_leaves_a_hole_and_holds_nobody_up() -> None:
    async def scenario() -> None:
        await away(lambda: put("late"))
        following = Following(anybody())
        await following.join(GROUP)
        await hear(following)
        late = await away(lambda: Late("late", n=1))
        await away(lambda: put("early"))
        await hear(following)
        await away(lambda: late.end(fail=True))
        await away(lambda: put("after"))
        [message] = await hear(following)
        assert message.position is not None and "~" in message.position
        await nothing_more(following)
        await following.close()

    run(scenario())


def test_who_was_cut_off_resumes_where_he_was() -> None:
    async def scenario() -> None:
        following = Following(anybody())
        await following.join(GROUP)
        [first] = await hear(following)
        await following.close()
        for number in range(3):
            await away(lambda number=number: put("a", n=number))
        resumed = Following(anybody())
        await resumed.join(GROUP, since=Position.from_token(first.position or ""))
        missed = await hear(resumed, 3)
        assert [told(each)[1]["n"] for each in missed] == [0, 1, 2]
        await resumed.close()
        again = Following(anybody())
        await again.join(GROUP, since=Position.from_token(missed[1].position or ""))
        assert [told(each)[1]["n"] for each in await hear(again)] == [2]
        await nothing_more(again, 0.3)
        assert again.position == missed[2].position
        await again.close()

    run(scenario())


def test_who_lacked_what_he_is_now_admitted_to_is_told_how_all_of_it_is() -> None:
    async def scenario() -> None:
        await away(lambda: put("a"))
        position = Position(await away(log.newest))
        for lacked, expected in [([item("a")], ["sync", "sync"]), ([item("b")], [])]:
            following = Following(anybody())
            await following.join(GROUP, item("a"), since=position, lacked=lacked)
            messages = await following.messages(0.3)
            assert [told(each)[0] for each in messages] == expected
            await following.close()

    run(scenario())


def test_a_position_that_is_too_old_or_from_elsewhere_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def first_after(position: Position | None) -> str:
        following = Following(anybody())
        await following.join(GROUP, since=position)
        messages = await following.messages(0.5)
        await following.close()
        return told(messages[0])[0] if messages else ""

    async def scenario() -> None:
        for number in range(4):
            await away(lambda number=number: put("a", n=number))
        end = await away(log.newest)
        assert await first_after(Position(end - 3)) == "update"
        assert await first_after(Position(end)) == ""
        assert await first_after(Position(end + 1)) == "sync"
        assert await first_after(Position(end - 1, Holes.of([end - 2]))) == "update"
        monkeypatch.setattr("motia_django.live.pictures.MOST_MISSED", 2)
        assert await first_after(Position(end - 3)) == "sync"
        assert await first_after(Position(end - 2)) == "update"
        assert await away(lambda: log.prune(0.0, limit=3)) == 3
        assert await first_after(Position(end - 3)) == "sync"
        assert await first_after(Position(end - 2)) == "update"
        assert await first_after(Position(end - 1, Holes.of([end - 2]))) == "sync"

    run(scenario())


def test_the_newest_event_is_never_pruned_and_its_id_never_given_out_again() -> None:
    async def scenario() -> None:
        await away(lambda: put("a"))
        await away(lambda: put("a"))
        end = await away(log.newest)
        assert await away(lambda: log.prune(3600, limit=10)) == 0
        assert await away(lambda: log.prune(0.0, limit=10)) == 2
        assert await away(lambda: log.prune(0.0, limit=10)) == 0
        assert await away(log.newest) == await away(log.oldest) == end
        await away(lambda: put("a"))
        assert await away(log.newest) > end

    run(scenario())


def test_a_slow_client_is_cut_off_and_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsent, "MOST_WAITING", 5)

    async def scenario() -> None:
        cut = asyncio.Event()
        slow = Following(anybody(), cut_off=lambda why: cut.set())
        quick = Following(anybody())
        for each in (slow, quick):
            await each.join(GROUP)
        [first] = await hear(slow)
        await hear(quick)
        for number in range(8):
            await away(lambda number=number: put("a", n=number))
            await hear(quick)
        assert cut.is_set()
        with pytest.raises(TooSlow):
            await slow.messages()
        await slow.close()
        resumed = Following(anybody())
        await resumed.join(GROUP, since=Position.from_token(first.position or ""))
        assert len(await hear(resumed, 8)) == 8
        await resumed.close()
        await quick.close()

    run(scenario())


def test_a_user_who_is_disconnected_is_cut_off_wherever_he_follows_and_nobody_else() -> None:
    async def scenario() -> None:
        why: list[CutOff] = []
        ada = [Following(somebody(7), cut_off=why.append) for _ in range(2)]
        others = [Following(somebody(77)), Following(anybody())]
        for each in (*ada, *others):
            await each.join(GROUP)
            await hear(each)
        await ada[1].join(item("x"))
        await away(disconnect, somebody(7).user)
        for each in ada:
            with pytest.raises(Dismissed):
                await hear(each, 2)
        assert [str(each) for each in why] == ["come back, please"] * 2
        await away(lambda: put("a"))
        for each in others:
            assert [told(message)[0] for message in await hear(each)] == ["create"]
        for each in (*ada, *others):
            await each.close()
        again = Following(somebody(7))  # what has ended the others is over
        await again.join(GROUP, since=Position(await away(log.newest)))
        await away(lambda: put("a"))
        assert [told(message)[0] for message in await hear(again)] == ["update"]
        await again.close()

    run(scenario())


def test_nobody_can_be_disconnected_who_is_nobody() -> None:
    with pytest.raises(ValueError, match="expected a user who is saved"):
        disconnect(anybody().user)


def test_a_connection_that_was_closed_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        stays, goes = Following(anybody()), Following(anybody())
        await stays.join(GROUP)
        await goes.join(GROUP, item("a"))
        relay = stays._relay
        assert relay is not None
        assert len(relay._followers[GROUP.key]) == len(relay._followers) == 2
        await goes.close()
        assert {key: list(each) for key, each in relay._followers.items()} == {GROUP.key: [stays]}
        await stays.close()
        assert relay._followers == {}

    run(scenario())


def test_each_join_that_succeeds_is_left_once() -> None:
    calls: list[tuple[str, Any]] = []

    def on_join(subscription: Any) -> Any:
        calls.append(("join", subscription.id))
        return {"unauthorized": subscription.groupId == "secret"}

    def on_leave(subscription: Any, auth: Any) -> None:
        calls.append(("leave", subscription["id"]))

    async def scenario() -> None:
        following = Following(anybody())
        secret = item("s", group="secret")
        assert await following.join(item("a"), secret) == [item("a")]
        [refused, sync] = await hear(following, 2)
        assert told(refused) == ("unauthorized", None)
        assert told(sync) == ("sync", None)
        assert await following.join(secret) == []
        await hear(following)
        await following.join(item("b"), item("a"))
        await hear(following, 2)
        await following.leave(item("a"))
        await following.leave(item("c"))
        await following.close()
        await following.close()

    stream = make_stream("orders", onJoin=on_join, onLeave=on_leave)
    with installed(streams=[stream]):
        run(scenario())
    assert [each for each in calls if each[0] == "leave"] == [
        ("leave", "a"), ("leave", "b"), ("leave", "a")
    ]  # fmt: skip


@pytest.mark.parametrize("joined_before", [True, False])
def test_a_connection_that_is_closed_while_it_joins_is_left_once(joined_before: bool) -> None:
    calls: list[tuple[str, Any]] = []
    asked, goes_on = threading.Event(), threading.Event()

    def on_join(subscription: Any) -> None:
        calls.append(("join", subscription.id))
        if subscription.id == "slow":
            asked.set()
            assert goes_on.wait(10)

    def on_leave(subscription: Any) -> None:
        calls.append(("leave", subscription.id))

    async def scenario() -> None:
        following = Following(anybody())
        if joined_before:
            await following.join(item("a"))
        joining = asyncio.ensure_future(following.join(item("b"), item("slow")))
        await asyncio.to_thread(asked.wait, 10)
        closing = asyncio.ensure_future(following.close())
        await asyncio.sleep(0.05)
        goes_on.set()
        await asyncio.gather(joining, closing, return_exceptions=True)
        with pytest.raises(RuntimeError, match="is closed"):
            await following.join(item("c"))
        assert not any(each.users for each in hub_module.hub()._relays.values())

    with installed(streams=[make_stream("orders", onJoin=on_join, onLeave=on_leave)]):
        run(scenario())
    names = ["b", "slow", *(["a"] if joined_before else [])]
    assert sorted(calls) == sorted((deed, name) for deed in ("join", "leave") for name in names)


def test_a_join_that_fails_takes_nothing_from_an_earlier_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        following = Following(anybody())
        await following.join(GROUP)
        await hear(following)
        with monkeypatch.context() as patched, pytest.raises(ZeroDivisionError):
            patched.setattr(following, "_begin", lambda *_: 1 / 0)
            await following.join(GROUP)
        await away(lambda: put("a"))
        await hear(following)
        await following.close()

    run(scenario())


def test_who_joins_twice_and_leaves_once_still_follows() -> None:
    async def scenario() -> None:
        following = Following(anybody())
        await following.join(GROUP)
        await following.join(GROUP)
        await hear(following, 2)
        await following.leave(GROUP)
        await away(lambda: put("a"))
        await hear(following, 1)
        await following.leave(GROUP)
        await away(lambda: put("a"))
        await nothing_more(following)
        await following.close()

    run(scenario())
