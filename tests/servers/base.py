"""What a real server of the tests is: it starts in a directory, answers at a URL, and stops."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar


class ServerUnavailable(Exception):
    """Say why this machine cannot run a server: its tests skip, or fail where CI=true."""


class ServerFailed(Exception):
    """Say why a server that is installed did not do what was asked: always a failure."""


class Server(ABC):
    """One server, started and stopped by its keeper, a process of its own."""

    name: ClassVar[str]

    @staticmethod
    @abstractmethod
    def missing() -> str | None:
        """Name what is not installed and how to install it; None if all is there."""

    @abstractmethod
    def start(self, home: Path) -> str:
        """Start the server, all its files in `home`; return its URL once it answers there.

        Started again in the same home, it has its data again, at the same URL.
        """

    @abstractmethod
    def stop(self) -> None:
        """End every process of the server, also after a start that failed half way."""
