"""What a test is given: Steps to call, what they did to be read, and the rest to be drained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from rest_framework.test import APIClient

from motia_django import ledger
from motia_django.conf import settings
from motia_django.exceptions import MotiaError
from motia_django.live.face import Streams, streams
from motia_django.messages import Message
from motia_django.runs import ANSWERED
from motia_django.stores.face import State, state
from motia_django.testing import causes, check_step_files
from motia_django.testing.asking import (
    NOT_GIVEN,
    Answer,
    OpenAnswer,
    ask,
    body_of,
    client_of,
    error_of,
    respond,
)
from motia_django.testing.clock import Clock
from motia_django.testing.commits import commit
from motia_django.testing.failures import Failures, InjectedFailure
from motia_django.testing.followers import Follower, Streamed, address_of, told_of
from motia_django.testing.post import Letter, Post
from motia_django.testing.quiet import without_tracebacks
from motia_django.testing.ran import Log, Ran, Told, all_ran
from motia_django.testing.stores import store_of_tests
from motia_django.testing.trace import Trace
from motia_django.testing.witness import Witness
from motia_django.testing.worker import Worker

_MORE = 1000
"""So many runs more than a loop with one beside each of its own has are given up by `drain`."""


class Motia:
    """The kit: `with Motia() as motia: ...`, the fixture `motia`, or `self.motia` by the mixin.

    For the block messages go to the test in place of the broker; all else is as in production.
    `state` is where state lives meanwhile: `"project"` as the settings say, `"memory"`; None is
    memory where the settings name a Redis, which no test rolls back, and the project's store else.
    `tasks` is where calls of other Celery tasks go: None to the test as well, `"project"` where
    they go without the kit. Step files with problems raise `StepFilesError`, and a wrong `MOTIA`
    raises `SettingsError`, unless a test wants `broken_files`.
    """

    def __init__(
        self, *, state: str | None = None, tasks: str | None = None, broken_files: bool = False
    ) -> None:
        self._store, self._broken_files = store_of_tests(state), broken_files
        self._post, self._witness, self._failures = Post(tasks), Witness(), Failures()
        self._open = ExitStack()
        self._told = 0
        """How many attempts the drainings so far have told of."""
        self.time = Clock()
        """The test's time: `motia.time.move(hours=1)`, `motia.time.travel("2026-03-01 03:00")`."""
        self._worker = Worker(self._post, self.time)
        self.client = APIClient()
        """REST framework's test client, by which `http` asks: log in, give it credentials."""

    def __enter__(self) -> Motia:
        if not self._broken_files:
            check_step_files()
        with ExitStack() as stack:
            stack.enter_context(self._store)
            stack.enter_context(self._post)
            stack.enter_context(self._witness)
            stack.enter_context(without_tracebacks())
            stack.callback(self._failures.stop)
            stack.callback(self.time.stop)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.close()

    # -- calling Steps

    def http(
        self,
        method: str,
        path: str,
        *,
        json: Any = NOT_GIVEN,
        form: Mapping[str, Any] | None = None,
        body: bytes | str = b"",
        content_type: str = "",
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        user: Any = None,
        raises: bool = True,
    ) -> Answer:
        """Send a request through the project's URLs, and return the answer.

        `user` is who asks, authenticated whatever the Step's authentication is. An error that
        would be a 500 is raised here, unless the test asked for it by `fail`, or not `raises`.
        """
        commit()
        sent = body_of(json, form, body, content_type)
        answer = ask(
            client_of(user, self.client), method, path, body=sent, query=query, headers=headers
        )
        commit()
        self._raise_unasked(answer.error if raises else None)
        return answer

    def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        user: Any = None,
        **content: Any,
    ) -> OpenAnswer:
        """Send a request as `http` does, whose answer the test reads part by part, or leaves early.

        `content` is `json`, `form`, or `body` and `content_type`, as of `http`.
        """
        commit()
        sent: dict[str, Any] = {"body": body_of(**content), "query": query, "headers": headers}
        response = respond(client_of(user, self.client), method, path, **sent)
        commit()
        self._raise_unasked(error_of(response))
        return OpenAnswer(response)

    def queue(self, topic: str, data: Any = None, *, raises: bool = True, **keys: Any) -> list[Ran]:
        """Send a message, and run the Steps that listen on its topic; return their runs.

        `keys` are those of `enqueue`: `delaySeconds`, `messageGroupId`, `dedupeKey`, `dedupeFor`,
        `newTrace`. What an attempt fails by is raised, whether more are left or not, unless it is a
        `Retry`, the test asked for it by `fail`, or not `raises`; so below.
        """
        return self._started(lambda: causes.send(topic, data, keys), raises)

    def cron(
        self, step: str, *, at: datetime | str | None = None, raises: bool = True
    ) -> list[Ran]:
        """Run a Step by its newest tick up to now, or up to `at`, where the time goes for that.

        Return its runs: one, unless several of its schedules were due at that tick.
        """
        if at is not None:
            self.time.travel(at)
        return self._started(lambda: causes.tick(step), raises)

    def state_change(
        self, group: str, key: str, new: Any, *, old: Any = NOT_GIVEN, raises: bool = True
    ) -> list[Ran]:
        """Write an item of state, and run the Steps that watch it; `new` None deletes it.

        `old` is what it was before, None for nothing; not given, it is what is there.
        """
        return self._started(lambda: causes.change_state(group, key, new, old), raises)

    def stream_event(
        self,
        stream: str,
        group: str,
        item: str | None = None,
        value: Any = None,
        *,
        event: str | None = None,
        data: Any = None,
        raises: bool = True,
    ) -> list[Ran]:
        """Write an item of a stream, delete it with None, or send it or its group an `event`.

        Run the Steps that watch that.
        """
        sent = None if event is None else (event, data)
        return self._started(lambda: causes.change_stream(stream, group, item, value, sent), raises)

    def follow(
        self,
        stream: str | Sequence[Sequence[str]],
        group: str = "",
        item: str | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        user: Any = None,
    ) -> Follower:
        """Follow a group of a stream, or an item, as a browser does; `user` is who, as in `http`.

        Or, by one connection, several: `follow([("orders", "7"), ("alerts", "7", "a1")])`. What he
        is told is that of a server without ASGI: all there is, at each `listen()`.
        """
        address, asked = address_of(stream, group, item)
        follower = Follower(
            client=client_of(user, self.client),
            address=address,
            query={**(query or {}), **asked},
            headers=headers,
            user=user,
        )
        follower.listen()
        return follower

    def fail(
        self,
        step: str,
        *,
        times: int | None = 1,
        error: Exception | type[Exception] = InjectedFailure,
        after: bool = False,
    ) -> None:
        """Have the next `times` attempts of a Step fail by `error`; with None all of them.

        They fail in place of the handler, or `after` it has done its work. `WorkerLost` is no
        error of the handler: the attempt ends as if its worker was killed.
        """
        self._failures.plan(step, error, times, after=after)

    def drain(
        self, *, scheduled: bool = False, raises: bool = True, most: int | None = None
    ) -> Trace:
        """Run all that is queued and due, and what that causes, until nothing is; return the tree.

        Retries and what is delayed are due when their time comes: move it before, or have it moved
        on to each that is `scheduled`. The tree has the traces in which anything ran since the last
        draining. Raise `MotiaError` after so many runs as are the `most`: for a loop, most likely.
        By default that is beyond where `MAX_DEPTH` ends it.
        """
        most = 2 * settings().max_depth + _MORE if most is None else most
        failures, deaths = len(self._witness.failures), len(self._witness.deaths)
        count = 0
        commit()
        while len(self._post) or self._worker.look_after() or (scheduled and self._worker.wait()):
            for letter in self._post.take(0, 1):
                count += 1
                if count > most:
                    text = "which seems to be a loop; else allow more by drain(most=...)"
                    raise MotiaError(f"drain: {most} runs and no end, {text}: {letter.name}")
                self._worker.run(letter)
        self._raise(failures, raises)
        told, self._told = self._told, len(self._witness.attempts)
        traces = {run.trace_id for run, _ in self._witness.attempts[told:]}
        traces |= {run.trace_id for run in self._witness.deaths[deaths:]}
        return Trace(each for each in self.runs if each.trace_id in traces)

    # -- reading what they did

    def enqueued(self, topic: str) -> list[Any]:
        """Return the data of all messages that were sent to a topic, in their order.

        The messages with their topics and keys are `messages`. Raise `StartsNothing` if no Step
        knows the topic.
        """
        found = [each.data for each in self.messages if each.topic == topic]
        if not found:
            causes.check_topic(topic)
        return found

    @property
    def messages(self) -> list[Message]:
        """All messages that were sent, with topic, data and keys, in their order."""
        commit()
        return list(self._witness.messages)

    @property
    def tasks(self) -> list[Letter]:
        """The calls of other Celery tasks, as by `task.delay_on_commit()`, in their order.

        They are neither run nor sent; each has `name`, `args`, `kwargs`, and `run()`.
        """
        commit()
        return list(self._post.others)

    @property
    def runs(self) -> Told[Ran]:
        """All runs, in the order of their birth; `motia.runs.of("SendEmail")` has one Step's."""
        commit()
        return all_ran(self._witness.attempts)

    @property
    def logs(self) -> Told[Log]:
        """What Steps have logged, run by run; `motia.logs.of("SendEmail")` has one Step's."""
        return Told(each for run in self.runs for each in run.logs)

    @property
    def trace(self) -> Trace:
        """All runs as a tree."""
        return Trace(self.runs)

    @property
    def state(self) -> State:
        """The state, as `from motia_django import state` has it."""
        commit()
        return state

    @property
    def streams(self) -> Streams:
        """The streams, as `from motia_django import streams` has them."""
        commit()
        return streams

    def streamed(self, stream: str) -> list[Streamed]:
        """Return what followers of a stream were told; raise `UnknownStream`."""
        return told_of(stream)

    def _started(self, cause: Callable[[], None], raises: bool) -> list[Ran]:
        """Run what this causes, but not what that causes; return their runs."""
        commit()
        failures, waiting = len(self._witness.failures), len(self._post)
        before = {str(each) for each in ledger.rows(parent_id=None).values_list("id", flat=True)}
        before |= {str(run.id) for run, _ in self._witness.attempts}
        cause()
        commit()
        letters = self._post.take(waiting)
        for letter in letters:
            self._worker.run(letter)
        self._raise(failures, raises)
        own = {letter.id for letter in letters}
        return [
            each
            for each in self.runs
            if each.id in own or (each.parent_id is None and each.id not in before)
        ]

    def _raise_unasked(self, error: BaseException | None) -> None:
        if error is not None and not self._failures.is_wanted(error):
            raise error

    def _raise(self, since: int, raises: bool) -> None:
        """Raise what the first attempt failed by since then, if nobody asked for it."""
        for run, error in self._witness.failures[since:] if raises else ():
            is_lost = isinstance(error, MotiaError) and str(error).startswith("WorkerLost")
            is_wanted = self._failures.is_wanted(error) or is_lost
            if run.trigger not in ANSWERED and not is_wanted:
                which = f"Attempt {run.attempt} of {run.step} by {run.trigger} {run.source}"
                error.add_note(f"{which} failed by it.")
                raise error
