"""`canAccess`, `onJoin` and `onLeave` as Motia has them: who follows is a dict, or nobody."""

from __future__ import annotations

import sys
from typing import Any, cast

import pytest
from django.contrib.auth.models import AnonymousUser, User

from motia_django.live import access
from motia_django.live.access import Auth, Subscription
from tests.projects import Project

GROUP = Subscription.checked("todos", "ann")


class Claims:
    """The claims of a token, as packages for JSON Web Tokens give them."""

    def __getitem__(self, key: str) -> Any:
        return {"userId": "ann", "roles": ["reader"]}[key]


def somebody(auth: Any = None, user: Any = None) -> Auth:
    """Return who follows, as an authentication class has found out."""
    return Auth(user=user or AnonymousUser(), auth=auth, request=cast(Any, None))


ANN = [somebody({"userId": "ann"}), somebody(Claims()), somebody({"userId": "ann"}, User())]
OTHERS = [
    somebody(),
    somebody(user=User(username="ann")),
    somebody({"userId": "bob"}),
    somebody({}),
    somebody("userId"),
    somebody(["userId"]),
    somebody(object()),
]


@pytest.mark.parametrize(
    "asks",
    [
        'auth.get("userId") == subscription["groupId"] if auth else False',
        'auth["userId"] == subscription.group_id',
        '"userId" in auth and auth["userId"] == subscription.get("group_id")',
        'bool(auth) and auth.get("userId", "") == subscription.groupId',
    ],
)
def test_can_access_asks_as_it_did_in_motia(project: Project, asks: str) -> None:
    project.stream(
        "todos_stream.py",
        f"""
        async def can_access(subscription, auth):
            return {asks}

        config = {{"name": "todos", "canAccess": can_access}}
        """,
    )
    project.load()
    assert all(access.may_follow(GROUP, each) for each in ANN)
    assert not any(access.may_follow(GROUP, each) for each in OTHERS)


def test_nobody_counts_as_false(project: Project) -> None:
    project.stream(
        "todos_stream.py", 'config = {"name": "todos", "canAccess": lambda _, auth: bool(auth)}'
    )
    project.load()
    assert not access.may_follow(GROUP, somebody())
    for each in (*ANN, somebody(user=User()), somebody("a key")):
        assert access.may_follow(GROUP, each)


def test_a_key_of_ours_is_not_hidden_by_one_of_theirs() -> None:
    ann = User(username="ann")
    auth = somebody({"user": "bob", "request": 1, "name": "Ann"}, ann)
    assert (auth["user"], auth.get("request"), auth.get("name")) == (ann, None, "Ann")
    assert ("name" in auth, "email" in auth, auth.get("email", "-")) == (True, False, "-")


def test_who_joins_and_leaves_is_told_with_the_context(project: Project) -> None:
    project.stream(
        "todos_stream.py",
        """
        from motia_django import StreamConfig, StreamSubscription

        told = []

        async def on_join(subscription: StreamSubscription, context, auth_context):
            context.logger.info("joins")
            return {"unauthorized": not auth_context or auth_context["userId"] != "ann"}

        def on_leave(subscription, context, auth_context):
            told.append([subscription.group_id, auth_context["userId"]])

        config = StreamConfig(name="todos", on_join=on_join, on_leave=on_leave)
        """,
    )
    project.load()
    entered: list[Subscription] = []
    for each in (*ANN, *OTHERS):
        access.enter([GROUP], each, entered)
    assert len(entered) == len(ANN)
    access.tell_of_leaving(entered[:1], ANN[0])
    assert sys.modules[f"{project.name}.streams.todos_stream"].told == [["ann", "ann"]]
