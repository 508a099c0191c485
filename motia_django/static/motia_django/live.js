// Keeps regions of a page fresh: an element with an id and `data-motia-live="5"` is fetched anew every five
// seconds, from the page's own address, and its content replaced. With `data-motia-rows` only what that selector
// finds in it is. Without this script the pages are the same; they only stand still.
"use strict";

{
  const LONGEST = 60_000;
  const STALE_AFTER = 3;
  const seen = new Map();
  let failures = 0;
  let timer = 0;

  const regions = (root) => [...root.querySelectorAll("[data-motia-live][id]")];
  const parts = (region) =>
    region.dataset.motiaRows ? [...region.querySelectorAll(region.dataset.motiaRows)] : [region];
  const text = (part) => part.innerHTML.replace(/name="csrfmiddlewaretoken" value="\w*"/g, "");

  // Whether somebody is at work in the region: typing, ticking, selecting, reading what was unfolded.
  function isBusy(region) {
    const selection = document.getSelection();
    const holds = (node) => node && node !== document.body && region.contains(node);
    const isBox = (field) => field.type === "checkbox" || field.type === "radio";
    const changed = (field) =>
      isBox(field) ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
    return holds(document.activeElement) || region.querySelector("details[open]") !== null
      || [...region.querySelectorAll("input, textarea")].some(changed)
      || (!selection.isCollapsed && (holds(selection.anchorNode) || holds(selection.focusNode)));
  }

  // The admin's own script holds on to the boxes that it found first: those stay, as boxes of the new rows.
  function keepBoxes(old, fresh) {
    const kept = old.querySelectorAll(".action-select");
    fresh.querySelectorAll(".action-select").forEach((box, index) => {
      for (const { name, value } of box.attributes) kept[index].setAttribute(name, value);
      box.replaceWith(kept[index]);
    });
  }

  function replace(region, fresh) {
    const next = parts(fresh);
    const boxes = (root) => root.querySelectorAll(".action-select");
    if (next.length !== parts(region).length || boxes(fresh).length !== boxes(region).length) {
      region.replaceChildren(...fresh.childNodes);
      if (boxes(region).length) window.Actions?.(boxes(region));
      return;
    }
    parts(region).forEach((part, index) => {
      if (text(next[index]) === seen.get(part)) return;
      seen.set(part, text(next[index]));
      keepBoxes(part, next[index]);
      part.replaceChildren(...next[index].childNodes);
    });
    if (!fresh.dataset.motiaLive) delete region.dataset.motiaLive;
  }

  async function refresh() {
    const response = await fetch(location.href, { redirect: "error", cache: "no-store" });
    if (!response.ok) throw new Error(response.status);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const region of regions(document)) {
      const next = fresh.getElementById(region.id);
      if (next && !isBusy(region)) replace(region, next);
    }
  }

  // Says once that the page stands still, and takes it back once it does not.
  function tell() {
    const note = document.getElementById("motia-live-note");
    const words = failures < STALE_AFTER ? "" : note?.dataset.stale;
    if (note && note.textContent !== words) note.textContent = words;
  }

  function wait() {
    const seconds = regions(document).map((region) => Number(region.dataset.motiaLive));
    clearTimeout(timer);
    if (seconds.length) timer = setTimeout(tick, Math.min(Math.min(...seconds) * 1000 * 2 ** failures, LONGEST));
  }

  async function tick() {
    if (document.hidden) return;
    if (!regions(document).every(isBusy)) {
      await refresh().then(() => { failures = 0; }, () => { failures += 1; });
      tell();
    }
    wait();
  }

  for (const region of regions(document)) for (const part of parts(region)) seen.set(part, text(part));
  document.addEventListener("visibilitychange", () => document.hidden || tick());
  wait();
}
