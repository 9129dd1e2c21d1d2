// Headless Chromium, driven over the DevTools protocol.

import { spawn } from "node:child_process";
import WebSocket from "ws";
import { defer, options, within } from "./common.mjs";

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

/**
 * Starts the browser with a page that shows `url`: its `send` and `events` of the DevTools protocol, `evaluate` for
 * expressions, promises included, and `until` for those that must become true.
 */
export async function openPage(url) {
  const control = await within(60, "starting the browser", launch());
  const { host } = new URL(control);
  const targets = await (await fetch(`http://${host}/json/list`)).json();
  const page = await attach(targets.find(({ type }) => type === "page").webSocketDebuggerUrl);
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await page.send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
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
  await page.send("Page.navigate", { url });
  return { ...page, evaluate, until };
}
