// One client whose connections are cut, and the proof that each message reached it exactly once and in order.

import { isDeepStrictEqual } from "node:util";
import { codec, newClient } from "./clients.mjs";
import { defer, within } from "./common.mjs";
import { numbered } from "./documents.mjs";

/** How the server ends a subscription or a connection on which it missed something. One node with its own streams never does. */
const GAPS = [2500, 3010];

/** The messages of one channel as one client sees them. They are numbered as the server numbers them, from 1. */
class Sequence {
  /** The offset that must come next; null before the first subscription. */
  next = null;

  /** Told once that messages are lost: how many those were, for each time. */
  losses = [];

  /** How often it came back to messages it had missed, and got them. */
  catchUps = 0;

  subscribed({ wasRecovering, recovered, streamPosition, hasRecoveredPublications }) {
    if (hasRecoveredPublications) this.catchUps += 1;
    if (this.next === null) {
      this.next = streamPosition.offset + 1;
    } else if (!wasRecovering) {
      throw new Error(`subscribed anew at ${streamPosition.offset} without recovery, expected ${this.next}`);
    } else if (!recovered) {
      this.losses.push(streamPosition.offset + 1 - this.next);
      this.next = streamPosition.offset + 1;
    }
  }

  publication(offset, value) {
    if (offset !== this.next) throw new Error(`got offset ${offset}, expected ${this.next}`);
    if (!isDeepStrictEqual(value, numbered(offset))) throw new Error(`not what was sent as ${offset}: ${JSON.stringify(value)}`);
    this.next += 1;
  }
}

/** A client of one kind that goes through a cutter. */
export class Watch {
  sequences = new Map();
  clientId = "";
  connects = 0;
  #failed = defer();
  #waiting = [];

  /** `kind` names transport and encoding; `channels` are subscribed to by the token instead of the client if `isServerSide`. */
  constructor(kind, channels, isServerSide = false) {
    this.kind = kind;
    this.name = `${kind.transport} ${kind.encoding}${kind.delta ? " delta" : ""}${kind.deflate ? " deflate" : ""}`;
    const { transport, encoding, deflate, address } = kind;
    this.client = newClient({ transport, encoding, deflate, address, minReconnectDelay: 1, maxReconnectDelay: 10, timeout: 10_000 });
    this.#failed.promise.catch(() => {});
    const { decode } = codec(kind.encoding);
    const noticeGap = (context) => GAPS.includes(context.code) && this.#fail(`the server missed something: ${JSON.stringify(context)}`);
    const follow = (source, channel) => {
      source.on("publication", (publication) => this.#guard(channel ?? publication.channel, (sequence) => {
        sequence.publication(publication.offset, decode(publication.data));
      }));
      source.on("subscribed", (context) => this.#guard(context.channel, (sequence) => sequence.subscribed(context)));
      source.on("unsubscribed", (context) => this.#guard(context.channel, () => {
        throw new Error(`unsubscribed: ${JSON.stringify(context)}`);
      }));
    };
    for (const channel of channels) this.sequences.set(channel, new Sequence());
    if (isServerSide) {
      follow(this.client);
    } else {
      for (const channel of channels) {
        const subscription = this.client.newSubscription(channel, {
          ...(kind.delta ? { delta: "fossil" } : {}),
          minResubscribeDelay: 1,
          maxResubscribeDelay: 10,
        });
        follow(subscription, channel);
        subscription.on("subscribing", noticeGap);
        subscription.on("error", (context) => this.#fail(`${channel}: ${JSON.stringify(context)}`));
        subscription.subscribe();
      }
    }
    this.client.on("connected", (context) => {
      this.clientId = context.client;
      this.connects += 1;
      this.#changed();
    });
    this.client.on("connecting", (context) => {
      noticeGap(context);
      this.#changed();
    });
    this.client.on("disconnected", (context) => this.#fail(`disconnected: ${JSON.stringify(context)}`));
    this.client.connect();
  }

  /** How often it came back. */
  get reconnects() {
    return this.connects - 1;
  }

  /** Waits until something holds, which can change with each event of this client. */
  async until(what, condition, seconds = 30) {
    const arrived = defer();
    const waiting = () => condition() && arrived.resolve();
    this.#waiting.push(waiting);
    waiting();
    await within(seconds, `${this.name}: ${what}`, Promise.race([arrived.promise, this.#failed.promise]))
      .finally(() => this.#waiting.splice(this.#waiting.indexOf(waiting), 1));
  }

  #fail(why) {
    this.#failed.reject(new Error(`${this.name}, after ${this.reconnects} reconnects: ${why}`));
  }

  #guard(channel, run) {
    try {
      run(this.sequences.get(channel));
    } catch (error) {
      this.#fail(`${channel}: ${error.message}`);
    }
    this.#changed();
  }

  #changed() {
    for (const waiting of this.#waiting) waiting();
  }
}
