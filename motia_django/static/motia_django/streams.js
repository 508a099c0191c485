// Follows streams: `motia.follow(address, { sync, set, delete, event, unauthorized, status }, { token, headers, limit, … })`, where
// the address may be names, `["orders", group]` or a list of such, and may, as token and headers, be a function. Whatever ended the
// connection, a proxy's 502 as well, it comes back by itself and resumes where it was, unless it is refused. It is a plain
// script, and by `import "…/streams.js"` a module.
"use strict";

{
  const REFUSALS = [400, 401, 403, 404];
  const DENIALS = [401, 403];
  const LONGEST = 30_000; // milliseconds between two tries
  const SILENCE = 45_000; // the server says something each 15 seconds
  const BASE = "/streams/"; // where names are followed

  class Refused extends Error {}

  // What is given, or what a function gives that is asked at each connection.
  async function current(given) {
    if (typeof given !== "function") return given;
    try {
      return await given();
    } catch (error) {
      console.warn(error);
      throw error;
    }
  }

  // An address, or names: `["orders", group]`, `["orders", group, item]`, or a list of such.
  function located(address, base) {
    if (!Array.isArray(address)) return new URL(address, document.baseURI);
    const url = new URL(base, document.baseURI);
    for (const names of Array.isArray(address[0]) ? address : [address]) {
      url.searchParams.append("follow", names.map(encodeURIComponent).join("/"));
    }
    return url;
  }

  class Following {
    #address;
    #handlers;
    #options;
    #lastId = "";
    #retry = 1000;
    #failures = 0;
    #status = "";
    #connection = new AbortController();
    #isClosed = false;
    #hasWorked = false;
    #wasRefused = false;

    constructor(address, handlers, { base = BASE, maxDelay = LONGEST, ...rest }) {
      [this.#address, this.#handlers, this.#options] = [address, handlers, { base, maxDelay, ...rest }];
      this.#follow();
    }

    // Ends it; nothing is called after that.
    close() {
      this.#isClosed = true;
      this.#connection.abort();
    }

    async #follow() {
      while (!this.#isClosed) {
        try {
          await this.#connect();
        } catch (error) {
          if (error instanceof Refused) return this.close();
          this.#failures += 1;
          this.#say("reconnecting");
        }
        const delay = Math.min(this.#retry * 2 ** Math.max(0, this.#failures - 1), this.#options.maxDelay);
        await new Promise((resolve) => setTimeout(resolve, delay * (0.5 + Math.random())));
      }
    }

    // One connection, to its end. If the server has not ended it, or has told nothing on it, it has failed.
    async #connect() {
      const connection = this.#connection = new AbortController();
      const patience = () => setTimeout(() => connection.abort(), SILENCE);
      let timer = patience();
      try {
        const reader = (await this.#open(connection.signal)).body.pipeThrough(new TextDecoderStream()).getReader();
        [this.#hasWorked, this.#wasRefused] = [true, false];
        this.#say("connected");
        let wasTold = false;
        for (let text = "", read; !(read = await reader.read()).done; timer = patience()) {
          clearTimeout(timer);
          const messages = (text + read.value).split("\n\n");
          text = messages.pop();
          for (const message of messages) wasTold = this.#read(message) || wasTold;
        }
        if (!wasTold) throw new Error("nothing was told");
      } finally {
        clearTimeout(timer);
        connection.abort(); // what was not read of it
      }
    }

    async #open(signal) {
      const { base, maxDelay, token, headers, limit, ...init } = this.#options;
      const url = located(await current(this.#address), base);
      const fresh = { headers: await current(headers), token: await current(token) };
      if (fresh.token) url.searchParams.set("token", fresh.token);
      if (limit) url.searchParams.set("limit", limit);
      if (this.#lastId) url.searchParams.set("lastEventId", this.#lastId);
      const response = await fetch(url, { cache: "no-store", ...init, headers: fresh.headers, signal });
      if (response.ok && response.headers.get("Content-Type")?.startsWith("text/event-stream")) return response;
      if (response.status === 403) this.#lastId = ""; // what was written since then is not for us
      if (!this.#isRefused(response)) throw new Error(response.status);
      this.#say("refused", response.status);
      throw new Refused();
    }

    // Once it has worked, what let it in may have run out: it is asked for anew before that counts as a refusal.
    #isRefused({ ok, redirected, status }) {
      if (ok) return redirected || !this.#hasWorked; // a page that is no stream, such as one to log in
      const isFirst = this.#hasWorked && !this.#wasRefused;
      this.#wasRefused ||= DENIALS.includes(status);
      return REFUSALS.includes(status) && !(isFirst && DENIALS.includes(status));
    }

    // Returns whether it is told from where to resume.
    #read(message) {
      const fields = new Map(message.split("\n").map((line) => line.split(/: (.*)/s, 2)));
      if (fields.has("retry")) this.#retry = Number(fields.get("retry"));
      if (fields.has("data")) this.#hear(JSON.parse(fields.get("data")));
      if (fields.has("id")) [this.#lastId, this.#failures] = [fields.get("id"), 0];
      return fields.has("id");
    }

    #hear(frame) {
      const { type, data, event } = frame.event;
      if (type === "event") this.#call("event", event.type, event.data, frame);
      else if (type === "unauthorized") this.#call(type, frame);
      else this.#call(["sync", "delete"].includes(type) ? type : "set", data, frame);
    }

    #say(status, ...words) {
      if (status !== this.#status) this.#call("status", this.#status = status, ...words);
    }

    // An error in a handler is shown on the console, and is no reason to connect anew.
    #call(name, ...words) {
      try {
        if (!this.#isClosed) this.#handlers[name]?.(...words);
      } catch (error) {
        reportError(error);
      }
    }
  }

  globalThis.motia = { follow: (address, handlers, options = {}) => new Following(address, handlers, options) };
}
