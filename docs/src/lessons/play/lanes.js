// The picture: a lane for each thread that grows to the right with each step, arrows between them, and below what the shared
// things held. Looks are those of the command line's SVG: Okabe and Ito's colours, and each state another shape, so that they
// are told apart without colours. The names stand in a drawing of their own, which stays when the lanes are scrolled.
(() => {
  "use strict";
  const page = (window.handover = window.handover || {});

  // In pixels of the drawing, if not said otherwise.
  const COLUMN = 132; // one step
  const ROW = 66; // one thread
  const LEVEL = 34; // one shared thing
  const TOP = 26; // the numbers of the steps
  const NAMES = 92;
  const LINE = 13; // between lines of small text
  const VALUE_LINE = 16; // between lines of a value
  const VALUE_LETTERS = 15; // of a value, in a column
  const VALUE_LINES_MAX = 4;
  const LETTERS = 19; // in a column
  const LABEL = 84; // the longest word at an arc of a deadlock's circle
  const PEAK = 0.75; // of a curve whose two middle points are as far out: how far it gets

  const SVG = "http://www.w3.org/2000/svg";

  function add(parent, tag, attributes = {}, text) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text !== undefined) element.textContent = text;
    parent.append(element);
    return element;
  }

  function short(text, letters) {
    return text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
  }

  /** The words in lines that fit a column, and not more than so many of them. */
  function wrapped(text, letters = LETTERS, rowsMax = 3) {
    const lines = [];
    for (const word of text.split(" ")) {
      const last = lines.at(-1);
      if (last !== undefined && last.length + 1 + word.length <= letters) lines[lines.length - 1] = `${last} ${word}`;
      else lines.push(word);
    }
    const kept = lines.slice(0, rowsMax);
    if (lines.length > rowsMax) kept[rowsMax - 1] = `${short(kept[rowsMax - 1], letters - 1)}…`.replace("……", "…");
    return kept.map((line) => short(line, letters));
  }

  /** Thick, thin and hollow: what the colours say, said again. */
  const HEIGHTS = { running: 8, asleep: 5, holding: 16, waiting: 16, broken: 16 };

  function bar(parent, look, x, y, width) {
    const height = HEIGHTS[look];
    return add(parent, "rect", { class: look, x, y: y + (16 - height) / 2, width, height, rx: 2 });
  }

  /** A small drawing of a state, for the list of threads and the legend. */
  page.swatch = (look) => {
    const svg = document.createElementNS(SVG, "svg");
    for (const [name, value] of Object.entries({ class: "swatch", viewBox: "0 0 34 18", "aria-hidden": "true" })) {
      svg.setAttribute(name, value);
    }
    if (look in HEIGHTS) bar(svg, look, 1, 1, 32);
    if (look === "in-hand") {
      add(svg, "rect", { class: "holding", x: 1, y: 6, width: 32, height: 6 });
      bar(svg, "waiting", 1, 1, 32);
    }
    return svg;
  };

  /** Which shared things are worth a line: those that hold a value, and not only somebody's sleep. */
  function shown(walk) {
    return walk.states.at(-1).objects.flatMap((object, id) => {
      if (object.kind === "condition") return [];
      const values = walk.states.map((state) => state.values[id]);
      return values.some((value) => value !== undefined && value !== "()" && value !== "held") ? [id] : [];
    });
  }

  page.drawLanes = (box, walk) => {
    const { states, at } = walk;
    const threads = Math.max(...states.map((state) => state.lanes.length));
    let bottom = TOP + threads * ROW;
    const levels = shown(walk).map((object) => {
      const written = values(walk, object);
      const top = bottom;
      bottom += LEVEL + (Math.max(1, ...written.map(({ lines }) => lines.length)) - 1) * VALUE_LINE;
      return { object, written, top, bottom };
    });
    const height = bottom + 6;
    const names = document.createElementNS(SVG, "svg");
    const svg = document.createElementNS(SVG, "svg");
    const size = (element, width, attributes) => {
      for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, ...attributes })) {
        element.setAttribute(name, value);
      }
    };
    size(names, NAMES, { class: "names", "aria-hidden": "true" });
    const circle = walk.isAtEnd ? (walk.state.end.circle ?? []) : [];
    const margin = Math.max(12, ...circle.map((_, row) => arc(circle, row).bend * PEAK + LABEL));
    size(svg, states.length * COLUMN + margin, { class: "steps", role: "img" });
    const says = `${page.plural(threads, "lane")}, ${page.plural(at, "step")}; the list below says the same in words.`;
    add(svg, "title", {}, says);
    arrowheads(svg);
    grid(svg, walk, height);
    for (let thread = 0; thread < threads; thread += 1) {
      const name = states.findLast((state) => state.lanes[thread]).lanes[thread].name;
      add(names, "text", { class: "ink", x: 4, y: TOP + thread * ROW + 19 }, short(name, 11));
      // On paper nothing can be scrolled, and the names stand where nobody has done anything yet.
      add(svg, "text", { class: "ink only-print", x: 8, y: TOP + thread * ROW + 37 }, name);
      lane(svg, walk, thread);
    }
    for (let step = 1; step < states.length; step += 1) marks(svg, walk, step);
    circle.forEach((_, row) => waitsFor(svg, walk, arc(circle, row)));
    circle.forEach((_, row) => waitedFor(svg, walk, arc(circle, row))); // over the arcs of all
    levels.forEach(({ object, written, top: y, bottom: till }) => {
      const { name } = states.at(-1).objects[object];
      add(names, "text", { class: "quiet", x: 4, y: y + 22 }, short(name, 11));
      add(svg, "text", { class: "quiet only-print", x: COLUMN - 6, y: y + 22, "text-anchor": "end" }, short(name, 11));
      level(svg, walk, { object, written, y, till });
    });
    box.replaceChildren(names, svg);
    // The step that is looked at comes into sight; on paper there is nothing to scroll.
    const right = (at + 1) * COLUMN + NAMES + margin;
    box.scrollLeft = Math.max(0, right - box.clientWidth + 12);
  };

  function arrowheads(svg) {
    const defs = add(svg, "defs");
    for (const [id, look] of [["tip", "head"], ["ring-tip", "ring-head"]]) {
      const marker = add(defs, "marker", {
        id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto",
      });
      add(marker, "path", { class: look, d: "M0 0 8 4 0 8z" });
    }
  }

  /** A line and a number for each step; the one that is looked at is marked, and what comes after it is faint. */
  function grid(svg, walk, height) {
    add(svg, "rect", { class: "now", x: walk.at * COLUMN, y: 0, width: COLUMN, height, rx: 4 });
    walk.states.forEach((_, step) => {
      const x = step * COLUMN;
      add(svg, "path", { class: "line", d: `M${x + 0.5} ${TOP - 4}V${height}` });
      add(svg, "text", { class: "quiet", x: x + 5, y: 17 }, step === 0 ? "start" : String(step));
    });
  }

  const faint = (walk, step) => (step > walk.at ? " future" : "");

  function lane(svg, walk, thread) {
    let stretch = null;
    walk.states.forEach((state, step) => {
      const found = state.lanes[thread];
      const look = found && page.look(found);
      if (!(look in HEIGHTS)) {
        stretch = null;
        return;
      }
      const y = TOP + thread * ROW + 6;
      // Who waits or sleeps with a lock in hand is drawn with what they hold inside.
      const inHand = look !== "holding" && found.holds.length > 0;
      if (inHand) add(svg, "rect", { class: `holding${faint(walk, step)}`, x: step * COLUMN, y: y + 5, width: COLUMN, height: 6 });
      const key = look + faint(walk, step);
      if (stretch?.key === key) {
        stretch.width += COLUMN;
        stretch.rect.setAttribute("width", stretch.width);
        return;
      }
      const rect = bar(svg, look, step * COLUMN, y, COLUMN);
      rect.setAttribute("class", key);
      add(rect, "title", {}, `${found.name}: ${page.LOOKS[look]}`);
      stretch = { key, rect, width: COLUMN };
    });
  }

  /** What a step did, in small words under the lane of its thread, and arrows to whom it concerns. */
  function marks(svg, walk, step) {
    const taken = walk.step(step);
    const { own, arrows } = page.happened(taken);
    const group = add(svg, "g", { class: `mark${faint(walk, step)}` });
    add(group, "circle", { class: "actor", cx: step * COLUMN + 1, cy: TOP + taken.choice.thread * ROW + 14, r: 5 });
    const x = step * COLUMN + 11;
    const y = TOP + taken.choice.thread * ROW;
    // That it ends is seen: its lane does.
    const whole = own.filter((one) => one !== "ends").join(", ");
    const text = add(group, "text", { class: "ink small" });
    add(text, "title", {}, whole);
    wrapped(whole).forEach((line, row) => add(text, "tspan", { x, y: y + 34 + row * LINE }, line));
    arrows.forEach(({ to, kind }, row) => {
      const from = y + 14;
      const till = TOP + to * ROW + (to > taken.choice.thread ? 4 : 24);
      // At the left of the words; several of one step stand beside one another.
      const at = step * COLUMN + 2.5 + row * 5;
      const path = add(group, "path", {
        class: kind === "frees" ? "arrow frees" : "arrow", "marker-end": "url(#tip)", d: `M${at} ${from}V${till}`,
      });
      add(path, "title", {}, `${kind} ${taken.after.lanes[to].name}`);
    });
  }

  /** An arc of a deadlock's circle: from one thread to the one that it waits for, the further out the longer it is. */
  function arc(circle, row) {
    const [from, to] = [circle[row], circle[(row + 1) % circle.length]];
    const down = to > from;
    const span = Math.abs(to - from);
    return { from, to, down, bend: down ? 24 + 16 * span : 92 + 24 * span };
  }

  /** At the right of a deadlock: an arrow from a thread in the circle to the one that it waits for. */
  function waitsFor(svg, walk, { from, to, down, bend }) {
    const x = walk.states.length * COLUMN + 4;
    const [y1, y2] = [from, to].map((thread) => TOP + thread * ROW + 14 + (down ? 3 : -3)); // beside one another at a lane
    const d = `M${x} ${y1}C${x + bend} ${y1} ${x + bend} ${y2} ${x} ${y2}`;
    const path = add(svg, "path", { class: "ring", "marker-end": "url(#ring-tip)", d });
    add(path, "title", {}, `${walk.state.lanes[from].name} waits for ${cause(walk, from)}`);
  }

  /** The word at an arc: for what. */
  function waitedFor(svg, walk, { from, to, down, bend }) {
    const x = walk.states.length * COLUMN + 8 + bend * PEAK;
    const y = TOP + ((from + to) / 2) * ROW + 14 + (down ? -12 : 20);
    add(svg, "text", { class: "ink small over", x, y }, `for ${short(cause(walk, from), 8)}`);
  }

  /** What a thread waits for: an object, or the end of another. */
  function cause(walk, thread) {
    const lane = walk.state.lanes[thread];
    const object = lane.mutex ?? lane.what;
    return (object === undefined ? lane.whom : walk.state.objects[object].name) ?? "";
  }

  /**
   * For each step what a shared thing held: `held`, the value, or the one before where somebody holds the lock on it; `isShut`,
   * whether somebody does; `lines`, what is written of it, which is nothing where it is as it was.
   */
  function values(walk, object) {
    let last; // what was written
    let held;
    return walk.states.map((state, step) => {
      const value = state.values[object];
      if (value === undefined) return { lines: [] };
      const isShut = value === "held";
      // Once more at the step that is looked at: where it changed may be out of sight.
      const isWritten = value !== last || step === walk.at;
      const lines = isWritten ? wrapped(isShut ? value : difference(value, held), VALUE_LETTERS, VALUE_LINES_MAX) : [];
      last = value;
      if (!isShut) held = value;
      return { value, held, isShut, lines };
    });
  }

  /** What a shared thing held: its value where it changes, and behind it how full it is, if that is a number or a list. */
  function level(svg, walk, { object, written, y, till }) {
    const { states, program } = walk;
    const [least, most] = program.range(object);
    written.forEach(({ value, held, isShut, lines }, step) => {
      if (value === undefined) return;
      const fill = least < most ? page.amount(held) : null; // what never changes is no level
      const group = add(svg, "g", { class: `level${faint(walk, step)}` });
      if (fill) {
        const height = ((till - y - 8) * fill) / most;
        const look = isShut ? "fill shut" : "fill";
        add(group, "rect", { class: look, x: step * COLUMN + 1, y: till - 2 - height, width: COLUMN - 1, height });
      }
      if (!lines.length) return;
      const text = add(group, "text", { class: "ink code" });
      add(text, "title", {}, `${states[step].objects[object].name}: ${value}`);
      lines.forEach((line, row) => add(text, "tspan", { x: step * COLUMN + 5, y: y + 22 + row * VALUE_LINE }, line));
    });
    add(svg, "path", { class: "line", d: `M0 ${till - 1.5}H${states.length * COLUMN}` });
  }

  /** A value; of a struct only the fields that are not as they were. */
  function difference(value, last) {
    const fields = page.fields(value);
    if (!fields) return value;
    const before = new Map(page.fields(last) ?? []);
    const changed = fields.filter(([name, held]) => before.get(name) !== held);
    return (changed.length ? changed : fields).map((field) => field.join(": ")).join(", ");
  }
})();
