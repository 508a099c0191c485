"""The page on migrating from Celery: its code base goes through every stage with real workers.

Each stage is deployed while messages of the one before wait in the broker. Whatever was sent, when
and by whom, is done once.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.journeys.running import ROOT, Project, eventually
from tests.servers import fresh_rabbitmq, fresh_redis

pytestmark = [pytest.mark.journey, pytest.mark.timeout(600)]

STAGES = ROOT / "tests/migrating/from_celery"
ITEMS = ["book", "lamp", "größe 3"]
DONE = sorted(
    ["charged", "receipt sent", "shipped", "asked for feedback"]
    + [f"{item} packed" for item in ITEMS]
)


class Shop:
    """The code base of the page, as far as it has come."""

    def __init__(self, folder: Path, project: Project) -> None:
        self.folder = folder
        self.project = project
        self.worker = self.beat = ""
        self.orders: list[int] = []
        self.carts: list[int] = []

    def become(self, stage: str) -> None:
        """Put the files of a stage in place."""
        shutil.copytree(STAGES / stage, self.folder, dirs_exist_ok=True)
        if stage in ("before", "stage_1"):  # which brings the tables of ours
            self.project.command("migrate", "--run-syncdb", "--verbosity", "0")
        if stage == "stage_5":
            (self.folder / "orders/tasks.py").unlink()

    def start(self, stage: str) -> None:
        """Start a worker and beat, with the code as it is now."""
        self.worker, self.beat = f"worker_{stage}", f"beat_{stage}"
        celery = [sys.executable, "-m", "celery", "-A", "website", "beat", "-l", "INFO"]
        schedule = str(self.folder / "celerybeat-schedule")
        self.project.start(self.beat, [*celery, "--pidfile=", "-s", schedule])
        self.project.start_worker(self.worker)

    def stop(self) -> None:
        """Let the worker end as a deploy does: what it works on is finished, the rest goes back."""
        for name in (self.worker, self.beat):
            process = self.project.processes[name]
            os.kill(process.pid, signal.SIGTERM)
            process.wait(60)

    def place(self) -> None:
        """Place two orders by the code as it is now, and put a cart aside."""
        *orders, cart = self.made(
            f"*[place_order({ITEMS!r}) for _ in range(2)], Order.objects.create(status='cart')"
        )
        self.orders += orders
        self.carts.append(cart)

    def made(self, orders: str) -> list[int]:
        """Run code that makes orders; return their ids."""
        imports = "from orders.checkout import place_order; from orders.models import Order"
        code = f"import json; {imports}; print(json.dumps([each.pk for each in [{orders}]]))"
        printed = self.project.command("shell", "-v", "0", "-c", code)
        return [int(each) for each in json.loads(printed.stdout)]

    def done(self) -> Counter[tuple[int, str]]:
        """Return how often each thing was done to each order."""
        with closing(sqlite3.connect(self.folder / "db.sqlite3", timeout=20)) as database:
            return Counter(database.execute("SELECT order_id, what FROM orders_entry").fetchall())

    def expected(self) -> Counter[tuple[int, str]]:
        """Return everything that was asked for, once."""
        asked = [(order, what) for order in self.orders for what in DONE]
        return Counter(asked + [(cart, "reminded") for cart in self.carts])

    def all_is_done(self) -> None:
        """Wait until everything that was asked for is done; nothing is done twice."""
        eventually(lambda: self.expected() <= self.done(), self.missing)
        assert self.done() == self.expected(), self.done() - self.expected()

    def missing(self) -> str:
        return f"{self.expected() - self.done()}\n{self.project.all_logs()}"


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue(f"{request.param}_server")
    return fresh_redis() if request.param == "redis" else fresh_rabbitmq()


@pytest.fixture
def shop(tmp_path: Path, broker: str, redis_server: str) -> Iterator[Shop]:
    environment = {
        **{key: value for key, value in os.environ.items() if key != "DATABASE_URL"},
        "DJANGO_SETTINGS_MODULE": "website.settings",
        "BROKER_URL": broker,
        "RESULTS_URL": fresh_redis(),
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",  # two versions of a file may be of one second
    }
    project = Project(tmp_path, environment, "website", tmp_path / "manage.py", logs=tmp_path)
    try:
        yield Shop(tmp_path, project)
    finally:
        project.stop()


def test_every_stage_does_what_was_asked_for_once(shop: Shop) -> None:
    for stage in ("before", "stage_1", "stage_2", "stage_3", "stage_4", "stage_5"):
        shop.become(stage)
        shop.start(stage)
        shop.place()
        shop.all_is_done()
        if stage == "stage_1":
            the_wrapped_tasks_work_beside(shop)
        elif stage == "stage_2":
            what_was_done_is_not_done_again(shop)
            new_callers_may_be_ahead_of_the_workers(shop)
        shop.place()  # so that something is in hand, and something in the broker, at the deploy
        shop.stop()
    assert "unregistered task of type 'orders" not in shop.project.all_logs()


def the_wrapped_tasks_work_beside(shop: Shop) -> None:
    """Send what nobody sends yet: the Steps call the tasks, retries included."""
    [order] = shop.made("Order.objects.create()")
    data = json.dumps({"orderId": order})
    shop.project.command("motia_steps", "enqueue", "order.placed", "--data", data)
    both = {(order, "charged"): 1, (order, "receipt sent"): 1}
    eventually(lambda: {key: n for key, n in shop.done().items() if key[0] == order} == both)
    # The receipt may be sent before the run that asked for it is written down as ended.
    [charged] = eventually(lambda: shop.project.runs(step="Charge", status="succeeded"))
    assert charged["attempt"] == 2
    with closing(sqlite3.connect(shop.folder / "db.sqlite3", timeout=20)) as database, database:
        database.execute("DELETE FROM orders_entry WHERE order_id = ?", (order,))


def what_was_done_is_not_done_again(shop: Shop) -> None:
    """Send a task once more whose run is finished, as a broker may: nothing comes of it."""
    order, begun = shop.orders[-1], len(shop.project.runs(step="AskForFeedback"))
    imports = "from orders.tasks import ask_for_feedback as ask"
    code = f"{imports}; ask({order}); print(ask.delay({order}).id)"
    sent = shop.project.command("shell", "-v", "0", "-c", code).stdout.strip()
    told = f"ask_for_feedback[{sent}] succeeded"
    eventually(lambda: told in shop.project.log(shop.worker), shop.project.all_logs)
    assert len(shop.project.runs(step="AskForFeedback")) == begun


def new_callers_may_be_ahead_of_the_workers(shop: Shop) -> None:
    """Let the web servers have the next stage first: old workers know nothing of its Steps."""
    shop.become("stage_3")
    shop.place()
    eventually(lambda: "No Step 'Pack' here" in shop.project.log(shop.worker))
