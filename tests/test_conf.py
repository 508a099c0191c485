"""The MOTIA setting: every default in sight, every mistake named."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest
from django.test import override_settings

from motia_django.conf import ORM_STATE, Settings, settings
from motia_django.exceptions import SettingsError
from motia_django.stores import state_store
from motia_django.stores.memory import MemoryState
from motia_django.stores.orm import OrmState

MEMORY = "motia_django.stores.memory.MemoryState"


def refusal(**declared: Any) -> str:
    """Return the text with which these settings are refused."""
    with override_settings(MOTIA=declared), pytest.raises(SettingsError) as refused:
        settings()
    return str(refused.value)


def test_without_a_setting_all_is_default() -> None:
    nothings: list[Any] = [None, {}]
    for nothing in nothings:
        with override_settings(MOTIA=nothing):
            assert settings() == Settings()
    with override_settings():
        assert settings().state == {"BACKEND": ORM_STATE}


def test_every_key_can_be_set_and_is_read_at_once() -> None:
    with override_settings(MOTIA={"LEASE": 5, "UNDECLARED_TOPICS": "error"}):
        assert (settings().lease, settings().undeclared_topics) == (5, "error")
        with override_settings(MOTIA={"LEASE": 6.5}):
            assert (settings().lease, settings().undeclared_topics) == (6.5, "warn")
        assert settings().lease == 5
    assert settings().lease == Settings().lease


def test_the_same_settings_are_read_only_once() -> None:
    with override_settings(MOTIA={"LEASE": 5}):
        assert settings() is settings()


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    assert "unknown key 'LEESE'" in refusal(LEESE=1)
    assert "Did you mean 'LEASE'?" in refusal(LEESE=1)
    assert "Did you mean 'LEASE'?" in refusal(lease=1)


def test_an_unknown_key_like_none_is_refused_with_all_there_are() -> None:
    text = refusal(ZZZ=1)
    assert all(each.name.upper() in text for each in fields(Settings))


def test_what_is_not_named_of_streams_has_its_default() -> None:
    with override_settings(MOTIA={"STREAMS": {"POLL": 1}}):
        assert settings().streams == {
            "WAKE": "auto",
            "CACHE": "default",
            "POLL": 1,
            "LIFETIME": 3600.0,
            "RECHECK": 30.0,
        }


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"WAKE": "redsi"}, "one of auto, redis, postgresql, poll"),
        ({"CACHE": None}, "the alias of a cache"),
        ({"POLL": 0}, "a number greater than 0"),
        ({"POLL": "1"}, "a number greater than 0"),
        ({"LIFETIME": 0}, "a number greater than 0"),
        ({"RECHECK": 0}, "MOTIA['STREAMS']['RECHECK']: expected a number greater than 0"),
        ({"LIFETIME": None}, "a number greater than 0"),
        ({"LIFETIME": True}, "a number greater than 0"),
        ({"POL": 1}, "MOTIA['STREAMS']: unknown key 'POL'. Did you mean 'POLL'?"),
        ("redis", "a dict with WAKE, CACHE, POLL"),
    ],
)
def test_a_wrong_value_of_streams_is_refused(declared: Any, expected: str) -> None:
    assert expected in refusal(STREAMS=declared)


@pytest.mark.parametrize("declared", [[], [1], "LEASE=1", 1, ("LEASE", 1)])
def test_what_is_no_dict_is_refused(declared: Any) -> None:
    with override_settings(MOTIA=declared), pytest.raises(SettingsError, match="expected a dict"):
        settings()


@pytest.mark.parametrize("key", ["LEASE", "PUBLISH_TIMEOUT", "PUBLISH_PATIENCE", "UPKEEP_INTERVAL"])
@pytest.mark.parametrize("value", [0, -1, True, "5", None, math.nan, math.inf, 1e300, [1]])
def test_a_time_is_a_number_of_seconds_greater_than_0(key: str, value: Any) -> None:
    text = refusal(**{key: value})
    assert text.startswith(f"MOTIA[{key!r}]: expected a number greater than 0")
    assert repr(value) in text


@pytest.mark.parametrize("key", ["MAX_DEPTH", "TIMELINE_ENTRIES", "MAX_PAYLOAD"])
@pytest.mark.parametrize("value", [0, -1, True, "5", None, 1.5, math.nan])
def test_a_count_is_a_whole_number_greater_than_0(key: str, value: Any) -> None:
    assert refusal(**{key: value}).startswith(f"MOTIA[{key!r}]: expected a whole number")


@pytest.mark.parametrize("key", ["UNDECLARED_TOPICS", "UNHEARD_TOPICS", "INVALID_RESPONSES"])
@pytest.mark.parametrize("value", ["skip", "WARN", None, 1, ["warn"]])
def test_a_choice_is_one_of_its_words(key: str, value: Any) -> None:
    assert refusal(**{key: value}).startswith(f"MOTIA[{key!r}]: expected one of ")


@pytest.mark.parametrize("words", [["secret"], ("secret",), {"secret"}, frozenset({"secret"})])
def test_words_to_redact_come_in_any_collection(words: Any) -> None:
    with override_settings(MOTIA={"REDACT": words}):
        assert settings().redact == ("secret",)
        hash(settings().redact)


def test_words_to_redact_can_be_added_to_the_default() -> None:
    with override_settings(MOTIA={"REDACT": {"add": ["passport"]}}):
        assert settings().redact == (*Settings().redact, "passport")


@pytest.mark.parametrize(
    "words",
    ["secret", [1], [None], 5, None, {"a": 1}, [""], ["-_"], ["..."], {"add": 1}, {"add": ["-"]}],
)
def test_what_is_no_list_of_words_is_refused(words: Any) -> None:
    assert refusal(REDACT=words).startswith("MOTIA['REDACT']: expected a list of words")


@pytest.mark.parametrize("may", [5, ["shop.permissions.may"], True])
def test_who_may_is_the_path_of_a_function(may: Any) -> None:
    assert refusal(MAY=may).startswith("MOTIA['MAY']: expected the path of a function")


@pytest.mark.parametrize("age", ["7", -1, 0, True])
def test_ages_of_what_is_pruned_are_days(age: Any) -> None:
    text = refusal(RETENTION={"dead": age})
    assert text.startswith("MOTIA['RETENTION']['dead']: expected days greater than 0, or None")


def test_ages_are_of_statuses_that_a_run_ends_with() -> None:
    assert refusal(RETENTION=7).startswith("MOTIA['RETENTION']: expected a dict of days under")
    text = refusal(RETENTION={"suceeded": 7})
    assert text.startswith("MOTIA['RETENTION']: unknown key 'suceeded'. Did you mean 'succeeded'?")


def test_all_that_is_wrong_is_said_at_once() -> None:
    told = refusal(LEESE=1, MAX_DEPTH=0, REDACT=3, RETENTION={"dead": "x"}, STREAMS={"POLL": 0})
    where = [line.partition(": ")[0] for line in told.splitlines()]
    assert where == [
        "MOTIA",
        "MOTIA['REDACT']",
        "MOTIA['MAX_DEPTH']",
        "MOTIA['RETENTION']['dead']",
        "MOTIA['STREAMS']['POLL']",
    ]


def test_nothing_need_be_redacted() -> None:
    with override_settings(MOTIA={"REDACT": []}):
        assert not settings().redact


@pytest.mark.parametrize("state", [None, {}, "path", {"backend": "x"}, {"BACKEND": 5}, []])
def test_state_without_a_backend_is_refused(state: Any) -> None:
    assert refusal(STATE=state).startswith("MOTIA['STATE']: expected a dict such as")


def test_the_store_is_the_one_that_the_settings_name_and_is_kept() -> None:
    assert isinstance(state_store(), OrmState)
    with override_settings(MOTIA={"STATE": {"BACKEND": MEMORY}}):
        assert isinstance(state_store(), MemoryState)
        assert state_store() is state_store()


@pytest.mark.parametrize(
    "state",
    [
        {"BACKEND": "nowhere.Store"},
        {"BACKEND": "Store"},
        {"BACKEND": ""},
        {"BACKEND": "motia_django.stores.memory.NoSuchThing"},
        {"BACKEND": "motia_django.conf.settings"},
        {"BACKEND": "motia_django.conf.Settings"},
        {"BACKEND": "motia_django.stores.base.StateStore"},
        {"BACKEND": MEMORY, "NO_SUCH_OPTION": 1},
        {"BACKEND": MEMORY, "UNHASHABLE": {}},
        {"BACKEND": MEMORY, 5: 1},
    ],
)
def test_a_store_that_cannot_be_had_is_a_settings_error_that_says_where(state: Any) -> None:
    with (
        override_settings(MOTIA={"STATE": state}),
        pytest.raises(SettingsError, match=r'MOTIA\["STATE"\]'),
    ):
        state_store()
