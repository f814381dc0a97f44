// Everything of the page but the lanes, drawn from where somebody is: the task, the threads with their buttons, the source with
// its marks, what is shared, what was said, and the link. It changes nothing of where somebody is; that is app.js.
(() => {
  "use strict";
  const page = (window.handover = window.handover || {});

  /** A longer list is written as text: its places would fill the column and say no more. */
  const SLOTS_MAX = 12;

  const get = (id) => document.getElementById(id);

  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  /** Text of a lesson: paragraphs with an empty line between. */
  function paragraphs(box, text) {
    box.replaceChildren(...text.split("\n\n").map((one) => make("p", {}, one)));
  }

  const numbered = ({ number, name }) => `${String(number).padStart(2, "0")} ${name}`;

  page.view = {
    /** The two lists to choose from. */
    lists(lessons, line, program) {
      const option = (value, text, chosen) => {
        const one = make("option", { value }, text);
        one.selected = chosen;
        return one;
      };
      const group = (label, exercise) => {
        const some = lessons.filter((one) => one.exercise === exercise);
        const options = some.map((one) => option(one.number, numbered(one), one === line));
        return some.length ? [make("optgroup", { label }, ...options)] : [];
      };
      get("lesson").replaceChildren(...group("Lessons", false), ...group("Exercises", true));
      const repaired = line.exercise ? "a solution" : "repaired";
      const kind = ({ name, wrong }) => `${name} (${wrong ? "breaks" : repaired})`;
      get("program").replaceChildren(...line.programs.map((one) => option(one.name, kind(one), one.name === program)));
    },

    /** What stays the same while somebody walks through one program. */
    program(program) {
      const { lesson } = program;
      document.title = `${program.name}, lesson ${numbered(lesson)}: you are the scheduler`;
      get("task-title").textContent = `${numbered(lesson)}: ${lesson.line}`;
      get("says").textContent = program.says;
      paragraphs(get("question"), lesson.question);
      get("hint-box").hidden = !lesson.hint;
      get("hint-box").open = false; // the last one's was asked for, not this one's
      paragraphs(get("hint"), lesson.hint ?? "");
      const fits = program.graph !== null;
      for (const id of ["stage", "picture", "share", "challenge", "counts"]) get(id).hidden = !fits;
      get("too-large").hidden = fits;
      if (!fits) {
        this.tooLarge(program);
        return;
      }
      get("challenge").textContent = page.task(program);
      get("counts").textContent = page.counts(program);
      get("play").hidden = program.shortestFrom(0) === null;
      get("source-title").textContent = `Program: ${program.name}`;
      const line = (text) => make("li", {}, make("span", { class: "who" }), make("code", {}, text || " "));
      get("lines").replaceChildren(...program.source.map(line));
    },

    tooLarge(program) {
      get("too-large-says").textContent = page.tooLarge(program);
      get("too-large-command").textContent = `handover learn ${String(program.lesson.number).padStart(2, "0")} --explore `
        + `--program ${program.name}`;
      get("too-large-source").textContent = program.source.join("\n");
    },

    /** Where somebody is. */
    walk(walk) {
      const happened = walk.at > 0 ? page.happened(walk.step(walk.at)) : null;
      threads(walk);
      source(walk);
      objects(walk, happened);
      page.drawLanes(get("lanes"), walk);
      steps(walk);
      for (const [id, can] of [["back", walk.at > 0], ["restart", walk.at > 0], ["forward", walk.at < walk.taken.length]]) {
        // Not `disabled`: who has just pressed it would lose their place on the page.
        get(id).setAttribute("aria-disabled", String(!can));
      }
      get("copied").textContent = "";
      get("link").value = new URL(walk.hash, location.href).href;
    },

    /** Says what happened, to be read aloud too. `looks` marks how it ended: well or broken. */
    say(paragraphs, looks = "") {
      get("said").className = looks;
      get("said").replaceChildren(...paragraphs);
    },

    /** Says why a thread that was pressed takes no step, beside what was said of the last one. */
    why(text) {
      get("why").textContent = text ?? "";
    },

    notice(text) {
      get("notice").hidden = !text;
      get("notice").textContent = text ?? "";
    },

    legend() {
      const one = ([look, word]) => make("li", {}, page.swatch(look), ` ${word}`);
      const arrow = (kind, word) => make("li", {}, make("span", { class: `sample ${kind}`, "aria-hidden": "true" }), ` ${word}`);
      get("legend").replaceChildren(
        ...Object.entries(page.LOOKS).map(one),
        one(["in-hand", "waiting, a lock in hand"]),
        arrow("solid", "starts or wakes"),
        arrow("dashed", "lets go on"),
        arrow("circle", "waits for, in a circle"),
        make("li", {}, make("span", { class: "dot", "aria-hidden": "true" }), " takes the step"),
        make("li", {}, make("span", { class: "chip", "aria-hidden": "true" }, "1"), " stands at this line of the program"),
        make("li", {}, make("span", { class: "sample did", "aria-hidden": "true" }), " line of the last step"),
      );
    },
  };

  /** Brings the list to this many children, keeping those that are there: the focus stays where it is. */
  function keep(box, count, tag) {
    while (box.children.length > count) box.lastElementChild.remove();
    while (box.children.length < count) box.append(document.createElement(tag));
    return [...box.children];
  }

  /** A card for each thread, with a button for each step that it can take, or one that says why it takes none. */
  function threads(walk) {
    const { program, state } = walk;
    const cards = keep(get("threads"), state.lanes.length, "li");
    const focused = document.activeElement;
    state.lanes.forEach((lane, thread) => {
      const card = cards[thread];
      const look = page.look(lane);
      card.className = look;
      const choices = state.choices.flatMap((choice, index) => (choice.thread === thread ? [{ choice, index }] : []));
      const buttons = keep(card, Math.max(1, choices.length), "button");
      buttons.forEach((button, row) => {
        const one = choices[row];
        const text = one ? page.chosen(program, state, one.choice) : page.why(state, thread);
        button.type = "button";
        button.dataset.thread = thread;
        button.dataset.choice = one ? one.index : "";
        button.setAttribute("aria-disabled", String(!one));
        if (thread < 9) button.setAttribute("aria-keyshortcuts", String(thread + 1));
        const holds = row === 0 && lane.holds.length
          ? [make("span", { class: "holds" }, `holds ${page.list(lane.holds.map((mutex) => state.objects[mutex].name))}`)]
          : [];
        button.replaceChildren(
          make("kbd", { "aria-hidden": "true" }, thread < 9 ? String(thread + 1) : ""),
          make("span", { class: "name" }, lane.name),
          make("span", { class: "looks" }, page.swatch(look === "waiting" && lane.holds.length ? "in-hand" : look)),
          make("span", { class: "does" }, ` ${text}`),
          ...holds.flatMap((holds) => [" ", holds]),
        );
      });
    });
    // A button that is gone had the focus: its thread's first one has it now.
    if (focused?.dataset?.thread && !focused.isConnected) {
      cards[focused.dataset.thread]?.querySelector("button").focus();
    }
  }

  /** In the margin of each line who stands at it; and which line was done last. */
  function source(walk) {
    const { program, state } = walk;
    const at = new Map();
    state.lanes.forEach((lane, thread) => {
      const line = lane.is === "panicked" ? lastLine(walk, thread) : lane.line;
      if (line && lane.is !== "done") at.set(line, [...(at.get(line) ?? []), lane]);
    });
    const did = walk.at > 0 ? lastLine(walk, walk.step(walk.at).choice.thread) : null;
    let next = null; // where the one who took the last step stands now
    const actor = walk.at > 0 ? state.lanes[walk.step(walk.at).choice.thread] : null;
    [...get("lines").children].forEach((item, index) => {
      const line = program.first + index;
      const who = at.get(line) ?? [];
      const isNext = who.some(({ is }) => is === "ready" || is === "panicked");
      item.className = [isNext ? "next" : "", line === did ? "did" : ""].join(" ").trim();
      if (line === did) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
      const chip = (lane) => {
        const look = page.look(lane);
        const aloud = make("span", { class: "aloud" }, ` ${lane.name}, ${page.LOOKS[look]}, stands here `);
        const number = String(state.lanes.indexOf(lane) + 1);
        return make("span", { class: `chip ${look}`, title: `${lane.name}: ${page.LOOKS[look]}` }, number, aloud);
      };
      item.firstElementChild.replaceChildren(...who.map(chip));
      if (actor ? who.includes(actor) : isNext && !next) next = item;
    });
    bringIntoSight(next);
    bringIntoSight(get("lines").querySelector(".did")); // the last step comes first, where both are too far apart
  }

  /** Scrolls to a line within the box of the source only: the page itself stays where it is. */
  function bringIntoSight(line) {
    const code = get("code");
    if (!line) return;
    const isOut = line.offsetTop < code.scrollTop || line.offsetTop + line.offsetHeight > code.scrollTop + code.clientHeight;
    if (isOut) code.scrollTop = line.offsetTop - code.clientHeight / 3;
  }

  /** The line of the last step that this thread took. */
  function lastLine(walk, thread) {
    for (let step = walk.at; step > 0; step -= 1) {
      const { before, choice } = walk.step(step);
      if (choice.thread === thread) return before.lanes[thread].line;
    }
    return null;
  }

  function objects(walk, happened) {
    const { program, state } = walk;
    const items = state.objects.flatMap((object, id) => {
      if (state.values[id] === undefined) return [];
      const changed = happened?.changed.includes(id) ?? false;
      return [
        make("dt", {}, make("span", { class: "kind" }, object.kind), ` ${object.name}`),
        make("dd", { class: changed ? "changed" : null }, ...holding(program, state, id), ...(changed ? [changedMark()] : [])),
      ];
    });
    const nothing = make("dt", {}, "The threads share nothing.");
    get("objects").replaceChildren(...(items.length ? items : [nothing]));
  }

  const changedMark = () => make("span", { class: "mark", title: "changed by the last step" }, " ← changed");

  /** What an object holds, as something to look at. */
  function holding(program, state, id) {
    const value = state.values[id];
    const { kind } = state.objects[id];
    if (kind === "mutex") {
      const holder = state.lanes.find((lane) => lane.holds.includes(id));
      if (holder) return [`held by ${holder.name}`];
      return value === "()" ? ["free"] : ["free: ", ...contents(program, id, value)];
    }
    if (kind === "condition") {
      const asleep = state.lanes.filter((lane) => lane.is === "asleep" && lane.what === id).map((lane) => lane.name);
      return [asleep.length ? `asleep: ${page.list(asleep)}` : "nobody asleep"];
    }
    return contents(program, id, value);
  }

  /** A struct as its fields, a list as places with what is in them, anything else as its text. */
  function contents(program, id, value) {
    const fields = page.fields(value);
    if (fields) {
      const field = ([name, held]) => make("li", {}, make("span", { class: "kind" }, `${name}: `), ...places(held, 0));
      return [make("ul", { class: "fields" }, ...fields.map(field))];
    }
    return places(value, program.room(id));
  }

  /** A list in at least this much room; or the text. */
  function places(value, room) {
    const items = page.items(value);
    const size = Math.max(room, items?.length ?? 0, 1);
    if (!items || size > SLOTS_MAX) return [make("code", {}, value)];
    const slot = (_, at) => make("span", { class: items[at] ? "slot full" : "slot" }, items[at] || "\u00a0");
    const slots = Array.from({ length: size }, slot);
    const more = value.slice(value.lastIndexOf("]") + 1);
    const aloud = items.length ? items.join(", ") : "empty";
    return [make("span", { class: "slots", role: "img", "aria-label": aloud }, ...slots), ...(more ? [more] : [])];
  }

  /** The steps as a list, each a button that goes there. */
  function steps(walk) {
    const items = keep(get("steps"), walk.taken.length, "li");
    items.forEach((item, index) => {
      const { name, own, others } = page.happened(walk.step(index + 1));
      const button = keep(item, 1, "button")[0];
      button.type = "button";
      button.dataset.step = index + 1;
      button.textContent = `${name} ${own.join(", ")}${others.length ? `; ${others.join("; ")}` : ""}`;
      if (index + 1 === walk.at) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
  }

  page.make = make;
})();
