"""What handlers of older dialects are given: a request that is a dict, and data as they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic

from motia_django.triggers.exchange import Content, Request

Keys = dict[str, Any]


class Data(Keys):
    """An object of JSON, whose keys are attributes too."""

    @classmethod
    def of(cls, value: Any) -> Any:
        """Return a dict as such an object, and anything else as it is."""
        return cls(value) if type(value) is dict else value

    def __getattr__(self, name: str) -> Any:
        try:
            return self.of(self[name])
        except KeyError:
            raise AttributeError(name) from None


class Headers(Keys):
    """The headers of a request by their names in small letters, whatever the case asked for."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): text for name, text in headers.items()})

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name.lower())

    def __setitem__(self, name: str, text: Any) -> None:
        super().__setitem__(name.lower(), text)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """Return a header, or `default` if it was not sent."""
        return super().get(name.lower(), default)


class OldRequest(Keys):
    """A request of 0.x: `req["body"]["name"]`, `req.get("pathParams", {})`; or `req.body.name`.

    Where there is no body it is an empty object, as it was. What else is known of the request, such
    as `user`, are attributes.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        "params": "pathParams",
        "path_params": "pathParams",
        "query": "queryParams",
        "query_params": "queryParams",
        "raw_body": "rawBody",
    }

    def __init__(self, request: Request) -> None:
        raw = request.raw_body
        super().__init__(
            method=request.method,
            path=request.path,
            pathParams=Data.of(request.params),
            queryParams=Data.of(request.query),
            headers=Headers(request.headers),
            body=Data() if request.body is None else Data.of(request.body),
            rawBody=None if raw is None else raw.decode("utf-8", "replace"),
        )
        self.__dict__["_request"] = request

    def __missing__(self, key: str) -> Any:
        if key in self.aliases:
            return self[self.aliases[key]]
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a part of the request, or `default` if there is none of that name."""
        try:
            return self[key]
        except KeyError:
            return default

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            return getattr(self._request, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self[self.aliases.get(name, name)] = value


class Named(Keys):
    """An object of JSON whose keys are attributes before all else: `input.items` is its `items`."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__({key: self.of(value) for key, value in fields.items()})
        self.__dict__ = self

    @classmethod
    def of(cls, value: Any) -> Any:
        """Return a dict as such an object, with all in it, and anything else as it is."""
        if type(value) in (dict, Data):
            return cls(value)
        return [cls.of(each) for each in value] if type(value) is list else value


class TriggerInput(Generic[Content]):
    """What the first handlers of several triggers were given, whichever it was.

    All else is looked for in the input itself: in the request, or the data.
    """

    def __init__(self, given: Any, context: Any) -> None:
        self._given = given
        self.trigger = context.trigger
        """What started the run."""
        self.request = given if isinstance(given, Request) else None
        """The request; None for a run that none has started."""
        data = given if self.request is None else self.request.body
        self.data = Data() if data is None else Data.of(data)
        """The message, or the body of the request."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._given, name)

    def __getitem__(self, key: str) -> Any:
        return self._given[key]

    def __contains__(self, key: object) -> bool:
        return key in self._given
