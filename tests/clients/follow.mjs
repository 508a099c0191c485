// Follows streams by Motia's own client for Node, as it is told line by line; tells what it knows.
//
// In:  {"name": "board", "of": ["rooms", "g"]}, or with an item's id, or {"close": "board"}
// Out: {"name": "board", "state": ...}, {"name": "board", "event": ...}, {"failed": "..."}
import { createInterface } from "node:readline";
import { Stream } from "@motiadev/stream-client-node";

const [address, token] = process.argv.slice(2);
const followed = new Map();

function tell(what) {
  process.stdout.write(JSON.stringify(what) + "\n");
}

function follow(name, [stream, group, item]) {
  const subscription = item
    ? client.subscribeItem(stream, group, item)
    : client.subscribeGroup(stream, group, "id");
  subscription.addChangeListener((state) => tell({ name, state }));
  subscription.onEvent("typing", (event) => tell({ name, event }));
  followed.set(name, subscription);
}

// The client listens for no errors, so that a refused handshake would end this process.
process.on("uncaughtException", (error) => tell({ failed: error.message }));
const client = new Stream(address, token ? { protocols: ["Authorization", token] } : undefined);
createInterface({ input: process.stdin }).on("line", (line) => {
  const { name, of, close } = JSON.parse(line);
  if (close) followed.get(close).close();
  else follow(name, of);
});
