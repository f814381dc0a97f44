// Holds it together: which program is walked through and how far, and what clicks, keys and links do to that.
(() => {
  "use strict";
  const page = window.handover;
  const { view, lessons } = page;
  const get = (id) => document.getElementById(id);

  const PAUSE_MS = 900; // between two steps that are played

  let walk = null;
  let shown = null; // the line and the program that are on the page, to return to where another cannot be loaded
  let isKept = false; // whether playing began over steps of the student's own, which the browser's Back returns to
  let opened = 0; // how often something was opened: a lesson that comes late is not shown over a newer one
  let playing = null;

  /** Opens what a link asks for. */
  async function open(hash) {
    stop();
    const ticket = (opened += 1);
    const asked = page.asked(hash, lessons);
    let lesson;
    try {
      lesson = await page.load(asked.line);
    } catch (error) {
      if (ticket === opened) fail(asked.line, error);
      return;
    }
    if (ticket !== opened) return;
    const first = lesson.programs.find(({ wrong }) => wrong) ?? lesson.programs[0];
    const program = lesson.programs.find(({ name }) => name === asked.program) ?? first;
    view.lists(lessons, asked.line, program.name);
    view.program(program);
    shown = { line: asked.line, program };
    walk = program.graph ? new page.Walk(program) : null;
    const left = walk ? page.follow(walk, asked.taken) : null;
    const checked = walk && page.checked(program, asked);
    view.notice(asked.problem ?? ([checked, left].filter(Boolean).join(" ") || null));
    if (walk) show();
    else writeHash(page.hash(lesson, program.name));
  }

  /** What was there stays, in the lists and in the address too. At first there was nothing: then the lists offer the others. */
  function fail(line, error) {
    view.lists(lessons, shown?.line ?? line, shown?.program.name);
    if (shown) writeHash(walk ? walk.hash : page.hash(shown.program.lesson, shown.program.name));
    view.notice(error.message);
  }

  /** Draws where somebody is, says what happened last, and writes it into the address. */
  function show() {
    view.walk(walk);
    view.why(null);
    view.say(...told());
    writeHash(walk.hash);
  }

  /** What is said of the step that was just taken, or of the end; and how that looks. */
  function told() {
    const { make } = page;
    if (walk.isAtEnd) {
      const { word, says, waits } = page.ended(walk);
      const broken = walk.state.end.broken;
      const lines = [make("p", { class: "word" }, `${last()}${word}.`), make("p", { class: "ending" }, says)];
      if (waits.length) lines.push(make("ul", {}, ...waits.map((one) => make("li", {}, one))));
      if (broken) lines.push(make("p", { class: "met" }, page.met(walk)));
      else if (walk.program.wrong) lines.push(make("p", {}, "Not every schedule breaks it: step back and choose otherwise."));
      if (isKept && walk.source === "played") lines.push(make("p", { class: "quiet" }, "The browser's Back returns to your own steps."));
      return [lines, broken ? "broken" : "well"];
    }
    if (walk.at === 0) return [[make("p", {}, "Nobody has taken a step. Press a thread's button or its number.")]];
    const { name, own, others } = page.happened(walk.step(walk.at));
    const lines = [make("p", {}, `Step ${walk.at}: ${name} ${[own.join(", "), ...others].join("; ")}.`)];
    const { program, states, at } = walk;
    const couldBreak = program.shortestFrom(states[at - 1].at) !== null;
    if (couldBreak && program.shortestFrom(walk.state.at) === null) {
      lines.push(make("p", { class: "quiet" }, "From here on it ends well whatever is chosen; step back to try again."));
    }
    return [lines];
  }

  /** The last step before the end, shortly. */
  function last() {
    if (walk.at === 0) return "";
    const { name, own } = page.happened(walk.step(walk.at));
    return `Step ${walk.at}: ${name} ${own[0]}. `;
  }

  /** The address is the schedule, so that it can be copied and comes back after a reload; a step makes no entry in the history. */
  function writeHash(hash) {
    if (location.hash !== hash) history.replaceState(null, "", hash);
  }

  function take(index) {
    stop();
    if (walk.take(index)) {
      view.notice(null);
      show();
    }
  }

  /** Chooses the next step by its thread. One that can do several things gets the focus, to choose one of them. */
  function takeThread(thread) {
    const buttons = [...(get("threads").children[thread]?.children ?? [])];
    if (buttons.length > 1) {
      buttons[(buttons.indexOf(document.activeElement) + 1) % buttons.length].focus();
      view.why(`It has a choice: ${thread + 1} again goes to the next one, Enter takes it.`);
    } else if (buttons.length === 1) press(buttons[0]);
  }

  function press(button) {
    if (button.dataset.choice !== "") {
      take(Number(button.dataset.choice));
      return;
    }
    const { name } = walk.state.lanes[button.dataset.thread];
    const why = walk.isAtEnd ? "It has ended; step back or restart." : `${name} ${page.why(walk.state, button.dataset.thread)}.`;
    view.why(why);
  }

  function goTo(at) {
    stop();
    if (walk.goTo(at)) {
      view.notice(null);
      show();
    }
  }

  const actions = {
    back: () => goTo(walk.at - 1),
    forward: () => goTo(walk.at + 1),
    restart: () => goTo(0),
    play: () => (playing ? stop() : play()),
    copy: () => copy(get("link").value),
    "copy-part": () => copy(walk.hash),
  };

  /** Shows the shortest schedule that breaks it, a step at a time. */
  function play() {
    const choices = walk.program.shortest();
    // What the student made is not lost: the browser's Back returns to it.
    isKept = walk.at > 0;
    if (isKept) history.pushState(null, "", page.hash(walk.program.lesson, walk.program.name));
    walk = new page.Walk(walk.program);
    show();
    get("play").textContent = "Stop here";
    playing = setInterval(() => {
      walk.take(choices[walk.at], "played");
      if (walk.isAtEnd) stop();
      show();
    }, PAUSE_MS);
  }

  function stop() {
    clearInterval(playing);
    playing = null;
    get("play").textContent = "Play the shortest schedule that breaks it";
  }

  async function copy(text) {
    get("link").select();
    try {
      await navigator.clipboard.writeText(text);
      get("copied").textContent = "Copied.";
    } catch {
      get("copied").textContent = "The link is marked: copy it with your browser.";
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || !walk) return;
    if (button.dataset.thread) press(button);
    else if (button.dataset.step) goTo(Number(button.dataset.step));
    else actions[button.id]?.();
  });

  document.addEventListener("keydown", (event) => {
    const elsewhere = event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input[type=text]") || isOpen(event.target);
    if (!walk || elsewhere || !get("keys").checked) return;
    // What scrolls or chooses keeps its own arrow keys. A digit is a thread's there too: it would choose another lesson else.
    const arrows = event.target.closest("#lanes, #code, select") ? {} : { ArrowLeft: actions.back, ArrowRight: actions.forward };
    const action = { ...arrows, 0: actions.restart }[event.key]
      ?? (/^[1-9]$/.test(event.key) ? () => takeThread(Number(event.key) - 1) : null);
    if (!action) return;
    event.preventDefault();
    action();
  });

  /** Whether it is a list that is folded out: what is typed then looks for an item in it. */
  function isOpen(element) {
    return CSS.supports("selector(:open)") && element.matches("select:open");
  }

  get("choose").addEventListener("change", (event) => {
    const line = lessons.find(({ number }) => String(number) === get("lesson").value);
    const program = event.target.id === "program" ? get("program").value : null;
    const first = line.programs.find(({ wrong }) => wrong) ?? line.programs[0];
    // The way back in the browser's history leads to the program before, at the step where it was left.
    history.pushState(null, "", page.hash(line, program ?? first.name));
    open(location.hash);
  });
  get("choose").addEventListener("submit", (event) => event.preventDefault());
  get("link").addEventListener("focus", () => get("link").select());
  // On paper the list says what the lanes are too long for.
  window.addEventListener("beforeprint", () => { get("steps-box").open = true; });
  window.addEventListener("hashchange", () => open(location.hash));

  view.legend();
  // An address of this machine, at a port that another time is another, leads nowhere elsewhere.
  get("elsewhere").hidden = location.protocol !== "file:" && !["127.0.0.1", "localhost"].includes(location.hostname);
  open(location.hash);
})();
