"""A proxy as those before web servers are: it answers 502 while its server is away."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Event, Thread
from typing import cast

BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\nConnection: close\r\n\r\n502"


class Proxy(ThreadingTCPServer):
    """Passes each connection on to `upstream`, a port; without one it answers 502."""

    daemon_threads = True
    upstream: int | None = None
    flows: Event
    """Set, unless what comes is to be held up."""
    refused = 0
    """How often it has answered 502."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.socket.getsockname()[1])


class _Passing(BaseRequestHandler):
    def handle(self) -> None:
        proxy, browser = cast(Proxy, self.server), cast(socket.socket, self.request)
        if proxy.upstream is None:
            browser.recv(65536)
            proxy.refused += 1
            browser.sendall(BAD_GATEWAY)
            return
        with socket.create_connection(("127.0.0.1", proxy.upstream)) as server:
            back = Thread(target=_pass_on, args=(server, browser, proxy.flows), daemon=True)
            back.start()
            _pass_on(browser, server, proxy.flows)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket, flows: Event) -> None:
    """Pass on what comes until either end is gone, then end both."""
    try:
        while data := source.recv(65536):
            flows.wait()
            target.sendall(data)
    except OSError:
        pass
    finally:
        for each in (source, target):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is ended already


@contextmanager
def proxy() -> Iterator[Proxy]:
    """Run a proxy."""
    with Proxy(("127.0.0.1", 0), _Passing) as running:
        running.flows = Event()
        running.flows.set()
        thread = Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()
