"""Groups and their numbers of items: found and counted without reading whole tables."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, override_settings

from motia_django import models, state
from motia_django.admin import groups
from tests.factories import installed, make_step

pytestmark = pytest.mark.django_db
PAGE = "/admin/motia/stateitem/groups/"
NAMES = ["a", "A", "a ", "ä", "b/c", "日本", "x" * 255, "%s", "'quoted\""]


def fill(group: str, number: int) -> None:
    models.StateItem.objects.bulk_create(
        models.StateItem(group=group, key=f"{each:05}", value=str(each)) for each in range(number)
    )


def test_each_group_is_found_once_in_the_order_of_its_characters() -> None:
    for group in NAMES:
        fill(group, 2)
    assert groups.names(models.StateItem, "group") == sorted(NAMES)


def test_of_very_many_groups_the_first_are_told_of() -> None:
    for number in range(groups.MOST_GROUPS + 3):
        fill(f"{number:03}", 1)
    found, has_more = groups.count_all(models.StateItem, "group")
    assert has_more
    assert [each.name for each in found] == [f"{each:03}" for each in range(groups.MOST_GROUPS)]


def test_groups_are_counted_up_to_a_bound() -> None:
    fill("few", 3)
    fill("just", groups.MOST_ITEMS)
    fill("many", groups.MOST_ITEMS + 1)
    found, has_more = groups.count_all(models.StateItem, "group")
    told = [(each.name, each.items, each.is_more) for each in found]
    assert told == [
        ("few", 3, False),
        ("just", groups.MOST_ITEMS, False),
        ("many", groups.MOST_ITEMS, True),
    ]
    assert not has_more


def test_only_what_is_asked_for_is_looked_at() -> None:
    for stream, group in (("one", "g"), ("two", "h"), ("two", "i")):
        models.StreamItem.objects.create(stream=stream, group=group, item="1", value="1")
    assert groups.names(models.StreamItem, "stream") == ["one", "two"]
    found, _more = groups.count_all(models.StreamItem, "group", stream="two")
    assert [(each.name, each.items) for each in found] == [("h", 1), ("i", 1)]
    assert groups.count_all(models.StreamItem, "group", stream="three") == ([], False)


def test_the_page_of_state_lists_the_groups_with_links_to_their_items(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for group in NAMES:
        fill(group, 2)
    with django_assert_max_num_queries(12):
        html = admin_client.get(PAGE).content.decode()
    assert "/admin/motia/stateitem/?group=b%2Fc" in html
    assert admin_client.get("/admin/motia/stateitem/?group=%25s").context["cl"].result_count == 2
    assert PAGE in admin_client.get("/admin/motia/stateitem/").content.decode()


def test_without_any_and_where_state_lives_elsewhere_the_page_says_so(
    admin_client: Client,
) -> None:
    assert "There is no state" in admin_client.get(PAGE).content.decode()
    fill("g", 1)
    elsewhere = {"STATE": {"BACKEND": "motia_django.stores.memory.MemoryState"}}
    with override_settings(MOTIA=elsewhere):
        html = admin_client.get(PAGE).content.decode()
    assert "which these pages do not show" in html
    assert "?group=g" not in html


def test_the_groups_need_the_permission_to_see_state(client_of: Any) -> None:
    assert client_of("view_streamitem").get(PAGE).status_code == 403


def test_an_items_page_names_the_steps_that_watch_it(admin_client: Client) -> None:
    watching = [
        make_step(print, {"type": "state"}, name="All"),
        make_step(print, {"type": "state", "groupId": "orders", "key": "17"}, name="This"),
        make_step(print, {"type": "state", "groupId": "orders", "key": "18"}, name="Another"),
        make_step(print, {"type": "queue", "topic": "orders"}, name="Deaf"),
    ]
    state.set("orders", "17", 1)
    row = models.StateItem.objects.get()
    with installed(*watching):
        page = admin_client.get(f"/admin/motia/stateitem/{row.pk}/change/")
    assert [name for name, *_urls in page.context["watched"]] == ["All", "This"]
    assert "step=This&amp;trigger=state" in page.content.decode()


def test_secrets_of_an_item_are_edited_behind_their_masks(admin_client: Client) -> None:
    state.set("orders", "17", {"token": "tell-nobody", "n": 1})
    row = models.StateItem.objects.get()
    address = f"/admin/motia/stateitem/{row.pk}/change/"
    page = admin_client.get(address)
    assert "tell-nobody" not in page.content.decode()
    typed = '{"token": "********", "n": 2}'
    admin_client.post(address, {"content": typed, "seen_version": row.version})
    assert state.get("orders", "17") == {"token": "tell-nobody", "n": 2}
    row.refresh_from_db()
    misplaced = '{"other": "********"}'
    answer = admin_client.post(address, {"content": misplaced, "seen_version": row.version})
    assert "write it out" in answer.content.decode()
