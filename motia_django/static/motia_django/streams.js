// Follows streams: `motia.follow(address, { sync, set, delete, event, unauthorized, status })`. Whatever ended the
// connection, a proxy's 502 as well, it comes back by itself and resumes where it was, unless it is refused. It is a plain
// script, and by `import "…/streams.js"` a module.
"use strict";

{
  const REFUSALS = [400, 401, 403, 404];
  const LONGEST = 30_000; // milliseconds between two tries
  const SILENCE = 45_000; // the server says something each 15 seconds

  class Refused extends Error {}

  class Following {
    #address;
    #handlers;
    #init;
    #maxDelay;
    #lastId = "";
    #retry = 1000;
    #failures = 0;
    #status = "";
    #connection = new AbortController();
    #isClosed = false;

    constructor(address, handlers, { maxDelay = LONGEST, ...init }) {
      [this.#address, this.#handlers, this.#maxDelay, this.#init] = [address, handlers, maxDelay, init];
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
        const delay = Math.min(this.#retry * 2 ** Math.max(0, this.#failures - 1), this.#maxDelay);
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
      const url = new URL(this.#address, document.baseURI);
      if (this.#lastId) url.searchParams.set("lastEventId", this.#lastId);
      const response = await fetch(url, { cache: "no-store", ...this.#init, signal });
      if (response.ok && response.headers.get("Content-Type")?.startsWith("text/event-stream")) return response;
      const isSentToLogIn = response.ok && response.redirected;
      if (!isSentToLogIn && !REFUSALS.includes(response.status)) throw new Error(response.status);
      this.#say("refused", response.status);
      throw new Refused();
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

  globalThis.motia = { follow: (address, handlers, init = {}) => new Following(address, handlers, init) };
}
