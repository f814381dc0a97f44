// The page as a student uses it: by clicks, by keys alone, by links, on a phone, in the dark, and as files.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { begin, choose, click, drawn, end, isTooWide, link, pictures, said, save, thread, visit } from "./support.mjs";

/** The shortest schedule of lesson 02: both read before either writes, and main looks. */
const BREAKS = ["a", "b", "a", "b", "main"];

let home;

before(async () => {
  home = await begin();
});

after(end);

test("lesson 02 is broken by clicks in as few steps as it can be", async () => {
  await visit(`${home}#02`, async (page) => {
    assert.match(await page.locator("#challenge").innerText(), /^Make the counter end at 1\. It can be done in 5 steps\.$/);
    await click(page, BREAKS);
    assert.match(await said(page), /main panics.*an update is lost.*Challenge met in 5 steps; it cannot be done in fewer/s);
    await page.screenshot({ path: join(pictures, "desktop.png"), fullPage: true });
  });
});

test("a longer way that breaks it is told from the shortest", async () => {
  await visit(`${home}#06/woken_is_not_first`, async (page) => {
    assert.match(await page.locator("#challenge").innerText(), /^This program breaks under some schedules\. Find one\. It can/);
    const shortest = await page.evaluate(async () => {
      const { lessons, load } = window.handover;
      const lesson = await load(lessons.find(({ number }) => number === 6));
      return lesson.programs.find(({ name }) => name === "woken_is_not_first").shortest();
    });
    await choose(page, shortest);
    assert.match(await said(page), new RegExp(`Broken in ${shortest.length} steps; it cannot be done in fewer`));
    await page.keyboard.press("0");
    const longer = [2, 0, 0, 0, 0, 0, 0, 0, 1];
    await choose(page, longer);
    assert.match(await said(page), new RegExp(`Broken in ${longer.length} steps; it can be done in ${shortest.length}\\.`));
  });
});

test("lesson 02 is broken by the keyboard alone", async () => {
  await visit(home, async (page) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "lesson");
    await page.keyboard.press("ArrowDown");
    await page.locator("#task-title", { hasText: "02 race" }).waitFor();
    const button = thread(page, "a").first();
    for (let times = 0; times < 12 && !(await button.evaluate((one) => one === document.activeElement)); times += 1) {
      await page.keyboard.press("Tab");
    }
    const outline = await button.evaluate((one) => getComputedStyle(one).outlineStyle);
    assert.equal(outline, "solid", "the focus is seen");
    await page.keyboard.press("Enter");
    assert.match(await said(page), /Step 1: a reads counter: 0/);
    assert.ok(await button.evaluate((one) => one === document.activeElement), "the focus stays where it was");
    for (const key of ["3", "2", "3", "1"]) await page.keyboard.press(key);
    assert.match(await said(page), /Challenge met in 5 steps/);
    await page.keyboard.press("0");
    assert.match(await said(page), /Nobody has taken a step/);
    await page.getByRole("checkbox").uncheck();
    await page.keyboard.press("2");
    assert.match(await said(page), /Nobody has taken a step/, "the keys can be switched off");
  });
});

test("each step moves the source, the shared things, the lanes and the list together, and a step back moves them back", async () => {
  const start = {
    chips: ["7 a running", "7 b running", "12 main waiting"],
    did: [],
    shared: ["0"],
    bars: ["main: waiting (waiting) 0+1", "a: able to run (running) 0+1", "b: able to run (running) 0+1"],
    arrows: 0,
    rings: 0,
    now: 0,
    current: "",
  };
  const races = [
    [null, {}],
    ["a", {
      chips: ["7 b running", "8 a running", "12 main waiting"],
      did: [7],
      bars: ["main: waiting (waiting) 0+2", "a: able to run (running) 0+2", "b: able to run (running) 0+2"],
    }],
    ["b", {
      chips: ["8 a running", "8 b running", "12 main waiting"],
      bars: ["main: waiting (waiting) 0+3", "a: able to run (running) 0+3", "b: able to run (running) 0+3"],
    }],
    ["a", {
      chips: ["8 b running", "12 main waiting"],
      did: [8],
      shared: ["1 ← changed"],
      bars: ["main: waiting (waiting) 0+4", "a: able to run (running) 0+3", "b: able to run (running) 0+4"],
    }],
    ["b", {
      chips: ["14 main running"],
      shared: ["1"],
      bars: [
        "main: waiting (waiting) 0+4", "main: able to run (running) 4+1", "a: able to run (running) 0+3", "b: able to run (running) 0+4",
      ],
    }],
    ["main", {
      chips: ["14 main broken"],
      did: [14],
      bars: [
        "main: waiting (waiting) 0+4", "main: able to run (running) 4+1", "main: panicked (broken) 5+1",
        "a: able to run (running) 0+3", "b: able to run (running) 0+4",
      ],
    }],
  ];
  await walked("#02", start, races);
  const locks = [
    [null, {
      chips: ["8 saver running", "15 spender running", "20 main waiting"],
      did: [],
      shared: ["free: 10", "free: 10"],
      bars: ["main: waiting (waiting) 0+1", "saver: able to run (running) 0+1", "spender: able to run (running) 0+1"],
    }],
    ["saver", {
      chips: ["9 saver holding", "15 spender running", "20 main waiting"],
      did: [8],
      shared: ["held by saver ← changed", "free: 10"],
      bars: [
        "main: waiting (waiting) 0+2", "saver: able to run (running) 0+1", "saver: holding a lock (holding) 1+1",
        "spender: able to run (running) 0+2",
      ],
    }],
    ["spender", {
      chips: ["9 saver waiting", "16 spender waiting", "20 main waiting"],
      did: [15],
      shared: ["held by saver", "held by spender ← changed"],
      bars: [
        "main: waiting (waiting) 0+3", "saver: able to run (running) 0+1", "saver: holding a lock (holding) 1+1",
        "in hand (holding) 2+1", "saver: waiting (waiting) 2+1", "spender: able to run (running) 0+2", "in hand (holding) 2+1",
        "spender: waiting (waiting) 2+1",
      ],
      rings: 2,
    }],
  ];
  await walked("#03/two_orders", start, locks);
});

/** Takes these steps, then steps back over all of them. Each has what it makes different from the one before. */
async function walked(hash, start, steps) {
  await visit(home + hash, async (page) => {
    const seen = [];
    let wanted = start;
    for (const [index, [name, change]] of steps.entries()) {
      if (name) await click(page, [name]);
      wanted = { ...wanted, ...change, now: index, current: index ? String(index) : "" };
      assert.deepEqual(await drawn(page), wanted, `${hash}, step ${index}`);
      seen.push(wanted);
    }
    // What came after stays, and is faint: the lanes are compared without it.
    const before = ({ bars, ...rest }, at) => {
      const ends = (bar) => Number(bar.split(" ").at(-1).split("+")[0]) <= at;
      return { ...rest, bars: bars.filter((bar) => !bar.includes("future") && ends(bar)).map((bar) => bar.replace(/\+\d+$/, "")) };
    };
    for (let at = seen.length - 2; at >= 0; at -= 1) {
      await page.keyboard.press("ArrowLeft");
      const there = await drawn(page);
      assert.deepEqual(before(there, at), before(seen[at], at), `${hash}, back at step ${at}`);
      const last = there.bars.filter((bar) => bar.includes("future"));
      assert.ok(last.every((bar) => Number(/ (\d+)\+/.exec(bar)[1]) > at), `${hash}, back at step ${at}: ${last}`);
    }
  });
}

test("arrows lead to who is woken or can go on, and the last step is brought into sight", async () => {
  await visit(`${home}#04/one_of_two`, async (page) => {
    await click(page, ["ann", "ann", "bob", "bob", "main"]);
    const { arrows } = await drawn(page);
    await click(page, ["main"]);
    const woken = await drawn(page);
    assert.equal(woken.arrows, arrows + 1);
    assert.ok(woken.bars.includes("ann: asleep (asleep) 2+4"), woken.bars.join("; "));
    assert.deepEqual(woken.shared, ["free: true", "asleep: bob ← changed"]);
  });
  await visit(home, async (page) => {
    for (let step = 1; step <= 14; step += 1) {
      await page.evaluate((zeros) => { location.hash = `#12/crawl/${zeros}`; }, Array(step).fill(0).join("."));
      await page.locator(`#steps li:nth-child(${step}) [aria-current]`).waitFor({ state: "attached" });
      const isIn = await page.evaluate(() => {
        const inside = (box, one) => one.left >= box.left - 1 && one.right <= box.right + 1;
        const seen = (box, one) => one.top >= box.top - 1 && one.bottom <= box.bottom + 1;
        const at = (selector) => document.querySelector(selector).getBoundingClientRect();
        return [inside(at("#lanes"), at("#lanes .now")), seen(at("#code"), at("#lines .did"))];
      });
      assert.deepEqual(isIn, [true, true], `step ${step}`);
    }
  });
});

test("on paper nothing is cut, and nothing is there that can only be pressed", async () => {
  await visit(`${home}#12/crawl/0.0.0.0.0.0.0.0`, async (page) => {
    const cut = () => page.locator("#code").evaluate((box) => box.scrollHeight > box.clientHeight + 1);
    assert.ok(await cut(), "on the screen it is scrolled");
    await page.emulateMedia({ media: "print" });
    assert.equal(await cut(), false);
    for (const id of ["bar", "choose", "share"]) assert.ok(await page.locator(`#${id}`).isHidden(), id);
  });
});

test("a digit is a thread's, from a list that is not folded out too", async () => {
  await visit(`${home}#02`, async (page) => {
    await page.locator("#lesson").focus();
    await page.keyboard.press("2");
    assert.match(await said(page), /^Step 1: a reads counter/);
    await page.keyboard.press("0");
    assert.match(await said(page), /Nobody has taken a step/);
    assert.equal(await page.locator("#lesson").inputValue(), "2");
    await page.locator("#program").focus();
    await page.keyboard.press("3");
    assert.match(await said(page), /^Step 1: b reads counter/);
  });
});

test("what a mutex keeps stays to be seen while somebody holds it", async () => {
  await visit(`${home}#03/two_orders`, async (page) => {
    await click(page, ["saver"]);
    assert.equal(await page.locator("#lanes .shut").count(), 1, "at half strength");
    const told = await page.locator("#lanes .level title").evaluateAll((all) => all.map((one) => one.textContent));
    assert.deepEqual(told, ["savings: 10", "savings: held", "cash: 10", "cash: 10"]);
  });
});

test("playing leaves the way back to the student's own steps", async () => {
  await visit(`${home}#02`, async (page) => {
    await page.clock.install();
    await click(page, ["a", "a"]);
    await page.getByRole("button", { name: "Play the shortest" }).click();
    await page.clock.runFor(60_000);
    assert.match(await said(page), /The browser's Back returns to your own steps/);
    await page.goBack();
    await page.locator("#said", { hasText: "Step 2: a writes counter: 1" }).waitFor();
  });
});

test("steps go back and forward, and another way may be taken", async () => {
  await visit(`${home}#02`, async (page) => {
    await click(page, ["a", "b", "a"]);
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("button", { name: "Step back" }).click();
    assert.match(await said(page), /Step 1: a reads/);
    assert.equal(await page.locator("#steps li").count(), 3, "what was there is kept");
    await page.keyboard.press("ArrowRight");
    assert.match(await said(page), /Step 2: b reads/);
    await page.keyboard.press("ArrowLeft");
    await click(page, ["a"]);
    assert.match(await said(page), /Step 2: a writes counter: 1, ends.*From here on it ends well/s);
    assert.equal(await page.locator("#steps li").count(), 2, "another way was taken");
    await page.getByText("The same as a list").click();
    await page.locator("#steps button").first().click();
    assert.match(await said(page), /Step 1/);
    await page.getByRole("button", { name: "Restart" }).click();
    assert.match(await said(page), /Nobody has taken a step/);
  });
});

test("a thread that waits says why when it is pressed", async () => {
  await visit(`${home}#03/two_orders`, async (page) => {
    await click(page, ["saver"]);
    await click(page, ["spender"]);
    assert.match(await thread(page, "saver").innerText(), /waits for cash, which spender holds/);
    assert.match(await said(page), /A deadlock\..*circle: .*saver.*→.*spender.*Challenge met in 2 steps/s);
    await click(page, ["saver"]);
    assert.match(await page.locator("#why").innerText(), /It has ended; step back or restart/);
    assert.match(await said(page), /A deadlock\./, "the ending stays");
    await page.keyboard.press("ArrowLeft");
    await click(page, ["main"]);
    assert.match(await page.locator("#why").innerText(), /main waits for the end of saver/);
    assert.match(await said(page), /^Step 1: saver locks/);
    await page.keyboard.press("ArrowRight");
    await page.screenshot({ path: join(pictures, "deadlock.png"), fullPage: true });
  });
});

test("a lost wake-up and a repaired program are told as what they are", async () => {
  await visit(`${home}#04/too_late`, async (page) => {
    await page.clock.install();
    await page.getByRole("button", { name: "Play the shortest" }).click();
    await page.clock.runFor(60_000);
    assert.match(await said(page), /A lost wake-up\..*opened was notified after runner had looked and before it slept/s);
    assert.match(await said(page), /This is a shortest schedule that breaks it/);
  });
  await visit(`${home}#02/one_step`, async (page) => {
    assert.match(await page.locator("#challenge").innerText(), /This program is repaired: all its \d+ schedules end well/);
    assert.equal(await page.getByRole("button", { name: "Play the shortest" }).count(), 0);
    await click(page, ["a", "b", "main"]);
    assert.match(await said(page), /It ends well/);
  });
});

test("a wake-up that is a choice is chosen", async () => {
  await visit(`${home}#04/one_of_two`, async (page) => {
    // Both runners fall asleep, the gate is opened, and main notifies one of them.
    await click(page, ["ann", "ann", "bob", "bob", "main"]);
    const wakes = thread(page, "main");
    assert.deepEqual(await wakes.allInnerTexts().then((all) => all.map((text) => /waking (\w+)/.exec(text)?.[1])), ["ann", "bob"]);
    await page.locator("#link").focus();
    await page.locator("#link").blur();
    for (const key of ["1", "1"]) await page.keyboard.press(key);
    assert.match(await page.locator("#why").innerText(), /1 again goes to the next one, Enter takes it/);
    await page.keyboard.press("Enter");
    assert.match(await said(page), /notifies one of opened, wakes bob/);
  });
});

test("a schedule is shared as a link, and opened again at its last step", async () => {
  let shared;
  await visit(`${home}#02`, async (page) => {
    await click(page, BREAKS.slice(0, 4));
    shared = await link(page);
    assert.equal(shared, page.url());
    assert.match(shared, /#02\/lost_update\/[\d.]+@[0-9a-f]{4}$/);
    await page.reload();
    assert.match(await said(page), /Step 4: b writes counter: 1/);
  });
  await visit(shared, async (page, window) => {
    assert.match(await said(page), /Step 4: b writes counter: 1/);
    await window.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Copy", exact: true }).click();
    await page.getByText("Copied.").waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), shared);
    assert.ok(await page.getByRole("alert").isHidden(), "it is of this version");
    assert.match(await page.locator("#elsewhere").innerText(), /on this machine only/);
    await page.getByRole("button", { name: "Copy that part" }).click();
    await page.waitForFunction(async () => (await navigator.clipboard.readText()) === location.hash);
    await click(page, ["main"]);
    assert.match(await said(page), /Challenge met in 5 steps/, "the last step was the student's");
    const whole = await link(page);
    await page.goto("about:blank");
    await page.goto(whole);
    assert.match(await said(page), /The schedule in the link breaks it in 5 steps/, "and here it was the link's");
  });
});

test("a link that does not fit says where it leaves, and goes as far as it can", async () => {
  for (const [hash, notice, reached] of [
    ["#02/lost_update/0.1.9.0", /leaves the program at step 3: it asks for choice “9” there/, /Step 2/],
    ["#02/lost_update/x", /leaves the program at step 1.*Nothing of it could be followed/, /Nobody has taken/],
    ["#02/lost_update/0.1.0.0.0.0.0", /leaves the program at step 6: the program has ended before/, /Step 5/],
    ["#02/lost_update/0.1", /names no version of the program/, /Step 2/],
    ["#02/lost_update/0.1@zzzz", /of another version of the program/, /Step 2/],
    ["#02/lost_update/0.1/more", /behind the schedule, which means nothing/, /Nobody has taken/],
    ["#99/nothing", /names lesson “99”, and there is none/, /Nobody has taken/],
    ["#02/nothing", /names program “nothing”, and lesson 2 has none/, /Nobody has taken/],
    [`#${"%".repeat(50)}`, /names lesson “%+…”, and there is none/, /Nobody has taken/],
    [`#02/lost_update/${"0.".repeat(5000)}`, /leaves the program at step/, /Step/],
  ]) {
    await visit(home + hash, async (page) => {
      assert.match(await page.getByRole("alert").innerText(), notice, hash);
      assert.match(await said(page), reached, hash);
      assert.equal(await isTooWide(page), false, hash);
    });
  }
});

test("every lesson opens, and the shortest schedule breaks each program that is wrong", async () => {
  await visit(home, async (page) => {
    const programs = await page.evaluate(() => window.handover.lessons.flatMap((line) => line.programs.map((program) => {
      return { hash: window.handover.hash(line, program.name), wrong: program.wrong, name: program.name };
    })));
    assert.ok(programs.length > 20, "there are programs");
    for (const { hash, wrong, name } of programs) {
      await page.evaluate((to) => { location.hash = to; }, hash);
      await page.waitForFunction((title) => document.title.startsWith(title), `${name}, `);
      assert.ok(await page.getByRole("alert").isHidden(), hash);
      const ended = await page.evaluate(({ number, program }) => {
        const { lessons, load, Walk } = window.handover;
        return load(lessons.find((line) => line.number === number)).then((lesson) => {
          const found = lesson.programs.find((one) => one.name === program);
          if (!found.graph) return "too large";
          const walk = new Walk(found);
          for (const index of found.shortest()) walk.take(index);
          return walk.state.end?.broken ?? false;
        });
      }, { number: Number(hash.slice(1, 3)), program: name });
      assert.ok(ended === "too large" || ended === wrong, `${hash}: ${ended}`);
    }
  });
});

test("every step and every wait of every lesson can be told", async () => {
  await visit(home, async (page) => {
    const { told, holes } = await page.evaluate(async () => {
      const { lessons, load, Walk, happened, chosen, why, ended } = window.handover;
      const holes = [];
      let told = 0;
      const say = (where, text) => {
        told += 1;
        if (/undefined|null|NaN|\[object/.test(text) && holes.length < 10) holes.push(`${where}: ${text}`);
      };
      for (const line of lessons) {
        for (const program of (await load(line)).programs) {
          const states = (program.graph?.nodes ?? []).map((_, at) => program.state(at));
          for (const state of states) {
            const where = `${program.name} ${state.at}`;
            state.lanes.forEach((lane, thread) => say(where, `${lane.name} ${why(state, thread)}`));
            for (const choice of state.choices) {
              say(where, chosen(program, state, choice));
              const { own, others } = happened({ before: state, choice, after: states[choice.to] });
              say(where, [...own, ...others].join(", "));
            }
            if (!state.end) continue;
            const walk = new Walk(program);
            walk.states = [state];
            const { word, says, waits } = ended(walk);
            say(where, [word, says, ...waits].join(" "));
          }
        }
      }
      return { told, holes };
    });
    assert.deepEqual(holes, []);
    assert.ok(told > 10_000, `${told} sentences`);
  });
});

test("it fits a phone without scrolling to the side, in the light and in the dark", async () => {
  for (const colorScheme of ["light", "dark"]) {
    await visit(`${home}#02`, async (page) => {
      await click(page, BREAKS);
      assert.equal(await isTooWide(page), false, colorScheme);
      const ink = await page.evaluate(() => getComputedStyle(document.body).color);
      assert.equal(ink === "rgb(29, 29, 29)", colorScheme === "light");
      const small = await page.locator("#threads button").evaluateAll((all) => all.filter((one) => one.offsetHeight < 40).length);
      assert.equal(small, 0, "a thumb hits them");
      await page.screenshot({ path: join(pictures, `phone-${colorScheme}.png`), fullPage: true });
    }, { viewport: { width: 360, height: 740 }, colorScheme });
  }
});

test("buffers, many threads and the dark are drawn too", async () => {
  await visit(`${home}#07/room`, async (page) => {
    await click(page, ["sender"]);
    await page.screenshot({ path: join(pictures, "buffer.png"), fullPage: true });
    assert.match(await page.locator("#objects").innerText(), /buffer mail/);
  }, { colorScheme: "dark" });
  await visit(`${home}#06/one_condition`, async (page) => {
    await page.clock.install();
    await page.getByRole("button", { name: "Play the shortest" }).click();
    await page.clock.runFor(60_000);
    await page.screenshot({ path: join(pictures, "monitor.png"), fullPage: true });
    await page.pdf({ path: join(pictures, "monitor.pdf"), format: "A4" });
  });
});

test("the way back in the browser's history leads to the program before", async () => {
  await visit(`${home}#02/lost_update/0.1`, async (page) => {
    await page.locator("#program").selectOption("claim");
    await page.locator("#source-title", { hasText: "claim" }).waitFor();
    await click(page, ["a"]);
    await page.goBack();
    await page.locator("#source-title", { hasText: "lost_update" }).waitFor();
    assert.match(await said(page), /Step 2: b reads counter/);
  });
});

test("a program that is too large for the page says where it can be explored", async () => {
  await visit(home, async (page) => {
    const hash = await page.evaluate(async () => {
      const { lessons, load, hash } = window.handover;
      for (const line of lessons) {
        const lesson = await load(line);
        const large = lesson.programs.find(({ graph }) => !graph);
        if (large) return hash(lesson, large.name);
      }
      return null;
    });
    assert.ok(hash, "there is one");
    await page.evaluate((to) => { location.hash = to; }, hash);
    await page.getByRole("heading", { name: "Too large for this page" }).waitFor();
    const [, number, name] = /^#(\d+)\/(\w+)$/.exec(hash);
    assert.equal(await page.locator("#too-large-command").innerText(), `handover learn ${number} --explore --program ${name}`);
    assert.match(await page.locator("#too-large-says").innerText(), /more than 5\s000 states/);
    assert.ok(await page.locator("#stage").isHidden());
    await page.keyboard.press("1");
    await page.locator("#lesson").selectOption({ label: "02 race" });
    await page.locator("#stage").waitFor();
  });
});

test("a lesson that cannot be loaded says so, and what was there stays", async () => {
  await visit(`${home}#02/lost_update/0`, async (page) => {
    await page.route("**/data/05-*", (route) => route.abort());
    await page.locator("#lesson").selectOption({ label: "05 semaphore" });
    const notice = page.getByRole("alert");
    await notice.filter({ hasText: "cannot be loaded" }).waitFor();
    assert.match(await said(page), /Step 1: a reads/);
    assert.equal(await page.locator("#lesson").inputValue(), "2");
    assert.equal(await page.locator("#program").inputValue(), "lost_update");
    assert.equal(await page.locator("#program option").count(), await page.evaluate(() => window.handover.lessons[1].programs.length));
    assert.equal(page.url(), await link(page));
    await page.unroute("**/data/05-*");
    await page.evaluate(() => { location.hash = "#05/swapped"; });
    await page.locator("#source-title", { hasText: "swapped" }).waitFor();
    assert.ok(await notice.isHidden(), "it can be tried again");
  }, { mayFail: true });
});

test("playing can be stopped, and a struct is shown field by field", async () => {
  await visit(`${home}#12/crawl/0.0.0.0.0.0`, async (page) => {
    assert.match(await page.locator("#objects").innerText(), /known: .*ready: .*held: \d/s);
  });
  await visit(`${home}#02`, async (page) => {
    await page.clock.install();
    const play = page.locator("#play");
    await play.click();
    await page.clock.runFor(2_000);
    assert.equal(await play.innerText(), "Stop here");
    await play.click();
    await page.clock.runFor(60_000);
    assert.match(await said(page), /^Step 2/);
    await click(page, ["a", "b", "main"]);
    assert.match(await said(page), /Challenge met in 5 steps/, "the last ones were the student's");
  });
});

test("assistive technology is told what there is and what happens", async () => {
  await visit(`${home}#02`, async (page) => {
    const tree = await page.locator("body").ariaSnapshot();
    for (const part of [
      'heading "You are the scheduler" [level=1]',
      'combobox "Lesson"',
      'combobox "Program"',
      'heading "02 race',
      'heading "Make the counter end at 1. It can be done in 5 steps." [level=2]',
      "a, able to run, stands here",
      'heading "Who takes the next step?"',
      'button "a reads counter"',
      'region "Source, line by line"',
      "paragraph: Nobody has taken a step",
      'region "Lanes of the threads, step by step"',
      'textbox "This schedule as a link"',
    ]) assert.ok(tree.includes(part), `${part} is missing in\n${tree}`);
  });
});

test("axe finds nothing against the guidelines for accessibility, in the light and in the dark", async () => {
  const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
  for (const colorScheme of ["light", "dark"]) {
    for (const hash of ["#02", "#02/lost_update/0.1.0.0.0", "#03/two_orders/0.1", "#06/one_condition/2.0.2.0", "#16/in_line", "#x"]) {
      await visit(home + hash, async (page) => {
        await page.addScriptTag({ path: axe });
        const found = await page.evaluate(() => window.axe.run(document));
        const told = found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" ")}`);
        assert.deepEqual(told, [], `${colorScheme} ${hash}`);
      }, { colorScheme, bypassCSP: true }); // the checker is put into the page, which its policy forbids
    }
  }
});

test("it works as files, opened from a folder", async () => {
  const folder = mkdtempSync(join(tmpdir(), "handover-page-"));
  try {
    await save(home, folder);
    const file = pathToFileURL(join(folder, "index.html")).href;
    await visit(`${file}#02/lost_update/0.1`, async (page) => {
      assert.match(await said(page), /Step 2/);
      await click(page, BREAKS.slice(2));
      assert.match(await said(page), /Challenge met in 5 steps/);
      await page.locator("#lesson").selectOption({ label: "07 messages" });
      await page.locator("#task-title", { hasText: "07 messages" }).waitFor();
      assert.match(page.url(), /#07\/full$/);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
