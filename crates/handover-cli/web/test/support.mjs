// The page in a real browser: the binary serves it, or it is opened as files. Every page is watched: a request to elsewhere, an
// error in the console, or something refused by the policy fails the test that saw it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
const binary = process.env.HANDOVER_BIN ?? `${root}target/debug/handover`;
const browserPath = process.env.HANDOVER_BROWSER ?? "/usr/bin/chromium-headless-shell";

/** Where pictures go, to be looked at. */
export const pictures = `${root}target/page`;

let browser;
let server;

/** Starts the server and the browser once for all tests of a file, and returns the page's address. */
export async function begin() {
  mkdirSync(pictures, { recursive: true });
  // As root Chromium runs only without its sandbox; it opens nothing here but this page.
  browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
  server = spawn(binary, ["learn", "--web", "--quiet"], { stdio: ["ignore", "pipe", "inherit"] });
  return firstLine(server);
}

export async function end() {
  await browser?.close();
  server?.kill("SIGINT");
}

async function firstLine(child) {
  let text = "";
  for await (const part of child.stdout) {
    text += part;
    if (text.includes("\n")) return text.trim();
  }
  throw new Error(`${binary} ended without an address: build it with cargo build`);
}

/** Opens the page in a window of its own, and runs the test on it. `mayFail` for one that takes something away from the page. */
export async function visit(url, test, { mayFail = false, ...context } = {}) {
  const window = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...context });
  const page = await window.newPage();
  const wrong = [];
  const own = new URL(url);
  page.on("request", (request) => {
    const to = new URL(request.url());
    const inside = own.protocol === "file:" ? to.protocol === "file:" : to.origin === own.origin;
    if (!inside) wrong.push(`asks for ${request.url()}`);
  });
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("requestfailed", (request) => wrong.push(`could not load ${request.url()}`));
  try {
    await page.goto(url);
    await page.locator("#task-title:not(:empty)").waitFor();
    await test(page, window);
    if (!mayFail) assert.deepEqual(wrong, [], "the page asks for nothing from elsewhere and has no errors");
  } finally {
    await window.close();
  }
}

/** The buttons of a thread, by its name. */
export const thread = (page, name) => page.locator("#threads li").filter({ has: page.locator(`.name:text-is("${name}")`) })
  .getByRole("button");

/** Lets these threads take their steps, by clicks. Those that cannot are clicked all the same: they say why. */
export async function click(page, names) {
  for (const name of names) await thread(page, name).first().click({ force: true });
}

/** Takes steps by their places among those that can be taken. */
export async function choose(page, choices) {
  for (const index of choices) await page.locator(`#threads button[data-choice="${index}"]`).click();
}

export const said = (page) => page.locator("#said").innerText();

export const link = (page) => page.locator("#link").inputValue();

/** Whether the page can be scrolled to the side. */
export const isTooWide = (page) => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

/** What is drawn of where somebody is, in short words: columns are counted from 0, the start. */
export const drawn = (page) => page.evaluate(() => {
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const line = (item) => all("#lines li").indexOf(item) + 1;
  const now = document.querySelector("#lanes .steps > .now");
  const column = Number(now.getAttribute("width"));
  const columns = (rect, name) => Number(rect.getAttribute(name)) / column;
  const bar = (rect) => {
    const whose = rect.querySelector("title")?.textContent ?? "in hand";
    return `${whose} (${rect.getAttribute("class")}) ${columns(rect, "x")}+${columns(rect, "width")}`;
  };
  return {
    chips: all("#lines .chip").map((chip) => `${line(chip.closest("li"))} ${chip.title.split(":")[0]} ${chip.className.slice(5)}`),
    did: all("#lines .did").map(line),
    shared: all("#objects dd").map((one) => one.innerText.trim()),
    bars: all("#lanes .steps > rect:not(.now)").map(bar),
    arrows: all("#lanes .arrow").length,
    rings: all("#lanes .ring").length,
    now: columns(now, "x"),
    current: all("#steps [aria-current]").map((button) => button.dataset.step).join(),
  };
});

/** Saves the page and all that it refers to into a folder. */
export async function save(home, folder) {
  const get = async (name) => (await fetch(new URL(name, home))).text();
  const index = await get("index.html");
  const list = await get("data/lessons.js");
  const names = [...index.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name);
  const lessons = [...list.matchAll(/"file":"([^"]+)"/g)].map(([, name]) => `data/${name}`);
  for (const name of ["index.html", ...names, ...lessons]) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, await get(name));
  }
}
