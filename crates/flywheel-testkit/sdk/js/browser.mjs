// Opens the built-in page in headless Chromium and uses it as a visitor would.
//
//   node browser.mjs url=http://127.0.0.1:8000/ chromium=/usr/bin/chromium screenshot=<file> profile=<folder>

import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import WebSocket from "ws";
import { check, defer, options, report, within } from "./common.mjs";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--window-size=900,900", "--remote-debugging-port=0",
];
const POLL_MS = 50;
const POLLS = 400;

/** Starts the browser; resolves with the address of its control socket. */
function launch() {
  const browser = spawn(options.chromium, [...FLAGS, `--user-data-dir=${options.profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  process.on("exit", () => browser.kill("SIGKILL"));
  const ready = defer();
  let said = "";
  browser.stderr.on("data", (chunk) => {
    said += chunk;
    const address = /DevTools listening on (ws:\S+)/.exec(said);
    if (address) ready.resolve(address[1]);
  });
  browser.on("exit", (code) => ready.reject(new Error(`the browser ended with ${code}: ${said}`)));
  return ready.promise;
}

/** One target of the DevTools protocol. */
async function attach(url) {
  const socket = new WebSocket(url);
  const waiting = new Map();
  const events = [];
  let id = 0;
  socket.on("message", (text) => {
    const message = JSON.parse(text);
    if (message.id === undefined) {
      events.push(message);
      return;
    }
    const { resolve, reject } = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) reject(new Error(message.error.message));
    else resolve(message.result);
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const send = (method, params = {}) => {
    id += 1;
    const answer = defer();
    waiting.set(id, answer);
    socket.send(JSON.stringify({ id, method, params }));
    return within(20, method, answer.promise);
  };
  return { send, events };
}

await report(async () => {
  const control = await within(60, "starting the browser", launch());
  const { host } = new URL(control);
  const targets = await (await fetch(`http://${host}/json/list`)).json();
  const page = await attach(targets.find(({ type }) => type === "page").webSocketDebuggerUrl);
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await page.send("Runtime.evaluate", { expression, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  const until = async (what, expression) => {
    for (let poll = 0; poll < POLLS; poll += 1) {
      if (await evaluate(expression).catch(() => false)) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`${what} did not happen; the page says: ${await evaluate("document.body.innerText")}`);
  };
  await page.send("Runtime.enable");
  await page.send("Page.enable");
  await page.send("Network.enable");
  await page.send("Page.navigate", { url: options.url });

  const status = "document.querySelector('#status')?.textContent";
  await until("connecting", `${status} === "connected"`);
  check("connected", true);

  const text = "Hello <b>from</b> a browser & \"friends\"";
  await evaluate("document.querySelector('#box').focus()");
  await page.send("Input.insertText", { text });
  await evaluate("document.querySelector('#publish').click()");
  const arrived = "[...document.querySelectorAll('#messages li')].filter((item) => item.querySelector('.text').textContent === "
    + `${JSON.stringify(text)})`;
  await until("the message arriving", `${arrived}.length === 1`);
  check("message-arrived", true);
  check("text-is-not-markup", await evaluate("document.querySelector('#messages b') === null"));
  check("latency-shown", /^\d+ ms$/.test(await evaluate(`${arrived}[0].querySelector('.latency').textContent`)));
  check("box-emptied", await evaluate("document.querySelector('#box').value === ''"));
  await until("counting the clients", "document.querySelector('#clients').textContent === '1 client'");
  check("clients-counted", true);
  check("curl-line", await evaluate("document.querySelector('#curl').textContent.includes('$FLYWHEEL_API_KEY')"));

  // The connection is cut; the page must come back, and still show the message once.
  await evaluate("socket.close()");
  await until("connecting again", `${status} !== "connected"`);
  await until("connecting again", `${status} === "connected"`);
  check("reconnected", await evaluate(`${arrived}.length === 1`));

  await page.send("Page.reload");
  await until("the history being shown", `${status} === "connected" && ${arrived}.length === 1`);
  check("history-after-reload", true);

  await evaluate("document.querySelector('#box').focus()");
  await page.send("Input.insertText", { text: "This one was published after the page was loaded again." });
  await evaluate("document.querySelector('#publish').click()");
  await until("the last message arriving", "document.querySelectorAll('#messages li.fresh .latency').length === 1");
  check("publishes-after-reload", true);

  const { data } = await page.send("Page.captureScreenshot", { format: "png" });
  await writeFile(options.screenshot, Buffer.from(data, "base64"));
  const complaints = page.events.filter(({ method }) => method === "Runtime.exceptionThrown");
  check("no-script-errors", complaints.length === 0);
  const foreign = page.events.filter(({ method, params }) => method === "Network.requestWillBeSent"
    && !params.request.url.startsWith(options.url) && !params.request.url.startsWith("data:"));
  check("no-foreign-requests", foreign.length === 0);
});
