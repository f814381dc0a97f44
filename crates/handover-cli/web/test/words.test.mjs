// What the page reads, walks and says, without a browser: on a hand-made program that has what no lesson need have.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

const window = {};
const context = vm.createContext({ window });
for (const name of ["graph.js", "walk.js", "words.js"]) {
  vm.runInContext(readFileSync(new URL(`../${name}`, import.meta.url), "utf8"), context, { filename: name });
}
const page = window.handover;

/** Values from another context are of other classes; as JSON they can be compared. */
const same = (found, wanted, message) => assert.deepEqual(JSON.parse(JSON.stringify(found)), wanted, message);

const lane = (name, is, more = {}) => ({ name, is, holds: [], ...more });

const objects = [
  { kind: "mutex", name: "shelf" },
  { kind: "condition", name: "bread" },
  { kind: "semaphore", name: "places" },
  { kind: "buffer", name: "mail" },
  { kind: "cell", name: "count" },
];

const VALUES = ["[]", "0 asleep", "1", "[]", "0"];
const state = (lanes, values = VALUES, end = null) => ({ lanes, values, objects, choices: [], end });

test("lists are taken apart at their own commas only", () => {
  for (const [text, items] of [
    ["[]", []],
    ["[1, 2]", ["1", "2"]],
    ['["a, b", "c\\"]"]', ['"a, b"', '"c\\"]"']],
    ["[(1, 2), [3, 4]]", ["(1, 2)", "[3, 4]"]],
    ["[1] closed", ["1"]],
    ["[0, 7] cut", ["0", "7"]],
    ["[0] cache 0: 7", ["0"]],
    ["7", null],
    ["Some([1])", null],
    [undefined, null],
  ]) same(page.items(text), items, text);
});

test("a value is as much as its number or its items", () => {
  for (const [text, amount] of [["7", 7], ["[]", 0], ["[1, 2] closed", 2], ["held", null], ["-1", null], ["", null]]) {
    assert.equal(page.amount(text), amount, text);
  }
});

test("structs are taken apart into their fields", () => {
  same(page.fields('Pages { known: {"a", "b"}, ready: [1, 2], held: 0 }'), [
    ["known", '{"a", "b"}'],
    ["ready", "[1, 2]"],
    ["held", "0"],
  ]);
  for (const text of ["7", "[1]", "held", "None", undefined]) same(page.fields(text), null, text);
});

test("each reason to wait is told with what is missing, and who has it", () => {
  const holder = lane("eve", "ready", { op: "cell", does: "reads", what: 4, holds: [0] });
  for (const [waits, why] of [
    [{ op: "lock", does: "locks", what: 0 }, "waits for shelf, which eve holds"],
    [{ op: "relock", does: "goes on after", what: 1, mutex: 0 }, "was woken, and waits for shelf, which eve holds"],
    [{ op: "send", does: "sends to", what: 3 }, "waits for room in mail"],
    [{ op: "receive", does: "receives from", what: 3 }, "waits for a value in mail"],
    [{ op: "acquire", does: "acquires", what: 2 }, "waits until places is more than 0"],
    [{ op: "join", does: "joins", whom: "eve" }, "waits for the end of eve"],
    [{ does: "dances with", whom: "eve" }, "waits; next it dances with eve"],
  ]) {
    const values = ["held", "0 asleep", "0", "[]", "0"];
    assert.equal(page.why(state([lane("ann", "waits", waits), holder], values), 0), why);
  }
  for (const [is, why] of [
    ["done", "has ended"],
    ["panicked", "has panicked"],
    ["ready", "lets others go first: it goes on when another thread has taken a step"],
  ]) assert.equal(page.why(state([lane("ann", is, { does: "yields" })]), 0), why);
  assert.equal(page.why(state([lane("ann", "asleep", { what: 1 })]), 0), "sleeps on bread until somebody notifies");
});

test("a step is told by what it changed", () => {
  const locks = { op: "lock", does: "locks", what: 0 };
  const before = state([lane("ann", "ready", locks), lane("bob", "ready", locks)]);
  const after = state([lane("ann", "ready", { op: "cell", does: "reads", what: 4, holds: [0] }), lane("bob", "waits", locks)], [
    "held", "0 asleep", "1", "[]", "0",
  ]);
  const step = { thread: 0, wakes: null, unasked: false, picks: null };
  same(page.happened({ before, choice: step, after }), {
    name: "ann", own: ["locks shelf"], others: ["bob has to wait"], arrows: [], changed: [0],
  });
  // Back again: the lock is free, bob can go on, ann ends, and a thread begins.
  const reads = state([after.lanes[0], after.lanes[1]], after.values);
  const ended = state([lane("ann", "done"), lane("bob", "ready", locks), lane("joe", "ready", locks)]);
  same(page.happened({ before: reads, choice: step, after: ended }), {
    name: "ann",
    own: ["reads count: 0", "gives shelf back", "starts joe", "ends"],
    others: ["bob can go on"],
    arrows: [{ to: 1, kind: "frees" }, { to: 2, kind: "starts" }],
    changed: [0],
  });
});

test("a step on a disk tells what the disk holds after it", () => {
  const disk = [{ kind: "disk", name: "disk" }];
  const writes = lane("ann", "ready", { does: "writes block 0 of", what: 0 });
  const before = { ...state([writes], ["[0]"]), objects: disk };
  const after = { ...state([writes], ["[0] cache 0: 7"]), objects: disk };
  const step = { thread: 0, wakes: null, unasked: false, picks: null };
  same(page.happened({ before, choice: step, after }).own, ["writes block 0 of disk, which holds [0] cache 0: 7 now"]);
  same(page.happened({ before, choice: step, after: before }).own, ["writes block 0 of disk"]);
});

test("a lock that is taken in passing is told, and so is who is woken", () => {
  const step = { thread: 0, wakes: 1, unasked: false, picks: null };
  const before = state([
    lane("ann", "ready", { op: "notify", does: "notifies one of", what: 1, holds: [0] }),
    lane("bob", "asleep", { what: 1 }),
  ]);
  const relocks = lane("bob", "ready", { op: "relock", does: "goes on after", what: 1, mutex: 0 });
  const after = state([lane("ann", "done"), relocks]);
  same(page.happened({ before, choice: step, after }).own, ["notifies one of bread", "wakes bob", "gives shelf back", "ends"]);
  const passing = state([lane("ann", "done"), lane("bob", "done")]);
  const relock = { thread: 1, wakes: null, unasked: false, picks: null };
  same(page.happened({ before: after, choice: relock, after: passing }).own, ["wakes on bread and takes shelf again", "gives shelf back", "ends"]);
  const unasked = { thread: 1, wakes: null, unasked: true, picks: null };
  same(page.happened({ before, choice: unasked, after }).own, ["wakes unasked on bread"]);
});

/** A program of which only some states and ways matter. */
function program(nodes, ends, more = {}) {
  const lesson = { number: 2, name: "race", challenge: "Break it.", hint: null };
  const lanes = [
    lane("ann", "ready", { op: "cell", does: "reads", what: 0 }),
    lane("ann", "done"),
    lane("ann", "waits", { op: "lock", what: 1 }),
  ];
  const data = {
    name: "p", wrong: true, says: "", first: 1, source: "fn p() {}", limit: 1, schedules: "3", broken: "1",
    graph: { objects: [[["cell", "x"], ["mutex", "m"]]], words: ["0", "held"], lanes, ends, nodes },
    ...more,
  };
  const line = { number: 2, name: "race", file: "x", programs: [{ name: "p" }] };
  const made = new page.Program(data, { ...lesson, programs: [] });
  made.lesson.programs.push(made);
  return { made, line };
}

const DEADLOCK = { kind: "deadlock", broken: true, circle: [0] };
const WELL = { kind: "well", broken: false };
/** From the start one step ends well, and two break it. */
const NODES = [[[0], [0, 0], [[0, 1], [0, 2]]], [[1], [0, 0], [], 0], [[0], [0, 0], [[0, 3]]], [[2], [0, 1], [], 1]];

test("the shortest way that breaks a program is found, and said", () => {
  const { made } = program(NODES, [WELL, DEADLOCK]);
  same(made.shortest(), [1, 0]);
  same([0, 1, 2, 3].map((at) => made.shortestFrom(at)), [2, null, 1, 0]);
  assert.equal(page.task(made), "Break it. It can be done in 2 steps.");
  assert.equal(page.counts(made), "1 of its 3 schedules breaks it.");
  const walk = new page.Walk(made);
  made.shortest().forEach((index) => walk.take(index));
  assert.equal(page.met(walk), "Challenge met in 2 steps; it cannot be done in fewer.");
  same(page.ended(walk), { word: "A deadlock", says: "ann waits for what it holds itself.", waits: ["ann waits for m"] });
  walk.source = "played";
  assert.match(page.met(walk), /^This is a shortest schedule that breaks it: 2 steps/);
  walk.source = "link";
  assert.equal(page.met(walk), "The schedule in the link breaks it in 2 steps. Restart to make one yourself.");
  walk.goTo(1);
  walk.take(0);
  assert.match(page.met(walk), /^Challenge met/, "the student repeats what was played");
});

test("a repaired program says how many schedules prove it", () => {
  const nodes = NODES.slice(0, 2).map(([lanes, values, , ...end], at) => [lanes, values, at ? [] : [[0, 1]], ...end]);
  const repaired = (schedules) => program(nodes, [WELL], { wrong: false, schedules }).made;
  assert.equal(page.task(repaired("1")), "This program is repaired: there is one schedule, and it ends well.");
  assert.equal(
    page.task(repaired("1234567")),
    "This program is repaired: all its 1\u00a0234\u00a0567 schedules end well. Try to break it.",
  );
  assert.equal(page.counts(repaired("2")), "");
  assert.equal(page.counts({ wrong: true, schedules: "1", broken: "1" }), "Its only schedule breaks it.");
});

test("a walk keeps what was there until another way is taken", () => {
  const walk = new page.Walk(program(NODES, [WELL, DEADLOCK]).made);
  assert.ok(walk.take(1) && walk.take(0) && !walk.take(0));
  const { version } = walk.program;
  assert.match(version, /^[0-9a-f]{4}$/);
  assert.equal(walk.hash, `#02/p/1.0@${version}`);
  assert.equal(program(NODES, [WELL, DEADLOCK]).made.version, version, "the same program has the same");
  assert.notEqual(program(NODES, [WELL, WELL]).made.version, version);
  assert.ok(walk.goTo(0) && !walk.goTo(-5));
  assert.equal(walk.hash, "#02/p");
  assert.ok(walk.take(1));
  assert.equal(walk.taken.length, 2, "the same way");
  walk.goTo(0);
  assert.ok(walk.take(0));
  same([walk.taken, walk.isAtEnd], [[0], true]);
});

test("a link is read as far as it can be", () => {
  const { made, line } = program(NODES, [WELL, DEADLOCK]);
  const asked = (hash) => page.asked(hash, [line]);
  same(asked(""), { line, program: null, taken: [], version: null, problem: null });
  same(asked("#02/p/1.0").taken, ["1", "0"]);
  same(asked("#02/p/1.0@7c1e").taken, ["1", "0"]);
  for (const more of ["/x", "/", "@7c1e@x", "@7c1e/x/y"]) {
    const { taken, problem } = asked(`#02/p/1.0${more}`);
    same(taken, [], more);
    assert.match(problem, /behind the schedule, which means nothing/, more);
  }
  assert.equal(page.checked(made, asked(`#02/p/1.0@${made.version}`)), null);
  assert.equal(page.checked(made, asked("#02/p")), null);
  assert.match(page.checked(made, asked("#02/p/1.0")), /names no version.*not checked/);
  assert.match(page.checked(made, asked("#02/p/1.0@zzzz")), /another version of the program, “zzzz”, and this is [0-9a-f]{4}:/);
  same(asked("#race/p").program, "p");
  assert.match(asked("#3").problem, /lesson “3”, and there is none/);
  assert.match(asked("#2/q").problem, /program “q”/);
  assert.match(asked(`#${"x".repeat(99)}`).problem, /“x{39}…”/);
  for (const [taken, problem] of [
    [["1", "0"], null],
    [["2"], /step 1: it asks for choice “2” there, and the choices are 0 to 1\. Nothing of it/],
    [["1", "1"], /step 2: it asks for choice “1” there, and the only choice is 0\. What comes before/],
    [["0", "0"], /step 2: the program has ended before/],
    [["-1"], /step 1/],
    [["1e0"], /step 1/],
    [[""], /step 1/],
  ]) {
    const found = page.follow(new page.Walk(made), taken);
    if (problem) assert.match(found, problem);
    else assert.equal(found, null);
  }
});

test("every way to end has words of its own", () => {
  const ends = [
    { kind: "well", broken: false },
    { kind: "panicked", broken: true, thread: 0, said: "boom" },
    { kind: "deadlock", broken: true, circle: [] },
    { kind: "starved", broken: true, thread: 0, steps: 12 },
    { kind: "bound", broken: false },
  ];
  const words = ends.map((end) => {
    const walk = { state: state([lane("ann", "waits", { op: "lock", what: 0 })], VALUES, end), at: 0 };
    return page.ended(walk).word;
  });
  same(words, ["It ends well", "ann panics", "A deadlock", "ann starves", "It was left here"]);
});

/** A walk of one sleeper and one who notifies: each step is who takes it, what it is, and what the sleeper is after it. */
function sleeps(steps, wouldGoOn) {
  const states = [state([lane("ann", "ready"), lane("bob", "ready")])];
  const choices = [];
  for (const [thread, op, more = {}] of steps) {
    const before = states.at(-1);
    before.lanes = before.lanes.map((one, at) => (at === thread ? { ...one, op, what: 1 } : one));
    const ann = lane("ann", op === "wait" ? "asleep" : "ready", { what: 1, looks: false, ...more });
    states.push(state(thread === 0 ? [ann, before.lanes[1]] : [...before.lanes]));
    choices.push({ thread, unasked: false, wakes: more.wakes ?? null, picks: null });
  }
  const last = states.at(-1);
  last.lanes = last.lanes.map((one) => (one.is === "asleep" ? { ...one, would_go_on: wouldGoOn } : one));
  last.end = { kind: "deadlock", broken: true, circle: [] };
  const step = (at) => ({ step: at, before: states[at - 1], choice: choices[at - 1], after: states[at] });
  return page.ended({ at: steps.length, state: last, step });
}

test("a wake-up is lost that came between the look and the sleep, and would have been enough", () => {
  const [looks, waits] = [[0, "lock", { looks: true }], [0, "wait"]];
  const [nobody, all, other] = [[1, "notify"], [1, "notify_all", { wakes: 2 }], [1, "notify", { wakes: 2 }]];
  for (const [steps, wouldGoOn, word, why] of [
    [[looks, nobody, waits], true, "A lost wake-up", "ann sleeps on bread, and its notification came too early"],
    [[looks, all, waits], true, "A lost wake-up", "ann sleeps on bread, and its notification came too early"],
    [[looks, nobody, waits], false, "A deadlock", "ann sleeps on bread, for what never comes"],
    [[looks, other, waits], true, "A deadlock", "ann sleeps on bread, and nobody has notified since"],
    [[nobody, looks, waits], true, "A deadlock", "ann sleeps on bread, and nobody has notified since"],
    [[looks, nobody, waits, other], true, "A deadlock", "ann sleeps on bread, and would go on if woken: the notification went to another"],
  ]) {
    const told = sleeps(steps, wouldGoOn);
    same([told.word, told.waits], [word, [why]], JSON.stringify(steps));
  }
});
