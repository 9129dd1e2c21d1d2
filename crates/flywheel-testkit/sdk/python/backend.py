"""The published library for applications in Python against a running server.

    python backend.py address=127.0.0.1:8000 key=secret token=<jwt>

A client of the published SDK sees what the library's calls do.
"""

import asyncio

from cent import (
    AsyncClient,
    BatchRequest,
    BroadcastRequest,
    CentApiResponseError,
    CentUnauthorizedError,
    ChannelsRequest,
    Client as Backend,
    Disconnect,
    DisconnectRequest,
    HistoryRemoveRequest,
    HistoryRequest,
    InfoRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    StreamPosition,
    SubscribeRequest,
    UnsubscribeRequest,
)
from centrifuge import Client, ClientEventHandler
from common import check, options, report

USER = "sdk-user"


class Events(ClientEventHandler):
    """What comes through server-side subscriptions, and how the connection ends."""

    def __init__(self):
        self.connected = asyncio.Queue()
        self.subscribed = asyncio.Queue()
        self.unsubscribed = asyncio.Queue()
        self.publications = asyncio.Queue()
        self.disconnected = asyncio.Queue()

    async def on_connected(self, ctx):
        self.connected.put_nowait(ctx)

    async def on_subscribed(self, ctx):
        self.subscribed.put_nowait(ctx)

    async def on_unsubscribed(self, ctx):
        self.unsubscribed.put_nowait(ctx)

    async def on_publication(self, ctx):
        self.publications.put_nowait(ctx)

    async def on_disconnected(self, ctx):
        self.disconnected.put_nowait(ctx)


def of(queue):
    return asyncio.wait_for(queue.get(), 10)


async def run():
    url = f"http://{options['address']}/api"
    backend = AsyncClient(url, options["key"])
    events = Events()
    client = Client(
        f"ws://{options['address']}/connection/websocket", events=events, token=options["token"], proxy=None
    )
    await client.connect()
    identity = (await of(events.connected)).client

    await backend.subscribe(SubscribeRequest(user=USER, channel="sdk:a", info={"role": "reader"}))
    check("subscribe", (await of(events.subscribed)).channel == "sdk:a")

    first = await backend.publish(PublishRequest(channel="sdk:a", data={"n": 1}, tags={"kind": "test"}))
    seen = await of(events.publications)
    check("publish", first.offset == 1 and first.epoch and seen.pub.data == {"n": 1} and seen.pub.tags == {"kind": "test"})

    once = [await backend.publish(PublishRequest(channel="sdk:a", data=2, idempotency_key="k")) for _ in range(2)]
    check("idempotency", [one.offset for one in once] == [2, 2] and (await of(events.publications)).pub.data == 2)

    sent = await backend.broadcast(BroadcastRequest(channels=["sdk:a", "sdk:b"], data=3))
    check("broadcast", [answer.result.offset for answer in sent.responses] == [3, 1])
    check("broadcast-arrives", (await of(events.publications)).pub.data == 3)

    presence = (await backend.presence(PresenceRequest(channel="sdk:a"))).presence
    check("presence", list(presence) == [identity] and presence[identity].chan_info == {"role": "reader"})
    stats = await backend.presence_stats(PresenceStatsRequest(channel="sdk:a"))
    check("presence-stats", (stats.num_clients, stats.num_users) == (1, 1))

    since = StreamPosition(offset=1, epoch=first.epoch)
    history = await backend.history(HistoryRequest(channel="sdk:a", limit=10, since=since))
    check("history", history.offset == 3 and [one.data for one in history.publications] == [2, 3])
    await backend.history_remove(HistoryRemoveRequest(channel="sdk:a"))
    check("history-remove", (await backend.history(HistoryRequest(channel="sdk:a", limit=10))).publications == [])

    channels = (await backend.channels(ChannelsRequest(pattern="sdk:*"))).channels
    check("channels", {name: info.num_clients for name, info in channels.items()} == {"sdk:a": 1})
    nodes = (await backend.info(InfoRequest())).nodes
    check("info", len(nodes) == 1 and nodes[0].num_clients == 1 and nodes[0].uid)

    orders = [PublishRequest(channel="sdk:b", data=4), InfoRequest(), HistoryRequest(channel="sdk:b", limit=1, reverse=True)]
    replies = (await backend.batch(BatchRequest(requests=orders))).replies
    check("batch", replies[0].offset == 2 and len(replies[1].nodes) == 1 and replies[2].publications[0].data == 4)

    await backend.refresh(RefreshRequest(user=USER, expired=False))
    check("refresh", True)
    await backend.unsubscribe(UnsubscribeRequest(user=USER, channel="sdk:a"))
    check("unsubscribe", (await of(events.unsubscribed)).channel == "sdk:a")

    refused = 0
    try:
        await backend.publish(PublishRequest(channel="nowhere:x", data=1))
    except CentApiResponseError as error:
        refused = error.code
    check("error-code", refused == 102)

    with_threads = Backend(url, options["key"])
    check("blocking-client", len(with_threads.info(InfoRequest()).nodes) == 1)
    with_threads.close()
    try:
        await AsyncClient(url, "wrong").info(InfoRequest())
        check("wrong-key", False)
    except CentUnauthorizedError:
        check("wrong-key", True)

    ending = Disconnect(code=4501, reason="told to go")
    await backend.disconnect(DisconnectRequest(user=USER, disconnect=ending))
    gone = await of(events.disconnected)
    check("disconnect", (gone.code, gone.reason) == (4501, "told to go"))


report(run)
