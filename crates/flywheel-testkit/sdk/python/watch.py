"""One client whose connections are cut, and the proof that each message reached it exactly once and in order."""

import asyncio

from centrifuge import Client, ClientEventHandler, ClientState, DeltaType, SubscriptionEventHandler
from common import decode, options

# How the server ends a subscription or a connection on which it missed something. One node with its own streams never does.
GAPS = [2500, 3010]
LETTERS = ["a", "é", "ё", "€", "語", "🙂"]


def numbered(n):
    """Documents that are alike, with characters of one to four bytes that change at every place."""
    rows = [
        {"name": f"row {row}: {LETTERS[(row + n // 7) % len(LETTERS)] * 5}", "value": n if row == n % 12 else row}
        for row in range(12)
    ]
    return {"n": n, "note": LETTERS[n % len(LETTERS)], "rows": rows}


class Sequence:
    """The messages of one channel as one client sees them. They are numbered as the server numbers them, from 1."""

    def __init__(self):
        # The offset that must come next; None before the first subscription.
        self.next = None
        # Told once that messages are lost: how many those were, for each time.
        self.losses = []

    def subscribed(self, ctx):
        offset = ctx.stream_position.offset
        if self.next is None:
            self.next = offset + 1
        elif not ctx.was_recovering:
            raise AssertionError(f"subscribed anew at {offset} without recovery, expected {self.next}")
        elif not ctx.recovered:
            self.losses.append(offset + 1 - self.next)
            self.next = offset + 1

    def publication(self, offset, value):
        if offset != self.next:
            raise AssertionError(f"got offset {offset}, expected {self.next}")
        if value != numbered(offset):
            raise AssertionError(f"not what was sent as {offset}: {value}")
        self.next += 1


class Watch(ClientEventHandler):
    """A client of one kind that goes through a cutter.

    `channels` are subscribed to by the token instead of the client if `is_server_side`.
    """

    def __init__(self, kind, channels, is_server_side=False):
        self.name = f"websocket {kind['encoding']}" + (" delta" if kind["delta"] else "")
        self.kind = kind
        self.sequences = {channel: Sequence() for channel in channels}
        self.is_server_side = is_server_side
        self.client_id = ""
        self.connects = 0
        self.failure = None
        self.change = asyncio.Event()
        self.client = Client(
            f"ws://{kind['address']}/connection/websocket",
            events=self,
            token=options["token"],
            use_protobuf=kind["encoding"] == "protobuf",
            min_reconnect_delay=0.001,
            max_reconnect_delay=0.01,
            proxy=None,
        )

    async def connect(self):
        if not self.is_server_side:
            for channel in self.sequences:
                subscription = self.client.new_subscription(
                    channel,
                    events=ChannelEvents(self, channel),
                    min_resubscribe_delay=0.001,
                    max_resubscribe_delay=0.01,
                    delta=DeltaType.FOSSIL if self.kind["delta"] else None,
                )
                await subscription.subscribe()
        await self.client.connect()

    @property
    def reconnects(self):
        """How often it came back."""
        return self.connects - 1

    @property
    def is_connecting(self):
        return self.client.state == ClientState.CONNECTING

    def has(self, position):
        """Whether it has everything up to the offset that `position` gives for each channel."""
        return all(sequence.next == position(channel) + 1 for channel, sequence in self.sequences.items())

    async def until(self, what, condition, seconds=30):
        """Waits until something holds, which can change with each event of this client."""

        async def wait():
            while not condition():
                if self.failure:
                    raise AssertionError(self.failure)
                self.change.clear()
                await self.change.wait()

        try:
            await asyncio.wait_for(wait(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.name}: {what} took more than {seconds} s") from None

    def changed(self):
        self.change.set()

    def fail(self, why):
        self.failure = self.failure or f"{self.name}, after {self.reconnects} reconnects: {why}"
        self.changed()

    def guard(self, channel, run):
        try:
            run(self.sequences[channel])
        except AssertionError as error:
            self.fail(f"{channel}: {error}")
        self.changed()

    def publication(self, channel, pub):
        value = decode(pub.data, self.kind["encoding"])
        self.guard(channel, lambda sequence: sequence.publication(pub.offset, value))

    def notice_gap(self, ctx):
        if ctx.code in GAPS:
            self.fail(f"the server missed something: {ctx}")

    async def on_connecting(self, ctx):
        self.notice_gap(ctx)
        self.changed()

    async def on_connected(self, ctx):
        self.client_id = ctx.client
        self.connects += 1
        self.changed()

    async def on_disconnected(self, ctx):
        self.fail(f"disconnected: {ctx}")

    async def on_subscribed(self, ctx):
        self.guard(ctx.channel, lambda sequence: sequence.subscribed(ctx))

    async def on_unsubscribed(self, ctx):
        self.fail(f"unsubscribed: {ctx}")

    async def on_publication(self, ctx):
        self.publication(ctx.channel, ctx.pub)


class ChannelEvents(SubscriptionEventHandler):
    """Hands the events of one subscription to the watch."""

    def __init__(self, watch, channel):
        self.watch = watch
        self.channel = channel

    async def on_subscribed(self, ctx):
        self.watch.guard(self.channel, lambda sequence: sequence.subscribed(ctx))

    async def on_subscribing(self, ctx):
        self.watch.notice_gap(ctx)

    async def on_unsubscribed(self, ctx):
        self.watch.fail(f"{self.channel}: unsubscribed: {ctx}")

    async def on_error(self, ctx):
        self.watch.fail(f"{self.channel}: {ctx}")

    async def on_publication(self, ctx):
        self.watch.publication(self.channel, ctx.pub)
