"""A payment provider to play with: `python -m sample_project.provider`; stop it, and it is down."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 9100


class Provider(BaseHTTPRequestHandler):
    """Takes each payment once, whoever asks for it how often."""

    server: ProviderServer

    def do_POST(self) -> None:
        """Take a payment."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_new = body["payment"] not in self.server.taken
        self.server.taken[body["payment"]] = body["amount"]
        self._answer(201 if is_new else 200, {"captured": body["payment"], "by": "the provider"})

    def do_GET(self) -> None:
        """Tell how many payments were taken."""
        self._answer(200, {"taken": len(self.server.taken)})

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class ProviderServer(ThreadingHTTPServer):
    """Remembers what was taken, for as long as it runs."""

    request_queue_size = 128

    def __init__(self, port: int) -> None:
        self.taken: dict[str, float] = {}
        super().__init__(("127.0.0.1", port), Provider)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT
    sys.stderr.write(f"The payment provider is up: http://127.0.0.1:{port}\n")
    ProviderServer(port).serve_forever()
