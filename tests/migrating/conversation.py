"""What is said to the old views and to the Steps: the same requests, in this order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

BODY_FIRST = "A body is read before the handler begins"
NOT_A_NUMBER = "`:pk` takes any text"
ABOUT_THE_STEP = "`OPTIONS` tells of the Step"
API_VIEW = "`@api_view` knows no `HEAD`"
BROWSABLE = "The browsable API has no forms"
UNKEEPABLE = "JSON that no database can keep"


NO_VIEW = ("body", "content-type", "vary", "allow")
BEFORE: dict[str, Any] = {"differs": ("status", "body"), "because": BODY_FIRST}


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request; `by` is whose token it bears, `session` who is logged in by cookie."""

    method: str = "GET"
    path: str
    by: str = ""
    session: str = ""
    body: Any = None
    """JSON, unless it is text or bytes, which go as they are, or a form."""
    form: dict[str, Any] | None = None
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    differs: tuple[str, ...] = ()
    """What of the answers is not the same: status, body, or the names of headers."""
    because: str = ""
    """Why it is not: the beginning of an entry of the list on the page."""

    @property
    def content(self) -> str | bytes:
        """The body as it is sent."""
        if isinstance(self.body, str | bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body)


def snippet(**changes: Any) -> dict[str, Any]:
    return {"title": "Hello", "slug": "hello", "code": "print('hello')", **changes}


def image(content: bytes = b"\x89PNG") -> SimpleUploadedFile:
    return SimpleUploadedFile("größe.png", content, "image/png")


def posts(body: Any, **keys: Any) -> Ask:
    return Ask(method="POST", path="snippets/", body=body, **{"by": "ada", **keys})


def says(text: Any, **keys: Any) -> Ask:
    return Ask(method="POST", path="snippets/1/comments/", body={"text": text}, by="bob", **keys)


def html(
    pk: object = 1, *, method: str = "GET", differs: tuple[str, ...] = ("allow",), **headers: str
) -> Ask:
    headers = {"Accept": "text/html", **{key.replace("_", "-"): headers[key] for key in headers}}
    path = f"snippets/{pk}/highlight/"
    return Ask(method=method, path=path, headers=headers, differs=differs, because=API_VIEW)


def uploads(form: dict[str, Any] | None, path: str = "snippets/1/attachments/", **keys: Any) -> Ask:
    return Ask(method="POST", path=path, form=form, by="ada", **keys)


def shares(body: Any, by: str = "ada") -> Ask:
    return Ask(method="POST", path="share/", body=body, by=by)


def changes(body: Any, path: str = "snippets/1/", by: str = "ada", **keys: Any) -> Ask:
    return Ask(**{"method": "PATCH", "path": path, "by": by, "body": body, **keys})


CREATING = [
    posts(snippet()),
    posts(snippet(slug="world", language="sql", title="Welt — 世界 🌍", linenos=True)),
    posts(snippet(slug="third", owner="bob", id=99, created="2001-01-01T00:00:00Z")),
    posts(snippet(slug="fourth", language="text"), by="bob"),
    posts(snippet()),  # the slug is taken
    posts({}),
    posts(None),
    posts([]),
    posts("null"),
    posts('"text"'),
    posts(snippet(slug="not a slug", language="perl", linenos="perhaps", title="x" * 101)),
    posts(snippet(slug="", code=None)),
    posts(snippet(slug="zero", title="a\x00b")),
    posts(snippet(slug=["list"], title={"a": 1}, linenos=None)),
    posts('{"title": '),
    posts(b"\xff\xfe"),
    posts('{"title": NaN}'),
    posts("<snippet/>", kind="application/xml"),
    posts("slug=by-form&code=1&linenos=on", kind="application/x-www-form-urlencoded"),
    posts("slug=unchecked&code=1", kind="application/x-www-form-urlencoded"),
    posts("slug=", kind="application/x-www-form-urlencoded"),
    Ask(method="POST", path="snippets/", by="ada", form={"slug": "multi", "code": "ü"}),
    posts(snippet(slug="nobody"), by=""),
    posts(snippet(slug="nobody"), by="", headers={"Authorization": "Token wrong"}),
    posts(snippet(slug="nobody"), by="", headers={"Authorization": "Token"}),
    posts(snippet(slug="forged"), by="", session="ada"),  # without a CSRF token
]
READING = [
    Ask(path="snippets/"),
    Ask(path="snippets/?page=2"),
    Ask(path="snippets/?page=99"),
    Ask(path="snippets/?page=last&format=json"),
    Ask(path="snippets/?language=sql&x=%C3%BC"),
    Ask(path="snippets/?language=sql&language=text"),
    Ask(path="snippets/?language="),
    Ask(path="snippets/1/"),
    Ask(path="snippets/1/", by="bob"),
    Ask(path="snippets/1/", session="ada"),
    Ask(path="snippets/999/"),
    Ask(path="snippets/1/", headers={"Accept": "application/xml"}),
    Ask(path="snippets/1/", headers={"Accept": "application/json; indent=2"}),
    Ask(path="snippets/1/", headers={"Accept": "application/json; version=2"}),
    Ask(path="snippets/1/", headers={"Accept": "application/json; version=9"}),
    Ask(path="snippets/1/?format=xml"),
    Ask(method="HEAD", path="snippets/"),
    Ask(method="HEAD", path="snippets/999/"),
    Ask(path="snippets"),
    html(),
    html(If_None_Match='"other"'),
    html(If_None_Match="*", differs=()),
    html(If_Match='"other"', differs=()),
    html(Accept="application/json"),
    html(999),
    html(method="POST"),
]
CHANGING = [
    changes({"title": "Changed"}),
    changes({"slug": "hello"}),  # its own
    changes({"slug": "world"}),  # another's
    changes({"code": "", "language": "sql"}),
    changes({}),
    changes({"title": 1.5}, path="snippets/999/"),
    changes({"title": "Mine"}, by="bob"),
    changes({"slug": "not a slug"}, by="bob"),
    changes({"title": "Mine"}, by=""),
    changes("title=By+form", kind="application/x-www-form-urlencoded"),
    changes({"title": "Whole"}, method="PUT"),
    changes(snippet(title="Whole"), method="PUT"),
    changes("{", method="PUT"),
    changes(snippet(), method="PUT", path="snippets/4/"),
    Ask(method="TRACE", path="snippets/1/", by="ada"),
    Ask(method="POST", path="snippets/1/", by="ada", body={}),
    Ask(method="DELETE", path="snippets/1/", by="bob"),
    Ask(method="DELETE", path="snippets/1/"),
    Ask(method="DELETE", path="snippets/3/", by="ada"),
    Ask(method="DELETE", path="snippets/3/", by="ada"),
]
COMMENTING = [
    says("First"),
    says("Second: ß 🎉", headers={"Accept": "application/json; indent=2"}),
    says("x" * 201),
    says(None),
    says("Too many"),
    Ask(path="snippets/1/comments/"),
    Ask(path="snippets/1/comments/?cursor=cD0x"),
    Ask(path="snippets/1/comments/?cursor=%FF"),
    Ask(path="snippets/999/comments/"),
    Ask(method="POST", path="snippets/999/comments/", by="ada", body={"text": "Where?"}),
    Ask(method="PUT", path="snippets/1/comments/", by="ada", body={"text": "No"}),
]
UPLOADING = [
    uploads({"file": image(), "public": "on", "note": "ö"}),
    uploads({"file": image(), "note": ""}),  # a box that is not ticked
    uploads({"file": image(b"")}),
    uploads({"note": "x" * 21, "file": "no file"}),
    uploads({}),
    uploads(None),
    uploads({"file": image()}, path="snippets/999/attachments/"),
    uploads(None, path="snippets/999/attachments/", **BEFORE),
    Ask(method="POST", path="snippets/1/attachments/", by="ada", body={"file": "x"}),
    Ask(
        method="POST",
        path="snippets/1/attachments/",
        by="ada",
        body="--x",
        kind="multipart/form-data",
    ),
]
SHARING = [
    shares({"to": [{"email": "a@example.com", "name": "A"}], "message": "Look"}),
    shares({"to": [{"email": "a@example.com"}, {"email": "nobody"}, {}, 5], "message": ""}),
    shares({"to": [], "message": "Look"}),
    shares({"to": {"email": "a@example.com"}, "message": "Look"}),
    shares({"to": "everybody"}),
    shares({"to": [{"email": "a@example.com"}], "message": "Look", "sender": 2}),
    shares({"to": []}, by=""),
]
ASKING_WHO = [
    Ask(path="me/", by="ada"),
    Ask(path="me/", by="ada", headers={"Accept": "*/*; version=2"}),
    Ask(path="me/", session="ada"),  # no session counts here
    Ask(path="me/"),
    Ask(path="me/", by="bob", headers={"If-None-Match": '"x", W/"y"'}),
    Ask(path="me/", by="ada", headers={"X-Forwarded-For": "10.0.0.1"}),
    Ask(path="me/", by="ada"),  # the fourth in a minute
    Ask(path="me/", by="bob"),
    Ask(method="HEAD", path="me/", by="bob"),
    Ask(method="HEAD", path="me/", by="bob"),
]
DIFFERING = [
    changes("{", path="snippets/999/", **BEFORE),
    changes("{", by="bob", **BEFORE),
    Ask(path="snippets/", body="{"),
    Ask(path="snippets/abc/", differs=NO_VIEW, because=NOT_A_NUMBER),
    Ask(method="OPTIONS", path="snippets/", by="ada", differs=("body",), because=ABOUT_THE_STEP),
    Ask(method="OPTIONS", path="share/", by="ada"),
    Ask(
        method="OPTIONS",
        path="snippets/1/attachments/",
        by="ada",
        differs=("body",),
        because=ABOUT_THE_STEP,
    ),
    html(method="HEAD", differs=("status", "allow")),
    Ask(path="snippets/1/", headers={"Accept": "text/html"}, differs=("body",), because=BROWSABLE),
    posts('{"title": "\\ud800"}', differs=("body",), because=UNKEEPABLE),
    posts(
        '{"title": 1e999, "slug": "last", "code": "1"}',
        differs=("status", "body", "location"),
        because=UNKEEPABLE,
    ),
]
CONVERSATION = [
    *CREATING,
    *READING,
    *CHANGING,
    *COMMENTING,
    *UPLOADING,
    *SHARING,
    *ASKING_WHO,
    *DIFFERING,
]
