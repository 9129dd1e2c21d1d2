"""The published Python SDK through forced reconnects, while publishing goes on.

    python recovery.py scenario=recovered|outlived|server-side address=127.0.0.1:8000 control=127.0.0.1:9000 key=secret
      token=<jwt> seed=1 reconnects=100 history=20 channels=a,b clients=websocket/json/delta@127.0.0.1:7000,..

Each client has a TCP proxy of its own; `control` cuts connections there: GET /<number of the client>/<order>/<bytes>.
"""

import asyncio
import collections
import json
import random

from common import api, check, get, options, report
from watch import Watch, numbered

RECONNECTS = int(options["reconnects"])
HISTORY = int(options["history"])
CHANNELS = options["channels"].split(",")
# Close codes after which the SDK comes back as if nothing had happened; behind them is the one for a gap.
ORDINARY = [3000, 3009]
ORDERS = ["reset", "close", "reset-in", "close-in", "told"]

# How many messages each channel has.
tops = collections.Counter()


def kinds():
    for text in options["clients"].split(","):
        kind, address = text.split("@")
        _, encoding, *flags = kind.split("/")
        yield {"encoding": encoding, "delta": "delta" in flags, "address": address}


async def publish(channel, count):
    """Publishes the next messages of a channel; `delta` lets subscribers have patches."""
    numbers = range(tops[channel] + 1, tops[channel] + 1 + count)
    tops[channel] += count
    commands = [{"publish": {"channel": channel, "data": numbered(n), "delta": True}} for n in numbers]
    answer = await api("batch", {"commands": commands})
    offsets = [reply.get("publish", {}).get("offset") for reply in answer["replies"]]
    if offsets != list(numbers):
        raise AssertionError(f"{channel}: {offsets} instead of {numbers}")


async def order(number, what, size=0):
    """Tells the proxy of a client what to do."""
    await get(f"http://{options['control']}/{number}/{what}/{size}")


async def harass(watch, number, used):
    """Forces reconnects at random moments and in random ways until there were enough."""
    while watch.reconnects < RECONNECTS:
        before = watch.reconnects
        await asyncio.sleep(random.uniform(0, 0.03))
        what = random.choice(ORDERS)
        used[what] += 1
        if what == "told":
            disconnect = {"code": random.randint(*ORDINARY), "reason": "come back"}
            await api("disconnect", {"user": "sdk-user", "client": watch.client_id, "disconnect": disconnect})
        else:
            await order(number, what, random.randrange(6000))
        # One in four new connections is cut while it is being made, or while it catches up.
        if random.randrange(4) == 0:
            await order(number, "close-in" if what == "close" else "reset-in", random.randrange(2500))
        # The connection may have been gone when the order came; then there is another one.
        try:
            await asyncio.wait_for(watch.until("coming back", lambda: watch.reconnects > before), 1)
        except asyncio.TimeoutError:
            pass


async def recovered(is_server_side):
    """Every message reaches every client once and in order, though each loses its connection so many times."""
    watches = [Watch(kind, CHANNELS, is_server_side) for kind in kinds()]
    for watch in watches:
        await watch.connect()
        await watch.until("subscribing", lambda: watch.has(lambda _: 0))
    check("subscribed", True)

    over = asyncio.Event()
    used = collections.Counter()

    async def keep_publishing():
        while not over.is_set():
            await publish(random.choice(CHANNELS), random.randint(1, 4))

    async def keep_harassing():
        await asyncio.gather(*(harass(watch, number, used) for number, watch in enumerate(watches)))
        over.set()

    await asyncio.wait_for(asyncio.gather(keep_publishing(), keep_harassing()), 100)
    for channel in CHANNELS:
        await publish(channel, 1)
    for watch in watches:
        await watch.until("the last message", lambda: watch.has(tops.__getitem__))
    check("enough-reconnects", all(watch.reconnects >= RECONNECTS for watch in watches))
    check("every-message-once-and-in-order", all(watch.has(tops.__getitem__) and not watch.failure for watch in watches))
    losses = [sequence.losses for watch in watches for sequence in watch.sequences.values()]
    check("always-recovered", not any(losses))
    print(json.dumps({"used": used, "messages": tops}))
    for watch in watches:
        print(f"{watch.name}: {watch.reconnects} reconnects")
        await watch.client.disconnect()


async def outlive(kind, number, counts):
    """A client that stays away for longer than the history reaches is told so, and only then."""
    channel = f"{CHANNELS[0]}-{number}"
    watch = Watch(kind, [channel])
    await watch.connect()
    sequence = watch.sequences[channel]
    await watch.until("subscribing", lambda: sequence.next == 1)
    expected = []
    for _ in range(RECONNECTS):
        # Some of these are cut off on their way.
        await publish(channel, random.randint(1, 5))
        await order(number, random.choice(["hold-reset", "hold-close"]))
        await publish(channel, random.randint(1, 2 * HISTORY))
        await watch.until("losing the connection", lambda: watch.is_connecting)
        missed = tops[channel] + 1 - sequence.next
        if missed > HISTORY:
            expected.append(missed)
        counts["losses" if missed > HISTORY else "recoveries"] += 1
        await order(number, "release")
        await watch.until("catching up", lambda: sequence.next == tops[channel] + 1)
        if sequence.losses != expected:
            raise AssertionError(f"{watch.name}: told of {sequence.losses}, expected {expected}")
    await watch.client.disconnect()


async def outlived():
    counts = collections.Counter()
    await asyncio.gather(*(outlive(kind, number, counts) for number, kind in enumerate(kinds())))
    check("told-of-every-loss", counts["losses"] > 0)
    check("recovered-otherwise", counts["recoveries"] > 0)
    print(json.dumps(counts))


async def run():
    print("seed", options["seed"])
    random.seed(int(options["seed"]))
    if options["scenario"] == "outlived":
        await outlived()
    else:
        await recovered(options["scenario"] == "server-side")


report(run)
