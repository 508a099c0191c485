// Follows streams by Motia's own clients for browsers and React, and shows what they know.
import { useState } from "react";
import { createRoot } from "react-dom/client";
import {
  MotiaStreamProvider, useStreamEventHandler, useStreamGroup, useStreamItem,
} from "@motiadev/stream-client-react";
import { Stream } from "@motiadev/stream-client-browser";
import { Stream as NextStream } from "stream-client-browser-next";

const { address, token, streams, group, item } = Object.fromEntries(
  new URLSearchParams(location.search),
);

function Board({ stream }) {
  const { data, event } = useStreamGroup({ streamName: stream, groupId: group, sortKey: "id" });
  const one = useStreamItem({ streamName: stream, groupId: group, id: item });
  const [typing, setTyping] = useState([]);
  const listener = ({ who }) => setTyping((before) => [...before, who]);
  useStreamEventHandler({ event, type: "typing", listener }, []);
  return <pre id={stream}>{JSON.stringify({ items: data, item: one.data, typing })}</pre>;
}

function show(id, stream) {
  stream.subscribeGroup("rooms", "private", "id").addChangeListener((state) => {
    document.getElementById(id).textContent = JSON.stringify(state);
  });
}

createRoot(document.getElementById("root")).render(
  <MotiaStreamProvider address={`${address}?authToken=${token}`}>
    {streams.split(",").map((stream) => <Board key={stream} stream={stream} />)}
  </MotiaStreamProvider>,
);
show("plain", new Stream(`${address}?authToken=${token}`));
show("next", new NextStream(address, { protocols: ["Authorization", token] }));
