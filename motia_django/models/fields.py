"""The fields and the index that the tables need besides Django's."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from motia_django import payloads
from motia_django.exceptions import PayloadError


class JSONTextField(models.TextField):  # type: ignore[type-arg]
    """JSON kept as text: every value comes back as it was, on every database, in its own order.

    (PostgreSQL's jsonb refuses NUL characters and reorders keys; nothing here is searched by SQL.)
    """

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else payloads.loads(value)

    def get_prep_value(self, value: Any) -> str | None:
        if isinstance(value, payloads.Json):
            return value.text
        return None if value is None and self.null else payloads.dumps(value)

    def value_to_string(self, obj: models.Model) -> str:
        return payloads.dumps(self.value_from_object(obj))

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return payloads.loads(value)
        except ValueError as error:
            raise ValidationError(
                _("This is not JSON: %(error)s"), params={"error": error}
            ) from error

    def formfield(self, **kwargs: Any) -> Any:
        from django.forms import JSONField

        return JSONField(**{"required": False, "label": self.verbose_name, **kwargs})

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        try:
            payloads.dumps(value)
        except PayloadError as error:
            raise ValidationError(str(error)) from error


class ExactCharField(models.CharField):  # type: ignore[type-arg]
    """Text that equals only itself, on every database.

    MySQL and MariaDB compare as their collation says, which usually means that "a", "A", "ä" and
    "a " are one; the two that say otherwise have different names there. It is sorted by its
    characters' numbers everywhere, as Python sorts it.
    """

    def db_parameters(self, connection: Any) -> Any:
        parameters = super().db_parameters(connection)
        if not self.db_collation and connection.vendor == "postgresql":
            parameters["collation"] = "C"
        elif not self.db_collation and connection.vendor == "mysql":
            is_mariadb = connection.mysql_is_mariadb
            parameters["collation"] = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
        return parameters


class FilledIndex(models.Index):
    """An index of the rows whose first column is not null, where the database has such indexes.

    Where it has not, which is MySQL and MariaDB, it is one of all rows, and nobody is warned.
    """

    def create_sql(
        self, model: type[models.Model], schema_editor: Any, using: str = "", **kwargs: Any
    ) -> Any:
        filled = models.Q(**{f"{self.fields[0]}__isnull": False})
        index = models.Index(fields=self.fields, name=self.name, condition=filled)
        return index.create_sql(model, schema_editor, using, **kwargs)
