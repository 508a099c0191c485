from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from motia_django.conf import Settings
from motia_django.exceptions import InvalidInput, WorkerLost
from motia_django.fingerprints import LENGTH, essence, fingerprint

SECRETS = Settings().redact
NUMBERS = (
    st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.uuids()
    | st.datetimes()
    | st.dates()
)
ROOT = Path(__file__).resolve().parents[1]


def raised(act: Callable[[], object]) -> BaseException:
    """Return what `act` raises, with its traceback."""
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def charge(error: Exception) -> None:
    raise error


def refund(error: Exception) -> None:
    raise error


def of(error: Exception, step: str = "Charge", act: Callable[[Exception], None] = charge) -> str:
    return fingerprint(step, raised(lambda: act(error)), SECRETS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("order 17 is gone", "order 9,412 is gone"),
        ("order a3f9c1d2 is gone", "order 00ab77fe is gone"),
        (
            "no row 6f1c9a52-66ab-4c5e-9c5e-5b8f6b0c7a11",
            "no row 00000000-0000-4000-8000-000000000000",
        ),
        ("'ord_x' is not there", "'ord_y and z' is not there"),
        ('no "a\\"b" here', "no 'c' here"),
        ("cannot parse b'abc'", "cannot parse b'xy'"),
        ("it said 'don\\'t' twice", "it said 'yes' twice"),
        ("ada@example.com bounced", "bob+x@example.org bounced"),
        ("GET https://pay.example/a?b=c failed", "GET http://other.example/ failed"),
        ("no such file: /srv/a/b.txt", "no such file: /tmp/c"),
        ("no such file: C:\\a\\b.txt", "no such file: D:\\c"),
        ("timed out after 1.5 s", "timed out after 30 s"),
        ("<Order object at 0x7f01ab>", "<Order object at 0x7f01cd>"),
        ("due 2026-11-22T19:00:00+00:00", "due 2025-01-02T03:04:05.678Z"),
        ("expected [1, 2, 3]", "expected [7]"),
        ("status=new is wrong", "status=paid is wrong"),
        (f"bad key {'A' * 40}", f"bad key {'bC' * 30}"),
        ("a  b\n c", "a b c"),
    ],
)
def test_what_varies_in_a_message_does_not_matter(one: str, other: str) -> None:
    assert essence(one) == essence(other)
    assert of(ValueError(one)) == of(ValueError(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the card was refused", "the provider does not answer"),
        ("items.0.price: too high", "items.0.name: too long"),
        ("can't connect", "can't read"),
    ],
)
def test_what_is_said_does_matter(one: str, other: str) -> None:
    assert of(ValueError(one)) != of(ValueError(other))


def test_step_type_and_place_do_matter() -> None:
    usual = of(ValueError("no"))
    assert usual == of(ValueError("no"))
    others = {
        of(ValueError("no"), step="Ship"),
        of(KeyError("no")),
        of(ValueError("no"), act=refund),
        fingerprint("Charge", ValueError("no")),
    }
    assert len({usual, *others}) == 5


def test_the_line_does_not_matter() -> None:
    code = "def handler():\n    {}raise ValueError('no')\n"
    names: list[dict[str, Callable[[], object]]] = [{}, {}]
    for where, name in zip(("", "\n\n    "), names, strict=True):
        exec(compile(code.format(where), "/srv/shop/steps/pay_step.py", "exec"), name)
    one, other = (fingerprint("S", raised(each["handler"])) for each in names)
    assert one == other


def test_the_folder_that_a_project_is_deployed_to_does_not_matter() -> None:
    prints = set()
    for folder in ("/srv/releases/41/shop", "/app/shop"):
        name: dict[str, Callable[[], object]] = {}
        code = "def handler():\n    raise ValueError('no')\n"
        exec(compile(code, f"{folder}/steps/pay_step.py", "exec"), name)
        prints.add(fingerprint("S", raised(name["handler"])))
    assert len(prints) == 1


def test_where_a_library_failed_does_not_matter_but_who_called_it_does() -> None:
    def by_library(text: str) -> BaseException:
        return raised(lambda: json.loads(text))

    def by_another(text: str) -> BaseException:
        return raised(lambda: json.loads(text))

    assert fingerprint("S", by_library("{" * 1)) == fingerprint("S", by_library("{" * 2))
    assert fingerprint("S", by_library("{" * 1)) != fingerprint("S", by_another("{" * 1))


def test_a_project_that_is_installed_as_a_package_has_places_too() -> None:
    def failed(file: str) -> BaseException:
        name: dict[str, Callable[[], object]] = {}
        code = f"def handler():\n    raise ValueError('no')\n# {file}"
        exec(compile(code, f"/x/lib/python3.11/site-packages/{file}", "exec"), name)
        error = raised(name["handler"])
        assert error.__traceback__
        return error.with_traceback(error.__traceback__.tb_next)  # without this file

    files = ("shop/steps/a_step.py", "shop/steps/b_step.py", "celery/app.py", "django/db.py")
    first, second, *carried = (fingerprint("S", failed(file)) for file in files)
    assert first != second
    assert set(carried) == {fingerprint("S", ValueError("no"))}


def test_a_recursion_is_known_by_where_it_began() -> None:
    def one(depth: int) -> None:
        other(depth)

    def other(depth: int) -> None:
        if not depth:
            raise RecursionError("too deep")
        one(depth - 1)

    def begin(depth: int, first: Callable[[int], None]) -> str:
        return fingerprint("S", raised(lambda: first(depth)))

    assert begin(3, one) == begin(4, one) == begin(3, other)


def test_of_a_group_the_first_error_counts() -> None:
    def group(*errors: Exception) -> BaseException:
        return raised(lambda: charge(ExceptionGroup("some", list(errors))))

    one = fingerprint("S", group(ValueError("order 1"), KeyError("x")))
    assert one == fingerprint("S", group(ValueError("order 2")))
    assert one != fingerprint("S", group(KeyError("x")))
    assert one != fingerprint("S", ValueError("order 1"))


@pytest.mark.parametrize(
    "message",
    [
        "the token {} is no longer valid",
        "token={} is no longer valid",
        "token:{} is no longer valid",
        "X-Api-Key: {}",
        "Authorization: Bearer {}",
        "Bearer {} was refused",
        "login failed, password = {}",
        "postgresql://user:{}@host/db is away",
        "{{'password': '{}'}} is wrong",
        'no "{}" here',
    ],
)
@given(secret=st.text(st.characters(categories=["L", "N"]), min_size=1))
def test_secrets_leave_no_trace(message: str, secret: str) -> None:
    names = (each.replace("_", "").lower() for each in (*SECRETS, "bearer", "basic"))
    assume(not any(name in secret.lower() for name in names))  # what follows such a word is masked
    assert essence(message.format(secret), SECRETS) == essence(message.format("s3cret"), SECRETS)


def test_the_ends_of_names_of_headers_are_no_words_of_messages() -> None:
    assert essence("the foreign-key constraint", SECRETS) == "the foreign-key constraint"
    assert essence("Key missing", SECRETS) == "Key missing"


@given(st.text(), st.text())
def test_any_text_has_a_fingerprint_of_its_length(step: str, message: str) -> None:
    found = fingerprint(step, ValueError(message), SECRETS)
    assert re.fullmatch(rf"[0-9a-f]{{{LENGTH}}}", found)
    assert found == fingerprint(step, ValueError(message), SECRETS)


@given(st.text(st.characters(codec="utf-8")).filter(lambda text: "\x1f" not in text))
def test_the_essence_is_short_and_holds_no_digit(message: str) -> None:
    found = essence(message, SECRETS)
    assert len(found) <= 300
    assert not any(character.isdigit() for character in found)


@given(number=NUMBERS)
def test_any_number_id_or_time_may_stand_in_a_message(number: object) -> None:
    assert essence(f"order {number} is late") == essence("order 1 is late")


@pytest.mark.parametrize(
    "text", ["'" * 50_000, "a-" * 50_000, "#." * 50_000, "a" * 100_000, "=" * 100_000, "\\" * 99]
)
@pytest.mark.timeout(2)
def test_hostile_messages_cost_little(text: str) -> None:
    assert len(essence(text, SECRETS)) <= 300


def test_an_error_whose_text_cannot_be_had_has_one_too() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert len(fingerprint("S", Broken())) == LENGTH
    assert len(fingerprint("S\ud800", ValueError("\ud800\x00"))) == LENGTH


def test_errors_of_the_package_itself_are_grouped() -> None:
    lost = [WorkerLost(f"the worker went silent during attempt {number}") for number in (1, 20)]
    assert len({fingerprint("S", each) for each in lost}) == 1
    bad = [InvalidInput("The input of Step 'S'", {f"items.{n}.price": ["wrong"]}) for n in (1, 22)]
    assert len({fingerprint("S", each) for each in bad}) == 1
    other = InvalidInput("The input of Step 'S'", {"items.1.name": ["wrong"]})
    assert fingerprint("S", bad[0]) != fingerprint("S", other)


SCRIPT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("fingerprints", sys.argv[1])
fingerprints = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fingerprints)
def check(number):
    raise ValueError(f"order {number} is not {{'a', 'b', 'c'}}")
def handler():
    return [check(number) for number in [int(sys.argv[2])]]
try:
    handler()
except ValueError as error:
    print(fingerprints.fingerprint("S", error, ("token",)))
"""


def test_it_is_the_same_in_every_process_and_version_of_python(tmp_path: Path) -> None:
    script = tmp_path / "pay_step.py"
    script.write_text(SCRIPT)
    module = str(ROOT / "motia_django" / "fingerprints.py")
    others = [which(f"python3.{minor}") for minor in (11, 12, 13)]
    found = set()
    for number, python in enumerate([sys.executable, sys.executable, *filter(None, others)]):
        done = subprocess.run(
            [python, str(script), module, str(number)],
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": str(number)},
        )
        if done.returncode and "pyenv" in done.stderr:  # a name without a Python behind it
            continue
        assert done.returncode == 0, done.stderr
        found.add(done.stdout.strip())
    assert len(found) == 1
    assert re.fullmatch(rf"[0-9a-f]{{{LENGTH}}}", found.pop())
