"""Schemas that forms are tried with."""

from __future__ import annotations

from pydantic import BaseModel, field_validator


class Broken(BaseModel):
    """Asks what is not there, as a mistaken validator does."""

    weight: int

    @field_validator("weight")
    @classmethod
    def _weighed(cls, value: int) -> int:
        raise KeyError("scales")
