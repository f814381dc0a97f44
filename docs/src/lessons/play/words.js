// What is said: what a thread would do, why it waits, what a step did, and how it ended. Sentences only; where they are shown
// is the view's. A step is told by comparing the states before and after it.
(() => {
  "use strict";
  const page = (window.handover = window.handover || {});

  page.tooLarge = ({ name, limit }) => (
    `${name} has more than ${grouped(limit)} states, too many for a page. The terminal explores it:`
  );

  page.plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

  page.list = (words) => (words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`);

  /** What the thread does when it takes its step: "reads counter". */
  page.does = (state, lane) => {
    if (lane.op === "relock") return `wakes on ${state.objects[lane.what].name} and takes ${state.objects[lane.mutex].name} again`;
    const what = lane.what === undefined ? lane.whom : state.objects[lane.what].name;
    return what === undefined ? lane.does : `${lane.does} ${what}`;
  };

  /** A choice in words: what it does, and whom it wakes or what chance picks. */
  page.chosen = (program, state, choice) => {
    const lane = state.lanes[choice.thread];
    if (choice.unasked) return `wakes on ${state.objects[lane.what].name}, although nobody notified it`;
    const does = page.does(state, lane);
    if (choice.wakes !== null) return `${does}, waking ${state.lanes[choice.wakes].name}`;
    if (choice.picks === null) return does;
    return does + picked(lane, choice, program.state(choice.to));
  };

  /** What chance did: a number, or for a power cut what it left on the disk. */
  function picked(lane, choice, after) {
    return lane.op === "cut" ? `, which leaves ${after.values[lane.what].replace(/ cut$/, "")}` : `: ${choice.picks}`;
  }

  /** Whether the thread stands at a step that it can or could take, and holds nothing up by waiting. */
  page.look = (lane) => {
    if (lane.is === "ready") return lane.holds.length ? "holding" : "running";
    return { waits: "waiting", asleep: "asleep", panicked: "broken", done: "done" }[lane.is];
  };

  /** The word of the legend for it. */
  page.LOOKS = {
    running: "able to run",
    holding: "holding a lock",
    waiting: "waiting",
    asleep: "asleep",
    broken: "panicked",
  };

  /** Why a thread takes no step. */
  page.why = (state, thread) => {
    const lane = state.lanes[thread];
    const name = (object) => state.objects[object].name;
    switch (lane.is) {
      case "done": return "has ended";
      case "panicked": return "has panicked";
      case "asleep": return `sleeps on ${name(lane.what)} until somebody notifies`;
      case "ready":
        if (state.end) return `would go on: ${page.does(state, lane)}`;
        return "lets others go first: it goes on when another thread has taken a step";
      default:
    }
    switch (lane.op) {
      case "join": return `waits for the end of ${lane.whom}`;
      case "lock": return `waits for ${held(state, lane.what)}`;
      case "relock": return `was woken, and waits for ${held(state, lane.mutex)}`;
      case "send": return `waits for room in ${name(lane.what)}`;
      case "receive": return `waits for a value in ${name(lane.what)}`;
      case "acquire": return `waits until ${name(lane.what)} is more than ${state.values[lane.what]}`;
      default: return `waits; next it ${page.does(state, lane)}`;
    }
  };

  function held(state, mutex) {
    const holder = state.lanes.find((lane) => lane.holds.includes(mutex));
    return `${state.objects[mutex].name}${holder ? `, which ${holder.name} holds` : ""}`;
  }

  /**
   * What a step did: `own` by the thread that took it, `others` to the rest; `arrows` to the threads that it starts, wakes, or
   * frees to go on; `changed`, the objects that hold something else now.
   */
  page.happened = ({ before, choice, after }) => {
    const old = before.lanes[choice.thread];
    const lane = after.lanes[choice.thread];
    const arrows = [];
    const names = { starts: [], wakes: [], frees: [], stops: [], ends: [], panics: [] };
    after.lanes.forEach((other, thread) => {
      const was = before.lanes[thread];
      if (thread === choice.thread) return;
      const change = becomes(was, other);
      if (!change) return;
      names[change].push(other.name);
      if (change === "frees" && was.op === "join") return; // an end is seen as it is
      if (["starts", "wakes", "frees"].includes(change)) arrows.push({ to: thread, kind: change });
    });
    const own = [doneBy(before, after, choice, old)];
    if (names.wakes.length) own.push(`wakes ${page.list(names.wakes)}`);
    own.push(...given(after, choice, old, lane));
    if (names.starts.length) own.push(`starts ${page.list(names.starts)}`);
    if (lane.is === "done") own.push("ends");
    if (lane.is === "panicked") own.push("panics");
    const others = [
      [names.frees, "can go on", "can go on"],
      [names.stops, "has to wait", "have to wait"],
      [names.ends, "ends", "end"],
      [names.panics, "panics", "panic"],
    ].flatMap(([who, one, more]) => (who.length ? [`${page.list(who)} ${who.length === 1 ? one : more}`] : []));
    const held = after.values.flatMap((value, object) => (value === before.values[object] ? [] : [object]));
    return { name: lane.name, own, others, arrows, changed: held };
  };

  /** What a step made of a thread that did not take it. */
  function becomes(was, is) {
    if (!was) return "starts";
    if (was.is === "asleep" && is.is !== "asleep") return "wakes";
    if (was.is === "waits" && is.is === "ready") return "frees";
    if (was.is === "ready" && is.is === "waits") return "stops";
    if (was.is !== "done" && is.is === "done") return "ends";
    if (was.is !== "panicked" && is.is === "panicked") return "panics";
    return null;
  }

  function doneBy(before, after, choice, old) {
    if (choice.unasked) return `wakes unasked on ${before.objects[old.what].name}`;
    const does = page.does(before, old);
    if (choice.picks !== null) return does + picked(old, choice, after);
    if (old.op === "cell") return `${does}: ${after.values[old.what]}`;
    // What a write or a sync of a disk did is seen in what the disk and its cache hold.
    const isWritten = before.objects[old.what]?.kind === "disk" && before.values[old.what] !== after.values[old.what];
    return isWritten ? `${does}, which holds ${after.values[old.what]} now` : does;
  }

  /** The locks that were given back in the step: those held before, and one that was only taken in passing. */
  function given(after, choice, old, lane) {
    const passing = old.op === "lock" ? [old.what] : old.op === "relock" ? [old.mutex] : [];
    const had = choice.unasked ? old.holds : [...old.holds, ...passing];
    return had.filter((mutex) => !lane.holds.includes(mutex)).map((mutex) => `gives ${after.objects[mutex].name} back`);
  }

  /** How it ended: a word for it, a sentence, and for a deadlock who waits for whom. */
  page.ended = (walk) => {
    const { end, lanes, objects } = walk.state;
    const name = (thread) => lanes[thread].name;
    switch (end.kind) {
      case "well": return { word: "It ends well", says: "Every thread has ended, and nothing was found wrong.", waits: [] };
      case "panicked": return { word: `${name(end.thread)} panics`, says: end.said, waits: [] };
      case "deadlock": {
        const asleep = sleepers(walk);
        const told = (thread) => {
          const sleeper = asleep.find((one) => one.thread === thread);
          if (!sleeper) return `${name(thread)} ${page.why(walk.state, thread)}`;
          return `${name(thread)} sleeps on ${objects[lanes[thread].what].name}, ${whyAsleep(lanes[thread], sleeper)}`;
        };
        if (end.circle.length === 1) {
          const says = `${name(end.circle[0])} waits for what it holds itself.`;
          return { word: "A deadlock", says, waits: end.circle.map(told) };
        }
        if (end.circle.length > 1) {
          const round = [...end.circle, end.circle[0]].map(name).join(" → ");
          const says = `They wait for one another in a circle: ${round}. None of them can ever go on.`;
          return { word: "A deadlock", says, waits: end.circle.map(told) };
        }
        const stuck = lanes.flatMap((lane, thread) => (["waits", "asleep"].includes(lane.is) ? [thread] : []));
        const lost = asleep.filter((one) => one.lost);
        if (lost.length) {
          const early = ({ thread }) => (
            `${objects[lanes[thread].what].name} was notified after ${name(thread)} had looked and before it slept`
          );
          const says = `${page.list(lost.map(early))}. A notification wakes who sleeps at that moment, and is gone.`;
          return { word: "A lost wake-up", says, waits: stuck.map(told) };
        }
        return { word: "A deadlock", says: "Nobody can take a step, and not everybody has ended.", waits: stuck.map(told) };
      }
      case "starved": {
        const says = `It has waited through ${page.plural(end.steps, "step")} of others, as many as this program allows.`;
        const waits = [`${name(end.thread)} ${page.why(walk.state, end.thread)}`];
        return { word: `${name(end.thread)} starves`, says, waits };
      }
      default: return { word: "It was left here", says: "The bound on steps is reached.", waits: [] };
    }
  };

  /**
   * Of those who sleep now: whether each was notified after it had looked and before it slept, and whether since then another
   * was; and whether that was a lost wake-up. The rule is that of `Sleeper` in handover-lab.
   */
  function sleepers(walk) {
    const steps = Array.from({ length: walk.at }, (_, at) => walk.step(at + 1));
    return walk.state.lanes.flatMap((lane, thread) => {
      if (lane.is !== "asleep") return [];
      const goesOn = ({ before, choice }) => (
        (choice.thread === thread && !choice.unasked) || before.lanes[thread]?.op === "join"
      );
      const slept = steps.findLastIndex((step) => goesOn(step) && step.after.lanes[thread].is === "asleep");
      const looked = steps.findLastIndex((step) => goesOn(step) && step.after.lanes[thread].looks);
      const notified = steps.flatMap(({ before, choice }, at) => {
        const { op, what } = before.lanes[choice.thread];
        if (choice.thread === thread || what !== lane.what || !["notify", "notify_all"].includes(op)) return [];
        return [{ at, early: op === "notify_all" || choice.wakes === null }];
      });
      const missed = notified.some(({ at, early }) => early && looked < at && at < slept);
      const passed = notified.some(({ at }) => slept < at);
      return [{ thread, missed, passed, lost: missed && !passed && Boolean(lane.would_go_on) }];
    });
  }

  /** Why one who sleeps at a deadlock does not go on. */
  function whyAsleep(lane, { missed, passed }) {
    if (!lane.would_go_on) return "for what never comes";
    if (passed) return "and would go on if woken: the notification went to another";
    return missed ? "and its notification came too early" : "and nobody has notified since";
  }

  /** What there is to do with this program. */
  page.task = (program) => {
    const { lesson } = program;
    const best = program.shortestFrom(0);
    if (program.wrong && best !== null) {
      const what = program.isChallenge ? lesson.challenge : "This program breaks under some schedules. Find one.";
      return `${what} It can be done in ${page.plural(best, "step")}.`;
    }
    const what = lesson.hint ? "This is a solution" : "This program is repaired";
    if (program.schedules === "1") return `${what}: there is one schedule, and it ends well.`;
    return `${what}: all its ${grouped(program.schedules)} schedules end well. Try to break it.`;
  };

  /** How many schedules there are, where some break it. */
  page.counts = ({ wrong, schedules, broken }) => {
    if (!wrong) return "";
    if (schedules === "1") return "Its only schedule breaks it.";
    const all = `${grouped(schedules)} schedule${schedules === "1" ? "" : "s"}`;
    return `${grouped(broken)} of its ${all} ${broken === "1" ? "breaks" : "break"} it.`;
  };

  /** What is said when the challenge is met: soberly, and in how many steps. */
  page.met = (walk) => {
    const { program } = walk;
    const best = program.shortestFrom(0);
    const steps = page.plural(walk.at, "step");
    if (walk.source === "played") return `This is a shortest schedule that breaks it: ${steps}. Make it yourself, or find another.`;
    if (walk.source === "link") {
      const fewer = walk.at === best ? "" : ` It can be done in ${best}.`;
      return `The schedule in the link breaks it in ${steps}.${fewer} Restart to make one yourself.`;
    }
    const done = program.isChallenge ? "Challenge met" : "Broken";
    return `${done} in ${steps}; it ${walk.at === best ? "cannot be done in fewer" : `can be done in ${best}`}.`;
  };

  /** 1234567 as 1 234 567. */
  function grouped(digits) {
    return String(digits).replace(/\B(?=(\d{3})+$)/g, "\u00a0");
  }
})();
