// The published JavaScript SDK through forced reconnects, while publishing goes on.
//
//   node recovery.mjs scenario=recovered|outlived|server-side address=127.0.0.1:8000 control=127.0.0.1:9000 key=secret
//     token=<jwt> seed=1 reconnects=100 history=20 channels=a,b clients=websocket/json/delta@127.0.0.1:7000,..
//
// Each client has a TCP proxy of its own; `control` cuts connections there: GET /<number of the client>/<order>/<bytes>.

import { api, below, check, options, pause, report, within } from "./common.mjs";
import { numbered } from "./documents.mjs";
import { Watch } from "./watch.mjs";

const RECONNECTS = Number(options.reconnects);
const HISTORY = Number(options.history);
const CHANNELS = options.channels.split(",");
/** Close codes after which the SDK comes back as if nothing had happened; behind them is the one for a gap. */
const ORDINARY = [3000, 3009];
const ORDERS = ["reset", "close", "reset-in", "close-in", "told"];

// The SDK draws its delays from here, so that the seed decides these as well.
Math.random = () => below(1 << 30) / (1 << 30);

const kinds = options.clients.split(",").map((text) => {
  const [kind, address] = text.split("@");
  const [transport, encoding, ...flags] = kind.split("/");
  return { transport, encoding, delta: flags.includes("delta"), deflate: flags.includes("deflate"), address };
});

/** How many messages each channel has. */
const tops = new Map();

/** Publishes the next messages of a channel; `delta` lets subscribers have patches. */
async function publish(channel, count) {
  const first = (tops.get(channel) ?? 0) + 1;
  tops.set(channel, first + count - 1);
  const commands = Array.from({ length: count }, (_, index) => ({
    publish: { channel, data: numbered(first + index), delta: true },
  }));
  const { replies } = await api("batch", { commands });
  const offsets = replies.map((reply) => reply.publish?.offset);
  if (offsets.some((offset, index) => offset !== first + index)) throw new Error(`${channel}: ${offsets} instead of ${first}..`);
}

/** Tells the proxy of a client what to do. */
async function order(number, what, bytes = 0) {
  const response = await fetch(`http://${options.control}/${number}/${what}/${bytes}`);
  if (!response.ok) throw new Error(`${what}: ${response.status}`);
}

/** Forces reconnects at random moments and in random ways until there were enough. */
async function harass(watch, number, used) {
  while (watch.reconnects < RECONNECTS) {
    const before = watch.reconnects;
    await pause(below(30));
    const what = ORDERS[below(ORDERS.length)];
    used[what] = (used[what] ?? 0) + 1;
    if (what === "told") {
      await api("disconnect", {
        user: "sdk-user",
        client: watch.clientId,
        disconnect: { code: ORDINARY[0] + below(ORDINARY[1] - ORDINARY[0] + 1), reason: "come back" },
      });
    } else {
      await order(number, what, below(6000));
    }
    // One in four new connections is cut while it is being made, or while it catches up.
    if (below(4) === 0) await order(number, what === "close" ? "close-in" : "reset-in", below(2500));
    // The connection may have been gone when the order came; then there is another one.
    await Promise.race([watch.until("coming back", () => watch.reconnects > before), pause(1000)]);
  }
}

/** Every message reaches every client once and in order, though each loses its connection so many times. */
async function recovered(isServerSide) {
  const watches = kinds.map((kind) => new Watch(kind, CHANNELS, isServerSide));
  const has = (watch, position) => [...watch.sequences].every(([channel, { next }]) => next === position(channel) + 1);
  await Promise.all(watches.map((watch) => watch.until("subscribing", () => has(watch, () => 0))));
  check("subscribed", true);

  let isOver = false;
  const keepPublishing = async () => {
    while (!isOver) await publish(CHANNELS[below(CHANNELS.length)], 1 + below(4));
  };
  const used = {};
  const keepHarassing = async () => {
    await Promise.all(watches.map((watch, number) => harass(watch, number, used)));
    isOver = true;
  };
  await within(100, "reconnecting", Promise.all([keepPublishing(), keepHarassing()]));
  await Promise.all(CHANNELS.map((channel) => publish(channel, 1)));
  await Promise.all(watches.map((watch) => watch.until("the last message", () => has(watch, (channel) => tops.get(channel)))));
  check("enough-reconnects", watches.every((watch) => watch.reconnects >= RECONNECTS));
  check("every-message-once-and-in-order", watches.every((watch) => has(watch, (channel) => tops.get(channel))));
  check("always-recovered", watches.every((watch) => [...watch.sequences.values()].every(({ losses }) => losses.length === 0)));
  console.log(JSON.stringify({ used, messages: Object.fromEntries(tops) }));
  for (const watch of watches) {
    const catchUps = [...watch.sequences.values()].reduce((sum, sequence) => sum + sequence.catchUps, 0);
    console.log(`${watch.name}: ${watch.reconnects} reconnects, ${catchUps} times there was something to catch up on`);
  }
}

/** A client that stays away for longer than the history reaches is told so, and only then. */
async function outlived() {
  let recoveries = 0;
  let losses = 0;
  await Promise.all(kinds.map(async (kind, number) => {
    const channel = `${CHANNELS[0]}-${number}`;
    const watch = new Watch(kind, [channel]);
    const sequence = watch.sequences.get(channel);
    await watch.until("subscribing", () => sequence.next === 1);
    let expected = 0;
    for (let round = 0; round < RECONNECTS; round += 1) {
      // Some of these are cut off on their way.
      await publish(channel, 1 + below(5));
      await order(number, below(2) === 0 ? "hold-reset" : "hold-close");
      await publish(channel, 1 + below(2 * HISTORY));
      await watch.until("losing the connection", () => watch.client.state === "connecting");
      const missed = tops.get(channel) + 1 - sequence.next;
      const isLost = missed > HISTORY;
      await order(number, "release");
      await watch.until("catching up", () => sequence.next === tops.get(channel) + 1);
      if (isLost) {
        expected += 1;
        losses += 1;
        if (sequence.losses.at(-1) !== missed) throw new Error(`${watch.name}: told of ${sequence.losses.at(-1)}, not of ${missed}`);
      } else {
        recoveries += 1;
      }
      if (sequence.losses.length !== expected) throw new Error(`${watch.name}: ${missed} missed, ${sequence.losses.length - expected} more losses told`);
    }
  }));
  check("told-of-every-loss", losses > 0);
  check("recovered-otherwise", recoveries > 0);
  console.log(JSON.stringify({ recoveries, losses }));
}

await report(async () => {
  console.log(`seed ${options.seed}`);
  if (options.scenario === "outlived") await outlived();
  else await recovered(options.scenario === "server-side");
});
