// The published JavaScript SDK over the transports it falls back to.
//
//   node fallback.mjs address=127.0.0.1:8000 key=secret token=<jwt> transport=sse|http_stream encoding=json|protobuf

import { codec, newClient } from "./clients.mjs";
import { api, check, defer, options, report, within } from "./common.mjs";

const PUBLICATIONS = 1_000;
const RECONNECTS = 10;
const { encode, decode } = codec(options.encoding);
const pause = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

await report(async () => {
  const { transport, encoding } = options;
  const client = newClient({ transport, encoding, minReconnectDelay: 10, maxReconnectDelay: 100 });
  const connected = defer();
  client.once("connected", connected.resolve);
  client.connect();
  const context = await within(10, "connect", connected.promise);
  check("connected", context.client.length > 0 && context.transport === transport);

  const channel = `sdk:${transport}-${encoding}`;
  const numbers = [];
  const own = defer();
  let all = defer();
  let wanted = PUBLICATIONS;
  const subscription = client.newSubscription(channel);
  subscription.on("publication", (publication) => {
    const value = decode(publication.data);
    if (value.own) return own.resolve(publication);
    numbers.push(value.n);
    if (numbers.length === wanted) all.resolve();
  });
  const subscribed = defer();
  subscription.once("subscribed", subscribed.resolve);
  subscription.subscribe();
  await within(10, "subscribe", subscribed.promise);
  const publish = (first, count) => api("batch", {
    commands: Array.from({ length: count }, (_, index) => ({ publish: { channel, data: { n: first + index } } })),
  });
  for (let first = 0; first < PUBLICATIONS; first += 100) await publish(first, 100);
  await within(30, "receiving the publications", all.promise);
  check("publications-in-order", numbers.every((n, index) => n === index));

  await subscription.publish(encode({ own: true }));
  const mine = await within(10, "the own publication", own.promise);
  check("published", mine.info?.client === context.client);
  let refused = 0;
  await client.publish("nowhere:x", encode({})).catch((error) => { refused = error.code; });
  check("error-code", refused === 102);

  // Sent away again and again while publications go on: nothing may be missed.
  const codes = [];
  client.on("connecting", (reason) => codes.push(reason.code));
  all = defer();
  wanted = PUBLICATIONS + RECONNECTS * 20;
  for (let round = 0; round < RECONNECTS; round += 1) {
    const again = defer();
    client.once("connected", again.resolve);
    const disconnect = { code: 3011, reason: "force reconnect" };
    await Promise.all([
      api("disconnect", { user: "sdk-user", disconnect }),
      publish(PUBLICATIONS + round * 20, 20),
    ]);
    await within(20, "connecting again", again.promise);
  }
  check("told-why", codes.length === RECONNECTS && codes.every((code) => code === 3011));
  await within(20, "catching up", all.promise);
  check("nothing-missed-and-nothing-twice", numbers.length === wanted && numbers.every((n, index) => n === index));

  await pause(3_500);
  check("still-there-after-pings", client.state === "connected" && codes.length === RECONNECTS);
  const disconnected = defer();
  client.once("disconnected", disconnected.resolve);
  client.disconnect();
  await within(10, "disconnect", disconnected.promise);
  check("disconnected", true);
});
