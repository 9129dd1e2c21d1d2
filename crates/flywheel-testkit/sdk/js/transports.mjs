// The published bundle of the JavaScript SDK for browsers, in headless Chromium, on a page of another origin than the server's.
//
//   node transports.mjs url=http://127.0.0.1:8001/ elsewhere=http://127.0.0.1:8002/ address=127.0.0.1:8000 key=secret
//     token=<jwt> chromium=/usr/bin/chromium profile=<folder>
//
// Pages are the same at `url`, whose origin the server allows, and `elsewhere`, whose origin it does not.

import { openPage } from "./chromium.mjs";
import { api, check, options, report } from "./common.mjs";

const NAMES = ["websocket/json", "sse/json", "http_stream/json", "websocket/protobuf", "http_stream/protobuf"];
const { address, token, elsewhere } = options;
const text = JSON.stringify;

await report(async () => {
  const page = await openPage(options.url);
  const { evaluate, until } = page;
  await until("loading the page", "typeof use === 'function' && document.readyState === 'complete'");
  for (const name of NAMES) {
    const channel = `log:browser-${name.replace("/", "-")}`;
    const used = await evaluate(`use(${[name, address, token, channel].map(text).join()})`);
    for (let n = 1; n <= 3; n += 1) await api("publish", { channel, data: n });
    const seen = `JSON.stringify(clients[${text(name)}].seen)`;
    await until(`${name}: receiving`, `${seen} === ${text(text([name, 1, 2, 3]))}`);
    check(name, used);
  }

  const isPreflight = ({ method, params }) => method === "Network.requestWillBeSent" && params.request.method === "OPTIONS";
  const asked = page.events.filter(isPreflight).map(({ params }) => new URL(params.request.url).pathname);
  check("browser-asked-before", ["/connection/http_stream", "/emulation"].every((path) => asked.includes(path)));

  const connect = encodeURIComponent(text({ token, subs: { lobby: {} } }));
  await evaluate(`listen("http://${address}/connection/uni_sse?cf_connect=${connect}")`);
  await until("listening", "listener.pushes.length === 1");
  const first = await evaluate("listener.pushes[0].connect");
  check("uni_sse connects", first.client.length > 0 && "lobby" in first.subs);
  await api("publish", { channel: "lobby", data: { x: 1 } });
  await until("a publication", "listener.pushes.length === 2");
  check("uni_sse receives", text(await evaluate("listener.pushes[1]")) === text({ channel: "lobby", pub: { data: { x: 1 } } }));
  // Told to go, the browser comes back by itself.
  await api("disconnect", { user: "sdk-user", client: first.client });
  await until("coming back", "listener.pushes.some(({ connect }, index) => index > 1 && connect)");
  const [farewell, again] = await evaluate("listener.pushes.slice(2)");
  check("uni_sse comes back", farewell.disconnect.code === 3503 && again.connect.client !== first.client);

  await page.send("Page.navigate", { url: elsewhere });
  await until("loading the other page", `location.href === ${text(elsewhere)} && typeof start === "function"`);
  for (const name of NAMES) await evaluate(`void start(${[name, address, token].map(text).join()})`);
  await evaluate(`listen("http://${address}/connection/uni_sse")`);
  await until("being refused", "listener.failures > 0 && Object.values(clients).every(({ failures }) => failures > 1)");
  check("refused-elsewhere", await evaluate(
    "listener.pushes.length === 0 && Object.values(clients).every(({ client }) => client.state === 'connecting')",
  ));
});
