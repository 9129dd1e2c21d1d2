// The published JavaScript SDK with delta compression, through reconnects.
//
//   node delta.mjs address=127.0.0.1:8000 key=secret token=<jwt> encoding=json|protobuf deflate=true|false
//
// With deflate=true the client with delta negotiates compression, and the one without does not.

import { codec, newClient, socketKind } from "./clients.mjs";
import { api, check, defer, options, report, within } from "./common.mjs";
import { numbered } from "./documents.mjs";

const PUBLICATIONS = 600;
const CHANNEL = "delta:prices";
const { decode } = codec(options.encoding);

/** What was negotiated for each connection of the two clients. */
const sockets = { deflate: [], plain: [] };

/** A client with one subscription; `seen` holds what it was given, in order. */
async function subscriber(name, parameters) {
  const websocket = socketKind(name === "deflate", (extensions) => sockets[name].push(extensions));
  const client = newClient({ encoding: options.encoding, websocket, minReconnectDelay: 10, maxReconnectDelay: 50 });
  const failed = defer();
  const subscription = client.newSubscription(CHANNEL, parameters);
  const subscribed = defer();
  const seen = [];
  const watch = { client, subscription, seen, unrecovered: 0, failure: null };
  subscription.on("publication", (publication) => seen.push(decode(publication.data)));
  subscription.on("subscribed", (context) => {
    if (context.wasRecovering && !context.recovered) watch.unrecovered += 1;
    subscribed.resolve();
  });
  for (const event of ["error", "unsubscribed"]) {
    subscription.on(event, (context) => {
      watch.failure ??= `${event}: ${JSON.stringify(context)}`;
      failed.reject(new Error(watch.failure));
    });
  }
  failed.promise.catch(() => {});
  subscription.subscribe();
  client.connect();
  await within(10, "subscribe", Promise.race([subscribed.promise, failed.promise]));
  watch.until = async (count) => {
    const arrived = defer();
    const poll = setInterval(() => seen.length >= count && arrived.resolve(), 5);
    await within(30, `publication ${count}`, Promise.race([arrived.promise, failed.promise]))
      .finally(() => clearInterval(poll));
  };
  return watch;
}

/** Loses the connection of one client; the SDK comes back by itself. */
async function lose(watch) {
  const connected = defer();
  watch.client.once("connected", connected.resolve);
  await api("disconnect", {
    user: "sdk-user",
    client: watch.client._client,
    disconnect: { code: 3000, reason: "again" },
  });
  return connected.promise;
}

await report(async () => {
  const delta = await subscriber("deflate", { delta: "fossil" });
  const plain = await subscriber("plain", {});
  const expected = [];
  const publish = async (n, more) => {
    const data = numbered(n);
    expected.push(data);
    await api("publish", { channel: CHANNEL, data, delta: true, ...more });
  };
  check("subscribed", true);

  let again;
  for (let n = 0; n < PUBLICATIONS; n += 1) {
    // Some lose the connection while publications go on, some between them, and some miss nothing.
    if (n % 50 === 25) {
      again = lose(delta);
      if (n % 100 === 25) await within(10, "connecting again", again);
    }
    await publish(n);
  }
  // What comes next is not in the stream: whoever is away would miss it.
  await within(10, "connecting for the last time", again);
  await delta.until(expected.length);
  await plain.until(expected.length);
  const same = (watch) => JSON.stringify(watch.seen) === JSON.stringify(expected);
  check("every-payload-with-delta", same(delta));
  check("every-payload-without", same(plain));
  check("recovered-each-time", delta.unrecovered === 0);
  const stats = delta.subscription.deltaStats();
  check("mostly-patches", stats.numDeltaPayloads > PUBLICATIONS * 0.8 && stats.compressionRatio > 0.5);

  // What is not in the stream is nothing to make a patch against.
  await publish(1000, { skip_history: true });
  await publish(1001);
  await publish(1002);
  // Neither is what was published without the option; and a payload may be unlike the one before.
  await publish(1003, { delta: false });
  await publish(1004);
  expected.push(7);
  await api("publish", { channel: CHANNEL, data: 7, delta: true });
  await publish(1005);
  await delta.until(expected.length);
  await plain.until(expected.length);
  check("exceptions-with-delta", same(delta));
  check("exceptions-without", same(plain));
  const agreed = options.deflate === "true" ? "permessage-deflate" : "";
  const all = (name, wanted) => sockets[name].length > 0 && sockets[name].every((extension) => extension === wanted);
  check("compression-as-agreed", all("deflate", agreed) && all("plain", ""));
  check("no-failure", delta.failure === null && plain.failure === null);
});
