"""Take the pictures of the documentation: the sample project, running, in a real browser.

    python -m scripts.take_screenshots [NAME ...]

A picture of the console is one line in `PICTURES`. What its address names in braces is found in the
traffic that `manage.py traffic` made before.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.chromium import FLAGS
from tests.journeys.running import Project, sample_project
from tests.servers.redis import Redis

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
LARGEST = 150_000
"""Bytes of a picture."""
COLOURS = 256
TRAFFIC = ("traffic", "--seconds", "60", "--rate", "4")
ORDERS = (("Ada Lovelace", "120"), ("Grace Hopper", "80"), ("Alan Turing", "42.50"))


@dataclass(frozen=True, slots=True)
class Picture:
    """One page of the console."""

    name: str
    path: str
    height: int = 800
    theme: str = "light"
    width: int = 1280
    at: str = ""
    """What to scroll to, as a selector."""


PICTURES = (
    Picture("overview", "overview/", 900),
    Picture("overview-dark", "overview/", 900, "dark"),
    Picture("overview-narrow", "overview/", 1000, width=390),
    Picture("flows", "flow/?flow=orders", 1000),
    Picture("flows-dark", "flow/?flow=orders", 1000, "dark"),
    Picture("steps", "step/"),
    Picture("step", "step/ProcessPayment/change/", 1000),
    Picture("step-source", "step/ProcessPayment/change/", at="pre.motia-code"),
    Picture("step-run", "step/CreateOrder/run/0/", 700),
    Picture("topics", "step/topics/", 700),
    Picture("runs", "run/", 900),
    Picture("runs-dead", "run/?status=dead", 700),
    Picture("runs-narrow", "run/?status=dead", 1000, width=390),
    Picture("run-failed", "run/{dead}/change/", 1000),
    Picture("run-failed-dark", "run/{dead}/change/", 1000, "dark"),
    Picture("run-trace", "run/{asked}/change/", 1100),
    Picture("run-narrow", "run/{dead}/change/", 1000, width=390),
    Picture("run-edit", "run/{dead}/edit/", 700),
    Picture("dead-letters", "deadletter/", 700),
    Picture("dead-letters-dark", "deadletter/", 700, "dark"),
    Picture("dead-letter", "deadletter/{mark}/change/", 900),
    Picture("redrive-choose", "batch/choose/?status=dead", 750),
    Picture("redrive-preview", "batch/preview/?deed=redrive&status=dead", 900),
    Picture("redrive-batch", "batch/{batch}/change/", 600),
    Picture("batches", "batch/", 400),
    Picture("schedules", "schedule/", 500),
    Picture("state-groups", "stateitem/groups/", 500),
    Picture("state", "stateitem/?group=orders", 700),
    Picture("state-item", "stateitem/{item}/change/", 700),
    Picture("stream-tail", "streamitem/tail/orders/board/events/", 700),
    Picture("streams", "streamitem/", 700),
    Picture("stream-item", "streamitem/{streamed}/change/", 600),
)


def main() -> None:
    """Start everything, take each picture that is asked for, or all, stop everything."""
    wanted = set(sys.argv[1:])
    (IMAGES / "console").mkdir(parents=True, exist_ok=True)
    redis = Redis()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        try:
            (home := Path(folder, "redis")).mkdir()
            with sample_project(Path(folder), None, redis.start(home)) as project:
                project.environment["DJANGO_SETTINGS_MODULE"] = "sample_project.settings"
                project.start_worker(concurrency=6)
                project.start_beat()
                project.start_asgi()
                if not wanted or "live" in wanted:
                    live(project, browser.new_page(viewport={"width": 900, "height": 400}))
                if wanted != {"live"}:
                    console(project, browser, wanted)
        finally:
            browser.close()
            redis.stop()


def live(project: Project, page: Page) -> None:
    """Three orders on their way, on the live page."""
    page.goto(f"http://127.0.0.1:{project.port}/live/")
    for number, (customer, amount) in enumerate(ORDERS, 1):
        page.fill("[name=customer]", customer)
        page.fill("[name=amount]", amount)
        page.click("button")
        expect(page.locator("#orders tr")).to_have_count(number)
        page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / "live.png")


def console(project: Project, browser: Browser, wanted: set[str]) -> None:
    """The console, after visitors have been at the shop for a while."""
    address = f"http://127.0.0.1:{project.port}"
    made = project.start("admin", [sys.executable, "-m", "scripts.make_demo_admin"])
    assert made.wait(30) == 0, project.all_logs()
    project.command(*TRAFFIC, "--url", address)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/admin/login/?next=/admin/motia/overview/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin")
    page.click("[type=submit]")
    known = found(project)
    for picture in PICTURES:
        if not wanted or picture.name in wanted:
            path = picture.path.format(**known)
            take(page, picture, f"{address}/admin/motia/{path}")


def found(project: Project) -> dict[str, str]:
    """Return what the addresses name, as `scripts.find_examples` finds it."""
    finding = project.start("examples", [sys.executable, "-m", "scripts.find_examples"])
    assert finding.wait(30) == 0, project.all_logs()
    known: dict[str, str] = json.loads(project.log("examples").strip().splitlines()[-1])
    return known


def take(page: Page, picture: Picture, url: str) -> None:
    """Take one picture, and make it small."""
    page.set_viewport_size({"width": picture.width, "height": picture.height})
    theme: Any = picture.theme
    page.emulate_media(color_scheme=theme)
    response = page.goto(url)
    assert response is not None
    assert response.ok, f"{url}: {response.status}"
    page.add_style_tag(path=Path(__file__).with_name("screenshots.css"))
    if picture.at:
        page.locator(picture.at).first.evaluate("(each) => each.scrollIntoView()")
    page.wait_for_timeout(300)
    file = IMAGES / "console" / f"{picture.name}.png"
    file.write_bytes(small(page.screenshot()))
    print(f"{file.relative_to(IMAGES.parent.parent)}: {file.stat().st_size // 1000} kB")


def small(picture: bytes) -> bytes:
    """Return a picture with fewer colours; with still fewer, until it is small enough."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    colours = COLOURS
    while True:
        written = io.BytesIO()
        fewer = image.quantize(colours, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        fewer.save(written, "PNG", optimize=True)
        if written.tell() <= LARGEST or colours <= 16:
            return written.getvalue()
        colours //= 2


if __name__ == "__main__":
    main()
