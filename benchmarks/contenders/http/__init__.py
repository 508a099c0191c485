"""The project of `benchmarks.http`: one endpoint in each way there is, of 3 and of 60 fields."""

from benchmarks.contenders.http.work import app

__all__ = ["app"]
