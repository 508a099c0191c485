"""Lists, page by page: REST framework's pagination for handlers."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import BasePagination
from rest_framework.settings import api_settings

from motia_django import payloads
from motia_django.exceptions import InvalidInput, InvalidResponse, MotiaError
from motia_django.loops import aside
from motia_django.schemas import schema_for
from motia_django.triggers.exchange import Request, Response, answered

_SUBJECT = "A row of the list"


def paginate(
    request: Request,
    queryset: Any,
    schema: Any = None,
    paginator: type[BasePagination] | BasePagination | None = None,
) -> Response:
    """Return the page of a list that a request asks for, as an answer: `return paginate(...)`.

    `paginator` is a pagination class of REST framework, by default the project's
    `DEFAULT_PAGINATION_CLASS`; where neither says how large a page is, the answer is the plain
    list. Each row goes out by `schema`, in any form that a Step takes one; without one the rows
    have to be plain, as those of `queryset.values()`. Raise `NotFound`, which answers 404, for a
    page that is not there, `InvalidResponse` for a row that breaks the schema, and `MotiaError` in
    a Step that was invoked by name.
    """
    if request.raw is None:
        raise MotiaError(
            "paginate() reads from a request which page is meant,"
            " and a Step that is invoked by name has none"
        )
    chosen = paginator or api_settings.DEFAULT_PAGINATION_CLASS
    made: Any = chosen() if isinstance(chosen, type) else chosen
    view = request.raw.parser_context["view"]
    page = made.paginate_queryset(queryset, request.raw, view=view) if made else None
    if page is None:
        return Response(_dumped(request, queryset, schema))
    return answered(made.get_paginated_response(_dumped(request, page, schema)), "A paginator")


async def apaginate(
    request: Request,
    queryset: Any,
    schema: Any = None,
    paginator: type[BasePagination] | BasePagination | None = None,
) -> Response:
    """Return a page as `paginate` does, from async code."""
    return await aside(paginate, request, queryset, schema, paginator)


def _dumped(request: Request, rows: Any, schema: Any) -> list[Any]:
    if schema is None:
        plain: list[Any] = payloads.plain(list(rows))
        return plain
    try:
        return schema_for(schema).within(request.serializer_context).dump_rows(rows, _SUBJECT)
    except InvalidInput as error:
        raise InvalidResponse(_SUBJECT, error.errors) from error
