"""Requests that are signed: who is let in, who is not, and what nobody can make of it."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIRequestFactory

from motia_django import models, payloads
from motia_django.admin import reproductions, words
from motia_django.commands.runs import described
from motia_django.payloads import MASK
from motia_django.registry import registry
from motia_django.runs import Status
from motia_django.testing import Motia
from motia_django.webhooks import Signature, github, signed_by, standard_webhooks, stripe
from tests.factories import installed, kept_run, make_step, row, rows
from tests.openapi.reading import document, operation
from tests.web.serving import answering, http, served, serving

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

KEY = "of the sender"
BODY = json.dumps({"id": "größe"}).encode()
NEEDS_ID = {"type": "object", "required": ["id"]}


def signature(body: bytes = BODY, key: str = KEY, digest: str = "sha256") -> str:
    return hmac.new(key.encode(), body, digest).hexdigest()


def ok(request: Any) -> Any:
    return {"body": [request.body["id"], request.user.is_anonymous, request.auth]}


def asked(
    kind: type[Signature], header: str | None, body: bytes = BODY, name: str = "X-Signature"
) -> Any:
    """Send a body with a signature in a header; return the answer."""
    with answering(
        ok, "POST", authentication=[kind], permissions=[], bodySchema=NEEDS_ID, maxBodySize=1000
    ) as client:
        headers = {} if header is None else {name: header}
        return client.post("/x", body, content_type="application/json", headers=headers)


OURS = signed_by("X-Signature", lambda: KEY)


def test_who_has_signed_the_bytes_is_let_in_and_is_no_user() -> None:
    answer = asked(OURS, signature())
    assert (answer.status_code, answer.json()) == (200, ["größe", True, "X-Signature"])


@pytest.mark.parametrize(
    "header",
    [None, "", "0", "ä", "\udc80", "\x00", "a" * 10_000, signature(BODY + b" "), signature(key="")],
    ids=ascii,
)
def test_nobody_else_is_whatever_he_sends_and_nothing_is_kept_of_it(header: str | None) -> None:
    for body in (BODY, b"{", b'{"wrong": 1}', b"\x00", b""):
        answer = asked(OURS, header, body)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'HMAC-SHA256 header="X-Signature"'
        assert list(answer.json()) == ["detail"]
    assert not models.Run.objects.exists()


def test_who_sends_in_chunks_to_a_server_that_loses_them_is_told_so() -> None:
    keys = {"authentication": [OURS], "permissions": [], "maxBodySize": 1000}
    with answering(ok, "POST", **keys) as client:
        headers = {"X-Signature": signature(), "Transfer-Encoding": "chunked"}
        lost, wrong = (
            client.post("/x", body, "application/json", headers=headers).json()["detail"]
            for body in (b"", BODY + b" ")
        )
    assert "is wrong, or the body is lost: it came in chunks (Transfer-Encoding)" in lost
    assert wrong == "The signature in X-Signature is wrong."


def test_what_is_signed_is_checked_like_any_other_body() -> None:
    for body in (b"{", b'{"wrong": 1}', b"\x00"):
        assert asked(OURS, signature(body), body).status_code == 400
    large = b" " * 1001
    assert asked(OURS, signature(large), large).status_code == 413
    assert asked(OURS, "0", large).status_code == 413


def test_a_form_is_signed_as_it_was_sent() -> None:
    body = b"id=a+b"
    with answering(ok, "POST", authentication=[OURS], permissions=[]) as client:
        kind = "application/x-www-form-urlencoded"
        answer = client.post("/x", body, kind, headers={"X-Signature": signature(body)})
    assert answer.json()[0] == "a b"


def test_any_of_several_secrets_will_do_while_they_change(settings: Any) -> None:
    kind = signed_by("X-Signature", "WEBHOOK_SECRET")
    settings.WEBHOOK_SECRET = ["new", b"old"]
    found = [asked(kind, signature(key=key)).status_code for key in ("new", "old", "oldest")]
    assert found == [200, 200, 401]


@pytest.mark.parametrize("secret", ["", None, [], [KEY, ""], 7, [7]], ids=str)
def test_without_a_secret_nobody_is_let_in(settings: Any, secret: Any) -> None:
    settings.WEBHOOK_SECRET = secret
    request = APIRequestFactory().post("/x", headers={"X-Signature": signature(b"", "")})
    with pytest.raises(ImproperlyConfigured, match="'WEBHOOK_SECRET', is missing or empty"):
        signed_by("X-Signature", "WEBHOOK_SECRET")().authenticate(request)
    with pytest.raises(ImproperlyConfigured, match="'NO_SUCH_SETTING', is missing or empty"):
        signed_by("X-Signature", "NO_SUCH_SETTING")().authenticate(request)
    with pytest.raises(ImproperlyConfigured, match="in X-Signature, what its function returns, is"):
        signed_by("X-Signature", lambda: secret).sign(b"")


def test_what_is_signed_with_the_first_of_the_secrets_is_let_in() -> None:
    kind = signed_by("X-Signature", lambda: [KEY, "old"], encoding="base64", prefix="v1,")
    signed = kind.sign(BODY)
    assert list(signed) == ["X-Signature"]
    assert signed == kind.sign(BODY.decode())
    assert asked(kind, signed["X-Signature"]).status_code == 200
    assert asked(kind, signed["X-Signature"], BODY + b" ").status_code == 401
    assert signed != signed_by("X-Signature", lambda: "old", encoding="base64", prefix="v1,").sign(
        BODY
    )


def of_tenant(request: Any) -> Any:
    """Return the secrets of who the path names."""
    known = {"acme": "of acme", "globex": ["new", b"old"], "empty": "", "none": [], "odd": 7}
    return known.get(request.params["tenant"])


async def of_tenant_later(request: Any) -> Any:
    return of_tenant(request)


class Own(Signature):
    header = "X-Signature"

    def secrets(self, request: Any) -> Any:
        """Return the secrets of who the path names."""
        return of_tenant(request)


@pytest.mark.parametrize(
    "kind",
    [signed_by("X-Signature", of_tenant), signed_by("X-Signature", of_tenant_later), Own],
    ids=["function", "async function", "class"],
)
def test_each_tenant_signs_by_a_secret_of_his_own(kind: type[Signature]) -> None:
    found: dict[tuple[str, str], int] = {}
    step = make_step(ok, http("POST", "/:tenant", authentication=[kind], permissions=[]))
    with installed(step), served("in/<str:country>/") as client:
        for tenant in ("acme", "globex", "empty", "none", "unknown", "tenänt"):
            for key in ("of acme", "old", "None"):
                headers = kind.sign(BODY, secret=key)
                where = f"/in/uk/{tenant}"
                answer = client.post(where, BODY, "application/json", headers=headers)
                found[tenant, key] = answer.status_code
        odd = client.post("/in/uk/odd", BODY, "application/json", headers=headers)
    let_in = {who for who, status in found.items() if status == 200}
    assert let_in == {("acme", "of acme"), ("globex", "old")}
    assert set(found.values()) == {200, 401}
    assert odd.status_code == 500


def test_who_is_not_known_is_answered_as_who_signs_wrongly() -> None:
    kind, answers = signed_by("X-Signature", of_tenant), []
    step = make_step(ok, http("POST", "/:tenant", authentication=[kind], permissions=[]))
    with serving(step) as client:
        for tenant in ("acme", "unknown"):
            headers = {"X-Signature": signature()}
            answers.append(client.post(f"/{tenant}", BODY, "application/json", headers=headers))
    assert answers[0].content == answers[1].content
    assert answers[0].headers == answers[1].headers


def test_a_function_of_the_request_cannot_tell_by_what_to_sign() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"sign\(body, secret=\.\.\.\)"):
        signed_by("X-Signature", of_tenant).sign(BODY)
    with pytest.raises(ValueError, match=r"secret: of the request.* takes \(request, view\)"):
        signed_by("X-Signature", lambda request, view: KEY)  # type: ignore[arg-type]


def test_a_scheme_of_ones_own_may_read_one_signature_and_text() -> None:
    class Plain(Signature):
        header = "X-Plain"
        secrets = staticmethod(lambda: KEY)

        def read(self, request: Any) -> Any:
            return request.headers[self.header], request.body.decode()

    assert asked(Plain, signature(), name="X-Plain").status_code == 200
    assert asked(Plain, signature(key="other"), name="X-Plain").status_code == 401


def test_a_function_whose_arguments_have_defaults_is_called_without() -> None:
    for kind in (signed_by("X-S", lambda key=KEY: key), signed_by("X-S", lambda *keys: [KEY])):
        assert kind.sign(BODY) == {"X-S": signature()}
        assert asked(kind, signature(), name="X-S").status_code == 200


def test_what_cannot_be_is_refused_where_it_is_said_and_a_secret_not_repeated() -> None:
    with pytest.raises(ValueError, match="expected the name of a setting") as error:
        signed_by("X-Signature", "hunter2")
    assert "hunter2" not in str(error.value)
    with pytest.raises(ValueError, match="expected 'hex' or 'base64', got 'base32'"):
        signed_by("X-Signature", "SECRET", encoding="base32")
    with pytest.raises(ValueError, match="sha257"):
        signed_by("X-Signature", "SECRET", digest="sha257")


def test_a_signature_may_be_of_another_digest_in_base64_and_after_a_prefix() -> None:
    made = base64.b64encode(hmac.digest(KEY.encode(), BODY, "sha512")).decode()
    kind = signed_by("X-S", lambda: KEY, digest="sha512", encoding="base64", prefix="v1,")
    assert asked(kind, f"v1,{made}", name="X-S").status_code == 200
    assert asked(kind, made, name="X-S").status_code == 401


def test_github_signs_with_its_prefix() -> None:
    """The example is that of GitHub's own page."""
    kind = github(lambda: "It's a Secret to Everybody")
    header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert kind.sign("Hello, World!") == {"X-Hub-Signature-256": header}
    request = APIRequestFactory().post(
        "/x",
        b"Hello, World!",
        content_type="text/plain",
        headers={"X-Hub-Signature-256": header},
    )
    assert isinstance(kind().authenticate(request)[0], AnonymousUser)


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def by_stripe(at: datetime, *signatures: str) -> str:
    seconds = int(at.timestamp())
    own = signature(f"{seconds}.".encode() + BODY)
    return ",".join([f"t={seconds}", *(f"v1={each}" for each in signatures or [own]), "v0=0"])


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (by_stripe(NOW), 200),
        (by_stripe(NOW - timedelta(seconds=300)), 200),
        (by_stripe(NOW - timedelta(seconds=301)), 401),
        (by_stripe(NOW + timedelta(seconds=301)), 401),
        (by_stripe(NOW, "0", by_stripe(NOW).split("v1=")[1].split(",")[0]), 200),
        (by_stripe(NOW, "0", "ä"), 401),
        (by_stripe(NOW).replace(",v1=", ",v0="), 401),
        (by_stripe(NOW).replace("t=", "t=1"), 401),
        ("v1=0", 401),
        ("t=,v1=0", 401),
        ("t=²,v1=0", 401),
        (f"t={'9' * 5000},v1=0", 401),
        (",,==,", 401),
    ],
)
def test_stripe_signs_its_time_with_the_body(header: str, status: int) -> None:
    with time_machine.travel(NOW, tick=False):
        answer = asked(stripe(lambda: KEY), header, name="Stripe-Signature")
    assert answer.status_code == status


def test_to_sign_as_stripe_does_holds_for_as_long() -> None:
    kind = stripe(lambda: KEY)
    with time_machine.travel(NOW, tick=False):
        signed = kind.sign(BODY)
        assert signed == {"Stripe-Signature": by_stripe(NOW).removesuffix(",v0=0")}
        assert asked(kind, signed["Stripe-Signature"], name="Stripe-Signature").status_code == 200
    with time_machine.travel(NOW + timedelta(seconds=301), tick=False):
        assert asked(kind, signed["Stripe-Signature"], name="Stripe-Signature").status_code == 401


PUBLISHED = {
    "webhook-id": "msg_loFOjxBNrRLzqYUf",
    "webhook-timestamp": "1731705121",
    "webhook-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
}
"""An example that Svix has published, whose scheme the specification is."""
PUBLISHED_SECRET = "whsec_plJ3nmyCDGBKInavdOK15jsl"
PUBLISHED_BODY = b'{"event_type":"ping","data":{"success":true}}'
STANDARD = standard_webhooks(lambda: ["whsec_b3RoZXI=", PUBLISHED_SECRET])
SENT = datetime.fromtimestamp(1731705121, tz=UTC)


def test_the_published_example_is_made_by_hmac_alone() -> None:
    key = base64.b64decode("plJ3nmyCDGBKInavdOK15jsl")
    signed = b"msg_loFOjxBNrRLzqYUf.1731705121." + PUBLISHED_BODY
    made = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert PUBLISHED["webhook-signature"] == f"v1,{made}"


@pytest.mark.parametrize(
    ("changed", "passed", "status"),
    [
        ({}, 0, 200),
        ({}, 300, 200),
        ({}, -300, 200),
        ({}, 301, 401),
        ({}, -301, 401),
        ({"webhook-signature": f"v1,AAAA v1a,AAAA {PUBLISHED['webhook-signature']}"}, 0, 200),
        ({"webhook-signature": PUBLISHED["webhook-signature"].replace("v1,", "v2,")}, 0, 401),
        ({"webhook-signature": PUBLISHED["webhook-signature"].removeprefix("v1,")}, 0, 401),
        ({"webhook-signature": " "}, 0, 401),
        ({"webhook-id": "msg_other"}, 0, 401),
        ({"webhook-id": "\udc80"}, 0, 401),
        ({"webhook-id": ""}, 0, 401),
        ({"webhook-timestamp": "1731705122"}, 0, 401),
        ({"webhook-timestamp": ""}, 0, 401),
        ({"webhook-timestamp": "1e9"}, 0, 401),
    ],
)
def test_standard_webhooks_sign_an_id_and_the_time_with_the_body(
    changed: dict[str, str], passed: int, status: int
) -> None:
    with (
        time_machine.travel(SENT + timedelta(seconds=passed), tick=False),
        answering(dict_of, "POST", authentication=[STANDARD], permissions=[]) as client,
    ):
        headers = PUBLISHED | changed
        answer = client.post("/x", PUBLISHED_BODY, "application/json", headers=headers)
    assert answer.status_code == status


def dict_of(request: Any) -> Any:
    return {"body": {"auth": request.auth}}


def test_to_sign_as_standard_webhooks_have_it_makes_the_published_example() -> None:
    with time_machine.travel(SENT, tick=False):
        id = PUBLISHED["webhook-id"]
        made = STANDARD.sign(PUBLISHED_BODY, secret=PUBLISHED_SECRET, message_id=id)
        assert made == PUBLISHED
        one, other = STANDARD.sign(PUBLISHED_BODY), STANDARD.sign(PUBLISHED_BODY)
    assert one["webhook-id"] != other["webhook-id"]


@pytest.mark.parametrize("secret", ["", b""])
@pytest.mark.parametrize("kind", [OURS, stripe(lambda: KEY), github(lambda: KEY), STANDARD])
def test_nothing_is_signed_by_an_empty_secret(kind: type[Signature], secret: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"secret of the signature in {kind.header}"):
        kind.sign(BODY, secret=secret)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!", "whsec_a", "whpk_AAAA", "ä"])
def test_a_secret_that_is_no_base64_is_told_of_and_not_repeated(secret: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="expected whsec_ and base64$"):
        standard_webhooks(lambda: secret).sign(BODY)
    assert standard_webhooks(lambda: b"raw").sign(BODY)


def test_a_scheme_of_ones_own_says_what_is_signed() -> None:
    class Chat(Signature):
        header = "X-Chat-Signature"
        prefix = "v0="

        @staticmethod
        def secrets() -> str:
            return KEY

        def read(self, request: Any) -> tuple[list[str], bytes]:
            if "X-Chat-Time" not in request.headers:
                raise AuthenticationFailed("When was it sent?")
            given, body = super().read(request)
            return given, b"v0:" + request.headers["X-Chat-Time"].encode() + b":" + body

    header = f"v0={signature(b'v0:17:' + BODY)}"
    assert asked(Chat, header, name="X-Chat-Signature").json() == {"detail": "When was it sent?"}
    with answering(ok, "POST", authentication=[Chat], permissions=[]) as client:
        headers = {"X-Chat-Signature": header, "X-Chat-Time": "17"}
        answer = client.post("/x", BODY, content_type="application/json", headers=headers)
    assert answer.status_code == 200


def test_a_document_names_the_header_and_does_not_call_it_optional() -> None:
    found = operation("POST", authentication=[OURS], permissions=[])
    assert found["security"] == [{"signature-X-Signature": []}]
    assert "401" in found["responses"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (OURS, "HMAC-SHA256 in hex: of the body."),
        (github("S"), "HMAC-SHA256 in hex, after sha256=: of the body."),
        (signed_by("X", "S", digest="sha512", encoding="base64"), "HMAC-SHA512 in base64: of the"),
        (stripe("S"), "HMAC-SHA256 in hex: of the time, a dot and the body, sent as t="),
        (STANDARD, "HMAC-SHA256 in base64, after v1,: of webhook-id, webhook-timestamp and the"),
    ],
)
def test_a_document_says_how_the_signature_is_made(kind: type[Signature], text: str) -> None:
    found = document(make_step(ok, http("POST", authentication=[kind], permissions=[])))
    [scheme] = found["components"]["securitySchemes"].values()
    assert scheme["description"].startswith(text)
    assert scheme["name"] == kind.header


def test_two_signatures_in_headers_of_one_name_are_two_schemes() -> None:
    kinds = [OURS, signed_by("X-Signature", "S", digest="sha512", encoding="base64"), Own]
    steps = [
        make_step(ok, http("POST", f"/{n}", authentication=[kind], permissions=[]), name=f"S{n}")
        for n, kind in enumerate(kinds)
    ]
    assert set(document(*steps)["components"]["securitySchemes"]) == {
        "signature-X-Signature",
        "signature-X-Signature-sha512-base64",
        "signature-X-Signature-Own",
    }


def test_a_test_of_its_own_needs_no_signature(motia: Motia) -> None:
    step = make_step(ok, http("POST", authentication=[OURS], permissions=[]))
    with serving(step):
        assert motia.http("POST", "/x", json={"id": 1}).status == 401
        assert motia.http("POST", "/x", json={"id": 1}, user=AnonymousUser()).status == 200


def test_people_are_told_what_is_asked_for() -> None:
    step = make_step(ok, http("POST", authentication=[OURS], permissions=[]))
    trigger: Any = step.triggers[0]
    assert trigger.policies.named()["authentication"] == ["signature in X-Signature"]


@pytest.mark.parametrize(
    "kind", [signed_by("x-hookco-sig", lambda: KEY), github(lambda: KEY), stripe(lambda: KEY)]
)
@pytest.mark.parametrize("config", [{}, {"redact": []}, {"record": "failures"}, {"atomic": True}])
@override_settings(MOTIA={"REDACT": ["iban"]})
def test_the_header_that_signs_is_masked_wherever_it_is_kept_whatever_its_name(
    kind: type[Signature], config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="motia.steps")
    signed = kind.sign(BODY)[kind.header]
    name = kind.header.title()

    def handler(request: Any, ctx: Any) -> Any:
        environ = {key: value for key, value in request.raw.META.items() if key.startswith("HTTP")}
        ctx.logger.info("Told", headers=dict(request.headers.items()), environ=environ)
        if config.get("record"):
            raise ValueError("too bad")
        return {"status": 200, "body": dict(request.headers.items())}

    step = make_step(handler, http("POST", authentication=[kind], permissions=[]), **config)
    with serving(step) as client:
        client.post("/x", BODY, content_type="application/json", headers={kind.header: signed})
        [run] = rows()
        shown = [reproductions.of_run(run), *map(str, (vars(run), described([run])))]
    assert run.input["headers"][name] == MASK
    assert signed not in "".join([*shown, caplog.text])
    assert run.input["body"] == json.loads(BODY)


def test_what_was_kept_before_it_was_masked_is_shown_masked() -> None:
    kind = signed_by("X-Hookco-Sig", lambda: KEY)
    input = {"method": "POST", "path": "/x", "headers": {"X-Hookco-Sig": "5f0c"}, "body": {}}
    with serving(make_step(ok, http("POST", authentication=[kind], permissions=[]))):
        kept = kept_run(trigger="http", source="POST /x", input=input, status=Status.SUCCEEDED)
        run = row(kept)
        shown = [words.masked_input(run), described([run]), reproductions.of_run(run)]
    assert "5f0c" not in str(shown)
    assert words.masked_input(run) == input  # of a Step that is not there


def test_a_name_that_only_contains_that_of_the_header_is_not_masked() -> None:
    kind = signed_by("X-Sig", lambda: KEY)
    with installed(make_step(ok, http("POST", authentication=[kind], permissions=[]))):
        masks = registry().masks("Work")
    asked = {"X-Sig": 1, "x_sig": 1, "HTTP_X_SIG": 1, "max_signups": 1, "sig": 1}
    masked = payloads.masked(asked, masks)
    assert masked == {**dict.fromkeys(list(asked)[:3], MASK), "max_signups": 1, "sig": 1}
