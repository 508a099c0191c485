"""What is masked: by which words of a name, and by a Step's own in the place of the setting's."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from django.test import override_settings

from motia_django import enqueue, invoke, models, operations, repeats
from motia_django.commands.runs import described
from motia_django.conf import Settings
from motia_django.payloads import MASK
from motia_django.redaction import asker
from motia_django.registry import registry
from motia_django.runs import Status
from tests.factories import installed, kept_run, make_step, row, rows, work_off
from tests.web.serving import http, serving

is_secret = asker(Settings().redact)
WORK = {"type": "queue", "topic": "work"}
PAYING = {"amount": 7, "card": {"number": "4242"}, "client_secret": "cs_1"}


@pytest.mark.parametrize(
    "name",
    [
        *("password", "PASSWORD", "userPassword", "dbpassword", "password2", "passwords", "passwd"),
        *("secret", "client_secret", "clientSecret", "clientsecret", "secretKey", "secret_url"),
        *("access_token", "refreshToken", "id_token", "accesstoken", "csrfmiddlewaretoken"),
        *("tokens", "device_tokens", "reset_token_url", "password_reset_url", "max_token"),
        *("api_key", "apiKey", "apikey", "X-Api-Key", "X-Sensor-Key", "x.api.key"),
        *("authorization", "Proxy-Authorization", "authorization_code", "Set-Cookie"),
        *("signature", "Stripe-Signature", "cvv", "cvv2", "cardCvv", "cardcvv", "cvvcode", "cvc"),
        *("card", "cards", "card_number", "cardNumber", "CARD-NUMBER", "cardnumber", "debit_card"),
        *("card_expiry", "creditcard", "pan", "PAN", "panNumber", "iban", "IBAN", "ibans"),
        *("customer_iban", "ibanNumber", "IBANNumber", "IBANOfAda", "IBANs", "PANs", "CVVcode"),
    ],
)
def test_what_is_a_secret_in_all_likelihood_is_told_by_its_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("access_tokens_url", "token_url", "token_uri", "token_endpoint", "authorization_url"),
        *("token_type", "tokenType", "secret_type", "token_expires_at", "token_count"),
        *("max_tokens", "maxTokens", "max_output_tokens", "prompt_tokens", "total_tokens"),
        *("completion_tokens_details", "cache_read_input_tokens", "signature_algorithm"),
        *("card_brand", "cardType", "card_last4", "card_id", "credit_card_type"),
        *(
            "discard",
            "wildcard",
            "cardinality",
            "dashboard",
            "company",
            "span",
            "expand",
            "caliban",
        ),
        *("id", "key", "number", "partition-key", "Idempotency-Key", "author", "public_key", ""),
    ],
)
def test_what_only_sounds_like_a_secret_is_none(name: str) -> None:
    assert not is_secret(name)


def test_a_word_that_is_asked_for_is_masked_whatever_else_is_known_of_it() -> None:
    asked = asker(("max_tokens", "token_type", "id_no", "née"))
    assert all(map(asked, ("maxTokens", "token_type", "ID-No", "customerIdNo", "née", "NÉE")))
    assert not asked("token")


# -- a Step's own word


def pay(paying: Any, ctx: Any) -> Any:
    ctx.logger.info("Paying", paying)
    ctx.state.set("payments", "1", paying)
    if paying.get("fail"):
        raise ValueError("refused")
    return paying


def ran(redact: Any, data: Any = PAYING) -> models.Run:
    """Return the run of a Step with this word of its own, once it is over."""
    config: dict[str, Any] = {} if redact is None else {"redact": redact}
    with installed(make_step(pay, WORK, **config)):
        [run_id] = enqueue("work", data)
        work_off()
    return row(UUID(run_id))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("redact", "kept"),
    [
        (None, {"amount": 7, "card": MASK, "client_secret": MASK}),
        ([], PAYING),
        ({"add": ["amount"]}, {"amount": MASK, "card": MASK, "client_secret": MASK}),
        (["amount", "number"], {**PAYING, "amount": MASK, "card": {"number": MASK}}),
    ],
)
def test_a_step_has_its_own_word_on_all_that_is_kept_of_its_runs(redact: Any, kept: Any) -> None:
    run = ran(redact)
    assert run.input == kept
    assert run.output == kept
    [log] = [each for each in run.timeline if each["kind"] == "log"]
    assert log["fields"] == kept
    [state] = [each for each in run.timeline if each["kind"] == "state"]
    assert state["new"] == kept


@pytest.mark.django_db(transaction=True)
def test_a_step_has_its_own_word_on_its_lines_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "motia.steps")
    ran(["amount"])
    assert 'amount=******** card={"number":"4242"}' in caplog.text


@pytest.mark.django_db(transaction=True)
def test_what_a_steps_own_list_names_leaves_no_trace() -> None:
    data = {"n": 1, "account": "s3cret", "deep": [{"bankAccount": "s3cret"}]}
    with installed(make_step(pay, WORK, redact=["account"], onDead="died")):
        [run_id] = enqueue("work", data)
        work_off()
        invoke("Work", data)
        waiting = kept_run(input=data)
        assert "s3cret" not in json.dumps(described([row(waiting)]), default=str)
        operations.cancel(waiting.id, by="ada")
        assert "s3cret" not in str([vars(each) for each in rows()])
        dead, edited = (kept_run(input={**data, "fail": True}, attempt=99) for _ in range(2))
        work_off()
        assert row(dead).status == "dead"
        assert row(dead).input["account"] == "s3cret", "it is needed for a redrive"
        assert "s3cret" not in str(row(dead).timeline)
        operations.discard(dead.id, by="ada")
        operations.redrive(edited.id, by="ada", input={"n": 1})
        work_off()
    assert run_id in {str(each.id) for each in rows()}
    assert "s3cret" not in str([vars(each) for each in rows()])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("redact", "old"),
    [(["account"], {"account": MASK, "card": 1}), ([], {"account": 2, "card": 1})],
)
def test_what_an_input_was_before_it_was_edited_is_masked_by_the_steps_own_word(
    redact: list[str], old: Any
) -> None:
    with installed(make_step(pay, WORK, redact=redact)):
        dead = kept_run(input={"account": 2, "card": 1}, status=Status.DEAD)
        operations.redrive(dead.id, by="ada", input={"account": 3, "card": 1})
    assert row(dead).timeline[-1]["old"] == old


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("body", [PAYING, {**PAYING, "note": "x" * 100_000}])
def test_headers_stay_masked_by_the_setting_whatever_a_step_says(body: Any) -> None:
    def answer(request: Any) -> Any:
        return {"status": 200, "headers": {"X-Api-Key": "s3cret"}, "body": {"n": 1, "card": 2}}

    with serving(make_step(answer, http("POST", "/hooks"), redact=["amount"])) as client:
        headers = {"X-Signature": "s3cret", "Authorization": "Bearer s3cret"}
        client.post("/hooks", body, content_type="application/json", headers=headers)
    [run] = rows()
    assert run.output["body"] == {"n": 1, "card": 2}
    assert "s3cret" not in str(vars(run))
    if "note" not in body:
        assert run.input["body"] == {**PAYING, "amount": MASK}
        assert run.input["headers"]["X-Signature"] == MASK


@pytest.mark.django_db(transaction=True)
def test_what_a_step_lets_stand_is_run_again_and_what_was_masked_before_is_not() -> None:
    before, after = ran(None), ran([])
    with installed(make_step(pay, WORK, redact=[])):
        refused = repeats.refusal(before.id)
        assert "masked when the run was over: card, client_secret (" in refused
        new = repeats.rerun(after.id, by="ada")
    assert row(new).input == PAYING


@override_settings(MOTIA={"REDACT": ["iban"]})
def test_what_is_no_steps_or_of_one_that_is_gone_goes_by_the_setting() -> None:
    with installed(make_step(pay, WORK, redact=["name"])):
        assert registry().masks("Work") == ("name",)
        assert registry().masks("Gone") == ("iban",)
