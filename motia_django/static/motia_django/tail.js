// Follows the log of a stream's group: asks every two seconds for what is new, and puts it on top of the table. Without
// this script the page is the same, and is refreshed by its link.
"use strict";

{
  const EVERY = 2000;
  const LONGEST = 60_000;
  const table = document.getElementById("tail");
  const body = table.tBodies[0];
  const pause = document.getElementById("tail-pause");
  const clear = document.getElementById("tail-clear");
  const status = document.getElementById("tail-status");
  const most = Number(table.dataset.most);
  // The server shows so many at most, so these are all that it may tell again.
  let known = [...body.rows].map((row) => row.dataset.id);
  let isPaused = false;
  let failures = 0;
  let timer = 0;

  const say = (what) => {
    const words = status.dataset[what];
    if (status.textContent !== words) status.textContent = words;
  };

  function cell(row, text, className, tag) {
    const made = row.insertCell();
    made.className = className;
    const inner = tag ? made.appendChild(document.createElement(tag)) : made;
    inner.textContent = text;
    return inner;
  }

  function add(event) {
    const after = [...body.rows].find((row) => BigInt(row.dataset.id) < BigInt(event.id));
    const row = body.insertRow(after ? after.sectionRowIndex : -1);
    row.dataset.id = event.id;
    cell(row, event.at, "motia-when");
    cell(row, event.told, "", "span").className = `motia-status${event.kind && ` motia-tail-${event.kind}`}`;
    cell(row, event.item, "motia-break");
    cell(row, event.data, "motia-break", "code");
  }

  function take({ events, gap }) {
    events.reverse().forEach(add);
    known = [...events.map((event) => event.id), ...known].sort((one, other) => other - one).slice(0, 100);
    while (body.rows.length > most) body.deleteRow(-1);
    document.getElementById("tail-empty").hidden = known.length > 0;
    say(gap ? "gap" : "live");
  }

  async function look() {
    try {
      const url = `${table.dataset.url}?known=${known.slice(0, 50).join(",")}`;
      const response = await fetch(url, { redirect: "error", cache: "no-store" });
      if (!response.ok) throw new Error(response.status);
      const found = await response.json();
      if (!isPaused) take(found);
      failures = 0;
    } catch {
      failures += 1;
      say("away");
    }
  }

  async function go() {
    clearTimeout(timer);
    if (isPaused || document.hidden) return;
    await look();
    clearTimeout(timer);
    timer = setTimeout(go, Math.min(EVERY * 2 ** failures, LONGEST));
  }

  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? pause.dataset.goOn : pause.dataset.pause;
    say(isPaused ? "paused" : "live");
    go();
  });
  clear.addEventListener("click", () => body.replaceChildren());
  document.addEventListener("visibilitychange", go);

  document.getElementById("tail-refresh").hidden = true;
  pause.hidden = clear.hidden = false;
  go();
}
