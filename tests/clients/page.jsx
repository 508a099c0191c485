// Follows streams by Motia's own clients for browsers and React, and shows what they know.
import { useState } from "react";
import { createRoot } from "react-dom/client";
import {
  MotiaStreamProvider, useStreamEventHandler, useStreamGroup, useStreamItem,
} from "@motiadev/stream-client-react";
import { Stream } from "@motiadev/stream-client-browser";
import { Stream as NextStream } from "stream-client-browser-next";

const { address, token } = Object.fromEntries(new URLSearchParams(location.search));

function Board() {
  const { data, event } = useStreamGroup({ streamName: "rooms", groupId: "page", sortKey: "id" });
  const x = useStreamItem({ streamName: "rooms", groupId: "page", id: "x" });
  const [typing, setTyping] = useState([]);
  const listener = ({ who }) => setTyping((before) => [...before, who]);
  useStreamEventHandler({ event, type: "typing", listener }, []);
  return <pre id="react">{JSON.stringify({ items: data, x: x.data, typing })}</pre>;
}

function show(id, stream, group) {
  stream.subscribeGroup("rooms", group, "id").addChangeListener((state) => {
    document.getElementById(id).textContent = JSON.stringify(state);
  });
}

createRoot(document.getElementById("root")).render(
  <MotiaStreamProvider address={address}><Board /></MotiaStreamProvider>,
);
show("plain", new Stream(`${address}?authToken=${token}`), "private");
show("next", new NextStream(address, { protocols: ["Authorization", token] }), "private");
