"""The published Python SDK against a running server.

    python sdk.py address=127.0.0.1:8000 key=secret token=<jwt> encoding=json|protobuf ping=2 restart=<file>

`ping` is the number of seconds between pings. The script makes the file `restart` when the server may go away and come back.
"""

import asyncio
import pathlib
import time

import common
from centrifuge import Client, ClientEventHandler, ReplyError, SubscriptionEventHandler
from common import api, check, options, report

PUBLICATIONS = 10_000
BATCH = 500
# Seconds after which a client that does not answer pings, or that gets none, would have been gone.
SEVERAL_PINGS = 3.5 * float(options["ping"])

encoding = options["encoding"]


def encode(value):
    return common.encode(value, encoding)


def decode(data):
    return common.decode(data, encoding)


class ConnectionEvents(ClientEventHandler):
    """Hands events to whoever waits for them."""

    def __init__(self):
        self.connected = asyncio.Queue()
        self.connecting = asyncio.Queue()
        self.disconnected = asyncio.Queue()

    async def on_connected(self, ctx):
        self.connected.put_nowait(ctx)

    async def on_connecting(self, ctx):
        self.connecting.put_nowait(ctx)

    async def on_disconnected(self, ctx):
        self.disconnected.put_nowait(ctx)


class ChannelEvents(SubscriptionEventHandler):
    """Collects publications and hands the other events on."""

    def __init__(self):
        self.numbers = []
        self.all = asyncio.Event()
        self.others = asyncio.Queue()
        self.subscribed = asyncio.Queue()
        self.unsubscribed = asyncio.Queue()

    async def on_subscribed(self, ctx):
        self.subscribed.put_nowait(ctx)

    async def on_unsubscribed(self, ctx):
        self.unsubscribed.put_nowait(ctx)

    async def on_publication(self, ctx):
        value = decode(ctx.pub.data)
        if "n" in value:
            self.numbers.append(value["n"])
            if len(self.numbers) == PUBLICATIONS:
                self.all.set()
        else:
            self.others.put_nowait(ctx.pub)


async def run():
    connection = ConnectionEvents()
    client = Client(
        f"ws://{options['address']}/connection/websocket",
        events=connection,
        token=options["token"],
        use_protobuf=encoding == "protobuf",
        min_reconnect_delay=0.05,
        max_reconnect_delay=0.5,
        max_server_ping_delay=1.0,
        proxy=None,
    )
    await client.connect()
    first = await asyncio.wait_for(connection.connected.get(), 10)
    since = time.monotonic()
    check("connected", first.client)

    channel = f"sdk:python-{encoding}"
    events = ChannelEvents()
    subscription = client.new_subscription(channel, events=events)
    await subscription.subscribe()
    position = await asyncio.wait_for(events.subscribed.get(), 10)
    check("subscribed", position.channel == channel and position.recoverable)

    for start in range(0, PUBLICATIONS, BATCH):
        commands = [{"publish": {"channel": channel, "data": {"n": n}}} for n in range(start, start + BATCH)]
        await api("batch", {"commands": commands})
    await asyncio.wait_for(events.all.wait(), 60)
    check("publications-in-order", events.numbers == list(range(PUBLICATIONS)))

    presence = await subscription.presence()
    check("presence", list(presence.clients) == [first.client] and presence.clients[first.client].user == "sdk-user")
    stats = await subscription.presence_stats()
    check("presence-stats", stats.num_clients == 1 and stats.num_users == 1)

    history = await subscription.history(limit=5, reverse=True)
    newest = [decode(publication.data)["n"] for publication in history.publications]
    check("history", history.offset == PUBLICATIONS and newest == [PUBLICATIONS - back for back in range(1, 6)])

    await subscription.publish(encode({"own": True}))
    mine = await asyncio.wait_for(events.others.get(), 10)
    check("published", mine.info.client == first.client and mine.offset == PUBLICATIONS + 1)

    refused = 0
    try:
        await client.publish("nowhere:x", encode({}))
    except ReplyError as error:
        refused = error.code
    check("error-code", refused == 102)

    while not connection.connecting.empty():
        connection.connecting.get_nowait()
    await asyncio.sleep(since + SEVERAL_PINGS - time.monotonic())
    check("still-there-after-pings", connection.connecting.empty() and connection.connected.empty())

    # Sent away with a reason, it comes back to what it missed.
    disconnect = {"code": 3011, "reason": "force reconnect"}
    await api("disconnect", {"user": "sdk-user", "client": first.client, "disconnect": disconnect})
    lost = await asyncio.wait_for(connection.connecting.get(), 20)
    check("told-why", lost.code == disconnect["code"] and lost.reason == disconnect["reason"])
    await asyncio.wait_for(connection.connected.get(), 20)
    back = await asyncio.wait_for(events.subscribed.get(), 20)
    check("recovered", back.was_recovering and back.recovered)

    pathlib.Path(options["restart"]).touch()
    lost = await asyncio.wait_for(connection.connecting.get(), 30)
    check("told-of-the-shutdown", lost.code == 3001)
    renewed = await asyncio.wait_for(connection.connected.get(), 60)
    check("reconnected", renewed.client and renewed.client != first.client)
    after = await asyncio.wait_for(events.subscribed.get(), 20)
    check("resubscribed", after.was_recovering and not after.recovered)
    await api("publish", {"channel": channel, "data": {"later": True}})
    later = await asyncio.wait_for(events.others.get(), 10)
    check("receives-after-restart", decode(later.data) == {"later": True})

    await subscription.unsubscribe()
    await asyncio.wait_for(events.unsubscribed.get(), 10)
    left = await client.presence_stats(channel)
    check("unsubscribed", left.num_clients == 0)

    await client.disconnect()
    await asyncio.wait_for(connection.disconnected.get(), 10)
    check("disconnected", True)


report(run)
