"""An operator of the console: a person with a browser that runs no script, over HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from tests.journeys.running import Project

PATIENCE = 30


@dataclass(slots=True)
class Operator:
    """Goes from page to page by links and buttons, and knows only what he sees."""

    url: str
    """Of the page that he looks at."""
    html: str = ""
    browser: OpenerDirector = field(
        default_factory=lambda: build_opener(HTTPCookieProcessor(CookieJar()))
    )

    def open(self, address: str = "") -> None:
        """Go to an address; to where he is, anew, without one."""
        self._ask(address, None)

    def follow(self, text: str) -> None:
        """Click on the link with this text."""
        links = re.findall(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', self.html, re.DOTALL)
        found = [unescape(url) for url, inner in links if text in _text(inner)]
        assert found, f"there is no link {text!r} at {self.url}:\n{self.read()}"
        self.open(found[0])

    def press(self, button: str, **fields: object) -> None:
        """Fill in the form that has this button, and press it."""
        forms = re.findall(r"<form([^>]*)>(.*?)</form>", self.html, re.DOTALL)
        [(head, inner)] = [each for each in forms if f'value="{button}"' in each[1]]
        hidden = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', inner)
        action = re.search(r'action="([^"]*)"', head)
        self._ask(unescape(action[1]) if action else "", {**dict(hidden), **fields})

    def read(self) -> str:
        """Return the text of the page."""
        main = self.html.partition('id="content"')[2] or self.html
        return _text(main.partition(">")[2])

    def _ask(self, address: str, fields: dict[str, object] | None) -> None:
        data = None if fields is None else urlencode(fields).encode()
        self.url = urljoin(self.url, address)
        with self.browser.open(self.url, data, timeout=PATIENCE) as response:
            self.url, self.html = response.url, response.read().decode()


def operator(project: Project) -> Operator:
    """Return a superuser who has logged in, and sees the index of the admin."""
    environment = {"DJANGO_SUPERUSER_USERNAME": "ada", "DJANGO_SUPERUSER_PASSWORD": "secret"}
    project.environment |= {**environment, "DJANGO_SUPERUSER_EMAIL": "ada@example.com"}
    project.command("createsuperuser", "--noinput")
    ada = Operator(url=f"http://127.0.0.1:{project.port}/admin/")
    ada.open()
    ada.press("Log in", username="ada", password="secret")
    return ada


def _text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
