"""A real RabbitMQ, the distribution's, started by hand as the current user on loopback."""

import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path

import amqp

from tests.servers.base import Server, ServerFailed
from tests.servers.ports import port_of
from tests.servers.processes import end
from tests.servers.run_directory import locked, next_number
from tests.servers.sharing import home_of, url_of

# Debian's /usr/sbin/rabbitmq-server insists on its own user; the script behind it does not.
DEBIANS_SCRIPT = "/usr/lib/rabbitmq/bin/rabbitmq-server"
NODE = "motia@localhost"
SECONDS_TO_START = 50.0

ADD_VHOST = """
ok = rabbit_vhost:add(<<"{name}">>, <<"tests">>),
rabbit_auth_backend_internal:set_permissions(
    <<"guest">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"tests">>).
"""


def rabbitmq_url() -> str:
    """Return the URL of this run's RabbitMQ, vhost `/`, which nobody has to himself."""
    return url_of(Rabbitmq)


def fresh_rabbitmq() -> str:
    """Return the URL of an empty RabbitMQ vhost that nobody else in this run uses."""
    name = f"fresh_{next_number('rabbitmq')}"
    url = rabbitmq_url().removesuffix("//") + f"/{name}"
    _evaluate(ADD_VHOST.format(name=name))
    return url


def _evaluate(erlang: str) -> None:
    """Run an expression that ends in `ok` inside the server: 10 ms, rabbitmqctl takes seconds."""
    home = home_of(Rabbitmq)
    environment = os.environ | {"HOME": str(home), "ERL_EPMD_PORT": (home / "epmd").read_text()}
    with locked(home / "evaluate.lock"):
        done = subprocess.run(
            ["erl_call", "-sname", NODE, "-e"],
            input=erlang,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
    if done.stdout.strip() != "{ok, ok}":
        raise ServerFailed(f"RabbitMQ was asked\n{erlang}\nand said: {done.stdout}{done.stderr}")


class Rabbitmq(Server):
    """RabbitMQ without plugins, with an Erlang port mapper, cookie and node of its own."""

    name = "rabbitmq"

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    @staticmethod
    def missing() -> str | None:
        """Look for the server's script and the two Erlang programs we use beside it."""
        absent = [name for name in ("epmd", "erl_call") if not shutil.which(name)]
        if absent or not _script():
            return "install rabbitmq-server (`make test` does it for root on Debian)"
        return None

    def start(self, home: Path) -> str:
        """Start the port mapper and the broker, and wait for the broker to answer."""
        files = ("epmd", "port", "distribution")
        mapper, port, distribution = (port_of(home / file) for file in files)
        environment = _prepare(home, mapper, port, distribution)
        self._run(["epmd", "-port", str(mapper), "-address", "127.0.0.1"], home, environment)
        broker = self._run([_script() or "rabbitmq-server"], home, environment)
        deadline = time.monotonic() + SECONDS_TO_START
        while not _answers(port):
            if broker.poll() is not None or time.monotonic() > deadline:
                raise ServerFailed(f"no answer from RabbitMQ on port {port}")
            time.sleep(0.05)
        return f"amqp://guest:guest@127.0.0.1:{port}//"

    def stop(self) -> None:
        """Ask both to end, the broker first, and see that they do, with what they started."""
        while self._processes:
            end(self._processes.pop())

    def _run(
        self, command: list[str], home: Path, environment: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._processes.append(process)
        return process


def _script() -> str | None:
    return DEBIANS_SCRIPT if Path(DEBIANS_SCRIPT).exists() else shutil.which("rabbitmq-server")


def _prepare(home: Path, mapper: int, port: int, distribution: int) -> dict[str, str]:
    """Write the files RabbitMQ reads and return the environment to start it in."""
    (home / "enabled_plugins").write_text("[].")
    (home / "rabbitmq.conf").write_text("disk_free_limit.absolute = 1MB\n")
    cookie = home / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(10).upper())
    cookie.chmod(0o600)
    outside = {name: text for name, text in os.environ.items() if "RABBITMQ_" not in name}
    return outside | {
        "HOME": str(home),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(mapper),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }


def _answers(port: int) -> bool:
    try:
        with amqp.Connection(f"127.0.0.1:{port}", connect_timeout=5):
            return True
    except (OSError, amqp.AMQPError):
        return False
