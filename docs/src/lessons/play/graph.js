// What a lesson's data say, read: the programs of a lesson, the states that each can be in, and the ways between them.
// The data are written by `commands/learn/web/data.rs`, which says how; nothing of the page is drawn here.
(() => {
  "use strict";
  const page = (window.handover = window.handover || {});

  /** A step that can be taken: whose, which state it leads to, and whom it wakes, or what chance picks in it. */
  const choice = ([thread, to, also = null]) => ({
    thread,
    to,
    wakes: also !== null && also >= 0 ? also : null,
    unasked: also === -1,
    picks: also !== null && also <= -2 ? -2 - also : null,
  });

  /** A program of a lesson. `graph` is null for one whose states are too many to be sent. */
  class Program {
    constructor(data, lesson) {
      for (const lane of data.graph?.lanes ?? []) lane.holds ??= []; // left out where empty
      this.lesson = lesson;
      this.name = data.name;
      this.wrong = data.wrong;
      this.says = data.says;
      this.first = data.first;
      this.source = data.source.split("\n");
      this.limit = data.limit;
      this.schedules = data.schedules; // a text: there may be more than numbers can count
      this.broken = data.broken;
      this.graph = data.graph;
      if (this.graph) {
        this.objects = this.graph.objects.map((table) => table.map(([kind, name]) => ({ kind, name })));
        this.toBroken = distances(this.graph);
      }
    }

    /**
     * What links carry to say which program they are of: a checksum of its states and the ways between them (FNV-1a of 32 bits,
     * folded to four hexadecimal digits). Lines of the source are not in it: a schedule does not depend on them.
     */
    get version() {
      if (this.checksum === undefined) {
        const { objects, words, ends, nodes } = this.graph;
        let sum = 0x811c9dc5;
        for (const letter of JSON.stringify([objects, words, ends, nodes])) sum = Math.imul(sum ^ letter.codePointAt(0), 0x01000193);
        this.checksum = ((sum ^ (sum >>> 16)) & 0xffff).toString(16).padStart(4, "0");
      }
      return this.checksum;
    }

    /** Whether it is the one that the lesson's challenge is about: the first that breaks. */
    get isChallenge() {
      return this === this.lesson.programs.find((program) => program.wrong);
    }

    /** The state of this number: where each thread stands, what each object holds, which steps can be taken, how it ended. */
    state(at) {
      const [lanes, values, next, end = null, table = 0] = this.graph.nodes[at];
      return {
        at,
        lanes: lanes.map((lane) => this.graph.lanes[lane]),
        objects: this.objects[table],
        values: values.map((word) => this.graph.words[word]),
        choices: next.map(choice),
        end: end === null ? null : this.graph.ends[end],
      };
    }

    /** How many steps the shortest schedule has that breaks it from this state on; null if none does. */
    shortestFrom(at) {
      return this.toBroken[at] < 0 ? null : this.toBroken[at];
    }

    /** The choices of one of the shortest schedules that break it. */
    shortest() {
      const choices = [];
      let at = 0;
      while (this.toBroken[at] > 0) {
        const next = this.state(at).choices;
        const best = next.findIndex(({ to }) => this.toBroken[to] === this.toBroken[at] - 1);
        choices.push(best);
        at = next[best].to;
      }
      return choices;
    }

    /** The room in an object: the longest list that it ever holds, for drawing its places; 0 if it never holds one. */
    room(object) {
      return Math.max(0, ...this.held(object).map((value) => page.items(value)?.length ?? 0));
    }

    /** The least and the most that an object ever holds, as a number or as the length of a list. */
    range(object) {
      const amounts = this.held(object).map(page.amount).filter((amount) => amount !== null);
      return [Math.min(...amounts), Math.max(...amounts)];
    }

    /** Everything that an object ever holds, each once. */
    held(object) {
      this.known = this.known || new Map();
      if (!this.known.has(object)) {
        const words = new Set(this.graph.nodes.map(([, values]) => values[object]));
        words.delete(undefined);
        this.known.set(object, [...words].map((word) => this.graph.words[word]));
      }
      return this.known.get(object);
    }
  }

  page.Program = Program;

  /** For each state the number of steps to the nearest broken end, -1 where none can be reached: breadth first, backwards. */
  function distances(graph) {
    const before = graph.nodes.map(() => []);
    graph.nodes.forEach(([, , next], from) => next.forEach(([, to]) => before[to].push(from)));
    const steps = graph.nodes.map(() => -1);
    const queue = [];
    graph.nodes.forEach(([, , , end = null], at) => {
      if (end !== null && graph.ends[end].broken) {
        steps[at] = 0;
        queue.push(at);
      }
    });
    for (let head = 0; head < queue.length; head += 1) {
      for (const from of before[queue[head]]) {
        if (steps[from] < 0) {
          steps[from] = steps[queue[head]] + 1;
          queue.push(from);
        }
      }
    }
    return steps;
  }

  /** Splits at the commas that stand in no string and in no brackets: `1, [2, 3], "4, 5"` into three. */
  function split(text) {
    const items = [];
    let item = "";
    let depth = 0;
    let quoted = false;
    for (let at = 0; at < text.length; at += 1) {
      const c = text[at];
      if (quoted && c === "\\") {
        item += c + text[(at += 1)];
        continue;
      }
      if (c === '"') quoted = !quoted;
      if (!quoted && "([{".includes(c)) depth += 1;
      if (!quoted && ")]}".includes(c)) depth -= 1;
      if (c === "," && !quoted && depth === 0) {
        items.push(item.trim());
        item = "";
      } else {
        item += c;
      }
    }
    return item.trim() ? [...items, item.trim()] : items;
  }

  /** The items of a list as Rust's Debug writes it, and words behind it that say more: `[1, 2] closed`; null for no list. */
  page.items = (text) => {
    const list = /^\[(.*)\](?: [^[\]]+)?$/s.exec(text ?? "");
    return list && split(list[1]);
  };

  /** How much a value is: a number, or the length of a list; null for anything else. */
  page.amount = (value) => page.items(value)?.length ?? (/^\d{1,6}$/.test(value ?? "") ? Number(value) : null);

  /** The fields of a struct as Rust's Debug writes it, each a name and a value; null for what is none. */
  page.fields = (text) => {
    const inside = /^\w+ \{ (.*) \}$/s.exec(text ?? "");
    return inside && split(inside[1]).map((field) => [field.slice(0, field.indexOf(":")), field.slice(field.indexOf(":") + 2)]);
  };

  // The list comes in `data/lessons.js`, and each lesson in a file of its own when it is first wanted. Both are scripts and not
  // JSON, because a page that was opened as a file may load scripts from its folder, and nothing else.
  const loading = new Map();
  const come = new Map();

  page.come = (about, programs) => {
    const lesson = { ...about };
    lesson.programs = programs.map((program) => new Program(program, lesson));
    come.set(about.number, lesson);
  };

  /** The lesson that this line of the list names. */
  page.load = ({ number, file }) => {
    if (!loading.has(number)) {
      loading.set(number, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `data/${file}`;
        script.onload = () => (come.has(number) ? resolve(come.get(number)) : script.onerror());
        script.onerror = () => {
          loading.delete(number); // so that it can be tried again
          reject(new Error(`The lesson's data, ${script.src}, cannot be loaded. Is what served this page still running?`));
        };
        document.head.append(script);
      }));
    }
    return loading.get(number);
  };
})();
