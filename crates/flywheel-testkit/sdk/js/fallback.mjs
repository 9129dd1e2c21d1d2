// The published JavaScript SDK where not every transport gets through: it tries the next one.
//
//   node fallback.mjs address=127.0.0.1:8000 key=secret token=<jwt> transports=websocket,http_stream,sse encoding=json
//     expected=sse

import { codec, newClient } from "./clients.mjs";
import { api, check, defer, options, report, within } from "./common.mjs";

const CHANNEL = "lobby";
const { encoding, expected } = options;
const { encode, decode } = codec(encoding);

await report(async () => {
  const transports = options.transports.split(",");
  const client = newClient({ transports, encoding, minReconnectDelay: 1, maxReconnectDelay: 10 });
  const tried = [];
  client.on("error", ({ type, transport }) => type === "transport" && tried.push(transport));
  const connected = defer();
  client.once("connected", connected.resolve);
  client.connect();
  const { transport } = await within(20, "connecting over any of them", connected.promise);
  check("connected-by-the-first-that-works", transport === expected);
  check("after-those-before-it", tried.join() === transports.slice(0, transports.indexOf(expected)).join());

  const seen = [];
  const all = defer();
  const subscription = client.newSubscription(CHANNEL);
  const subscribed = defer();
  subscription.once("subscribed", subscribed.resolve);
  subscription.on("publication", ({ data }) => seen.push(decode(data)) === 2 && all.resolve());
  subscription.subscribe();
  await within(10, "subscribing", subscribed.promise);
  await subscription.publish(encode("mine"));
  await api("publish", { channel: CHANNEL, data: "another's" });
  await within(10, "receiving both", all.promise);
  check("publishes-and-receives", seen.join() === "mine,another's");
});
