// Where somebody is in a program: the choices made, and how far they are shown; and the same as the end of a link,
// `#02/lost_update/0.1.0@7c1e`, where each number is the place of a choice among those that were possible, and the end is the
// version of the program.
(() => {
  "use strict";
  const page = (window.handover = window.handover || {});

  /** A schedule that is being made. Steps back keep what was there, until another way is taken. */
  class Walk {
    constructor(program) {
      this.program = program;
      this.states = [program.state(0)];
      this.taken = []; // indices of choices; one fewer than states
      this.at = 0;
      this.source = "made"; // whose the last step is: "made" by the student, "played" by the page, or from a "link"
    }

    get state() {
      return this.states[this.at];
    }

    get isAtEnd() {
      return this.state.end !== null;
    }

    /** The state before and after step number `step`, counted from 1, and the choice between them. */
    step(step) {
      const before = this.states[step - 1];
      return { step, before, choice: before.choices[this.taken[step - 1]], after: this.states[step] };
    }

    /** Takes the step with this place among those possible; false if there is none. */
    take(index, source = "made") {
      const choice = this.state.choices[index];
      if (!choice) return false;
      if (this.taken[this.at] !== index) {
        this.states.length = this.at + 1;
        this.taken.length = this.at;
        this.taken.push(index);
        this.states.push(this.program.state(choice.to));
      }
      this.source = source;
      this.at += 1;
      return true;
    }

    /** Goes to a step that was taken before. */
    goTo(at) {
      const there = Math.min(Math.max(at, 0), this.taken.length);
      const moved = there !== this.at;
      this.at = there;
      return moved;
    }

    get hash() {
      const { lesson, name, version } = this.program;
      return page.hash(lesson, name, this.taken.slice(0, this.at), version);
    }
  }

  page.Walk = Walk;

  page.hash = (lesson, program, taken = [], version = null) => {
    const parts = [String(lesson.number).padStart(2, "0"), program];
    const steps = taken.join(".") + (version ? `@${version}` : "");
    return `#${taken.length ? [...parts, steps].join("/") : parts.join("/")}`;
  };

  /** What a link asks for, read as far as it can be: a lesson's line in the list, a program's name, choices, and what is wrong. */
  page.asked = (hash, lessons) => {
    let text = hash.replace(/^#/, "");
    try {
      text = decodeURIComponent(text);
    } catch {
      // A stray % sign: what is wrong with it is said below.
    }
    const [number = "", program = "", schedule = "", ...more] = text.split("/");
    const nothing = { program: null, taken: [], version: null, problem: null };
    if (!number) return { ...nothing, line: lessons[0] };
    const line = lessons.find((lesson) => /^\d+$/.test(number) && lesson.number === Number(number))
      ?? lessons.find((lesson) => lesson.name === number.toLowerCase());
    if (!line) {
      return { ...nothing, line: lessons[0], problem: `The link names lesson ${short(number)}, and there is none.` };
    }
    const missing = program && !line.programs.some(({ name }) => name === program);
    if (missing) {
      const problem = `The link names program ${short(program)}, and lesson ${line.number} has none of that name.`;
      return { ...nothing, line, problem };
    }
    const [steps, version = null, ...rest] = schedule.split("@");
    if (more.length || rest.length) {
      const behind = short(more.length ? `/${more.join("/")}` : `@${rest.join("@")}`);
      const problem = `The link has ${behind} behind the schedule, which means nothing. Nothing of it was followed.`;
      return { ...nothing, line, program, problem };
    }
    return { ...nothing, line, program: program || null, taken: steps ? steps.split(".") : [], version };
  };

  /** What is said of a schedule that is not known to be of this program as it is now; null where it is. */
  page.checked = (program, { taken, version }) => {
    if (!taken.length || version === program.version) return null;
    if (version === null) return "The link names no version of the program, so that it was not checked whether it is of this one.";
    return `The link is of another version of the program, ${short(version)}, and this is ${program.version}: `
      + "the same choices may do something else here.";
  };

  /** Takes these choices as far as they fit; what is said where they do not. */
  page.follow = (walk, taken) => {
    for (const [index, word] of taken.entries()) {
      const { choices } = walk.state;
      const fits = /^\d{1,4}$/.test(word) && walk.take(Number(word), "link");
      if (!fits) {
        const possible = choices.length === 1 ? "the only choice is 0" : `the choices are 0 to ${choices.length - 1}`;
        const there = walk.isAtEnd ? "the program has ended before" : `it asks for choice ${short(word)} there, and ${possible}`;
        const shown = index === 0 ? "Nothing of it could be followed." : "What comes before that step is shown.";
        return `The schedule in the link leaves the program at step ${index + 1}: ${there}. ${shown} `
          + "It may have been made for another version of the program.";
      }
    }
    return null;
  };

  function short(text) {
    return text.length > 40 ? `“${text.slice(0, 39)}…”` : `“${text}”`;
  }
})();
