// Opens the built-in page in headless Chromium and uses it as a visitor would.
//
//   node browser.mjs url=http://127.0.0.1:8000/ chromium=/usr/bin/chromium screenshot=<file> profile=<folder>

import { writeFile } from "node:fs/promises";
import { openPage } from "./chromium.mjs";
import { check, options, report } from "./common.mjs";

await report(async () => {
  const page = await openPage(options.url);
  const { evaluate, until } = page;

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
