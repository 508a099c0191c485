"""What the files of a new http Step say, by its method and by the parameters of its path."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from django.apps import apps
from django.core.management.base import CommandError
from pydantic import BaseModel

from motia_django.declarations import Mismatch
from motia_django.steps import in_urls
from motia_django.triggers import http_values

_BODY = ("POST", "PUT", "PATCH")
_NOTHING = ("DELETE", "HEAD", "OPTIONS")
_USER_IMPORT = "from django.contrib.auth import get_user_model\n"
_REFUSAL = """
    def test_refuses_an_empty_{field}(self):
        answer = self.motia.http("{method}", {url}, json={{"{field}": ""}}{user})
        self.assertEqual(answer.status, 400)
"""


def values(name: str, class_name: str, method: str, path: str) -> dict[str, str]:
    """Return what stands in the templates; raise `CommandError` if the path is none."""
    try:
        http_values.path(path)
    except Mismatch as error:
        raise CommandError(f"--path: expected {error}, got {path!r:.200}", returncode=2) from error
    parameters = tuple(part[1:] for part in path.split("/") if part.startswith(":"))
    new = _HttpStep(name, class_name, method, parameters)
    return {
        "models": new.models(),
        "schemas": new.schemas(),
        "told": f", {new.fields()}" if parameters or new.takes_body else "",
        "answer": new.answer(),
        "status": str(new.status),
        "user_import": _USER_IMPORT if _user() else "",
        "request": new.request(),
        "expected": new.expected(),
        "refusal": new.refusal(),
    }


@dataclass(frozen=True, slots=True)
class _HttpStep:
    """It answers with what it was asked with: the path's parameters, and a text of the body."""

    name: str
    class_name: str
    method: str
    parameters: Sequence[str]

    @property
    def takes_body(self) -> bool:
        return self.method in _BODY

    @property
    def text(self) -> str:
        """The body's field: called otherwise than each parameter, since both are answered."""
        return "title" if "title" not in self.parameters else "new_title"

    @property
    def status(self) -> int:
        return 204 if self.method in _NOTHING else 201 if self.method == "POST" else 200

    def models(self) -> str:
        """Return the file's imports and models, or nothing."""
        fields = [_field(each) for each in self.parameters]
        classes = [_class(f"{self.class_name}Params", fields)] if fields else []
        if self.takes_body:
            line = f"{self.text}: str = Field(min_length=1)"
            classes.append(_class(f"{self.class_name}Body", [line]))
        if not classes:
            return ""
        names = "BaseModel, Field" if "Field(" in "".join(classes) else "BaseModel"
        return f"\nfrom pydantic import {names}\n" + "".join(classes) + "\n"

    def schemas(self) -> str:
        """Return the trigger's keys that name the models."""
        found = {"paramsSchema": f"{self.class_name}Params"} if self.parameters else {}
        if self.takes_body:
            found["bodySchema"] = f"{self.class_name}Body"
        return "".join(f'            "{key}": {model},\n' for key, model in found.items())

    def fields(self) -> str:
        """Return a dict of what the request says, as code of the handler."""
        named = {each: f"request.params.{_attribute(each)}" for each in self.parameters}
        if self.takes_body:
            named[self.text] = f"request.body.{self.text}"
        return _dict(named)

    def answer(self) -> str:
        """Return what the handler answers, as code."""
        body = "" if self.method in _NOTHING else f', "body": {self.fields()}'
        return f'{{"status": {self.status}{body}}}'

    def request(self) -> str:
        """Return the arguments of the test's request, as code."""
        body = f', json={{"{self.text}": "x"}}' if self.takes_body else ""
        return f'"{self.method}", {self._url()}{body}{_user()}'

    def expected(self) -> str:
        """Return the line of the test that looks at the answer's body, if there is one."""
        if self.method in _NOTHING:
            return ""
        body = self._arguments() | ({self.text: "x"} if self.takes_body else {})
        return f"        self.assertEqual(answer.json, {json.dumps(body)})\n"

    def refusal(self) -> str:
        """Return the test of a body that is refused, if there is a body."""
        if not self.takes_body:
            return ""
        return _REFUSAL.format(field=self.text, method=self.method, url=self._url(), user=_user())

    def _url(self) -> str:
        kwargs = f", kwargs={json.dumps(self._arguments())}" if self.parameters else ""
        return f'reverse("motia:{in_urls(self.name)}"{kwargs})'

    def _arguments(self) -> dict[str, str]:
        return {each: str(number) for number, each in enumerate(self.parameters, 1)}


def _user() -> str:
    """Return the argument that says who asks: a user, or the project's permissions may refuse it.

    It is there even where they ask nobody yet, as in a new project.
    """
    return ", user=get_user_model()()" if apps.is_installed("django.contrib.auth") else ""


def _class(name: str, lines: Sequence[str]) -> str:
    return f"\n\nclass {name}(BaseModel):\n" + "".join(f"    {line}\n" for line in lines)


def _field(parameter: str) -> str:
    """Return the line of a model for a parameter of the path."""
    attribute = _attribute(parameter)
    alias = f' = Field(alias="{parameter}")' if attribute != parameter else ""
    return f"{attribute}: str{alias}"


def _attribute(parameter: str) -> str:
    """Return a name that a model's field may have: neither `from` nor `_id` nor `json`."""
    taken = iskeyword(parameter) or parameter.startswith("_") or hasattr(BaseModel, parameter)
    return f"param_{parameter}" if taken else parameter


def _dict(values: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'"{key}": {value}' for key, value in values.items()) + "}"
