// The published JavaScript SDK against a running server.
//
//   node sdk.mjs address=127.0.0.1:8000 key=secret token=<jwt> restart=<file>
//     transport=websocket|http_stream|sse encoding=json|protobuf ping=<seconds between pings>
//
// When the file `restart` appears, the server is about to go away; the script makes it when it is ready for that.

import { writeFile } from "node:fs/promises";
import { codec, newClient } from "./clients.mjs";
import { api, check, defer, options, pause, report, within } from "./common.mjs";

const PUBLICATIONS = 10_000;
const BATCH = 500;
const { transport, encoding } = options;
/** Milliseconds after which a client that does not answer pings, or that gets none, would have been gone. */
const SEVERAL_PINGS = 3_500 * Number(options.ping);
const { encode, decode } = codec(encoding);

await report(async () => {
  const client = newClient({ transport, encoding, minReconnectDelay: 50, maxReconnectDelay: 500, maxServerPingDelay: 1_000 });

  const connected = defer();
  client.on("connected", (context) => connected.resolve(context));
  client.connect();
  const context = await within(10, "connect", connected.promise);
  const since = performance.now();
  check("connected", context.client.length > 0 && context.transport === transport);

  const channel = `sdk:js-${transport}-${encoding}`;
  const numbers = [];
  const all = defer();
  const own = defer();
  const later = defer();
  const subscription = client.newSubscription(channel);
  subscription.on("publication", (publication) => {
    const value = decode(publication.data);
    if (typeof value.n === "number") {
      numbers.push(value.n);
      if (numbers.length === PUBLICATIONS) all.resolve();
    } else if (value.own) {
      own.resolve(publication);
    } else if (value.later) {
      later.resolve(publication);
    }
  });
  const subscribed = defer();
  subscription.once("subscribed", subscribed.resolve);
  subscription.subscribe();
  const position = await within(10, "subscribe", subscribed.promise);
  check("subscribed", position.channel === channel && position.recoverable);

  for (let first = 0; first < PUBLICATIONS; first += BATCH) {
    const commands = [];
    for (let n = first; n < first + BATCH; n += 1) commands.push({ publish: { channel, data: { n } } });
    await api("batch", { commands });
  }
  await within(60, "receiving the publications", all.promise);
  check("publications-in-order", numbers.every((n, index) => n === index));

  const presence = await subscription.presence();
  check("presence", presence.clients[context.client]?.user === "sdk-user" && Object.keys(presence.clients).length === 1);
  const stats = await subscription.presenceStats();
  check("presence-stats", stats.numClients === 1 && stats.numUsers === 1);

  const history = await subscription.history({ limit: 5, reverse: true });
  check(
    "history",
    history.offset === PUBLICATIONS
      && history.publications.map((publication) => decode(publication.data).n).join()
        === [1, 2, 3, 4, 5].map((back) => PUBLICATIONS - back).join(),
  );

  await subscription.publish(encode({ own: true }));
  const mine = await within(10, "the own publication", own.promise);
  check("published", mine.info?.client === context.client && mine.offset === PUBLICATIONS + 1);

  let refused = 0;
  await client.publish("nowhere:x", encode({})).catch((error) => { refused = error.code; });
  check("error-code", refused === 102);

  const losses = [];
  client.on("connecting", ({ code, reason }) => losses.push({ code, reason }));
  await pause(since + SEVERAL_PINGS - performance.now());
  check("still-there-after-pings", client.state === "connected" && losses.length === 0);

  // Sent away with a reason, it comes back to what it missed.
  const recovered = defer();
  subscription.once("subscribed", recovered.resolve);
  const disconnect = { code: 3011, reason: "force reconnect" };
  await api("disconnect", { user: "sdk-user", client: context.client, disconnect });
  const back = await within(20, "coming back", recovered.promise);
  check("told-why", losses.length === 1 && losses[0].code === disconnect.code && losses[0].reason === disconnect.reason);
  check("recovered", back.wasRecovering && back.recovered);

  // The server goes away and comes back; the SDK must find it and subscribe again by itself.
  const lost = defer();
  client.once("connecting", lost.resolve);
  const again = defer();
  client.once("connected", again.resolve);
  const resubscribed = defer();
  subscription.once("subscribed", resubscribed.resolve);
  await writeFile(options.restart, "");
  const reason = await within(30, "losing the connection", lost.promise);
  check("told-of-the-shutdown", reason.code === 3001);
  const renewed = await within(60, "connecting again", again.promise);
  check("reconnected", renewed.client.length > 0 && renewed.client !== context.client);
  const after = await within(20, "subscribing again", resubscribed.promise);
  check("resubscribed", after.wasRecovering && !after.recovered);
  await api("publish", { channel, data: { later: true } });
  await within(10, "a publication after the restart", later.promise);
  check("receives-after-restart", true);

  const unsubscribed = defer();
  subscription.once("unsubscribed", unsubscribed.resolve);
  subscription.unsubscribe();
  await within(10, "unsubscribe", unsubscribed.promise);
  // The unsubscribe command is on its way; over streams it may be overtaken by others, which are requests of their own.
  const hasLeft = async () => {
    while ((await client.presenceStats(channel)).numClients > 0) await pause(5);
  };
  await within(10, "leaving the channel", hasLeft());
  check("unsubscribed", true);

  const disconnected = defer();
  client.once("disconnected", disconnected.resolve);
  client.disconnect();
  await within(10, "disconnect", disconnected.promise);
  check("disconnected", true);
});
