//! What the page knows of the lessons, as scripts: `data/lessons.js`, the list, and a file for each lesson, loaded when it is
//! wanted. Scripts and not JSON, because a page that is opened as a file may load nothing else.
//!
//! A program is sent as the graph of its states, which has every word once. A state is a list: where each thread stands and
//! what each object holds, both as places in tables; the steps from it, `[thread, state, with]`; how it ends or `null`; and
//! which table of objects is meant. The last two are left out where they say nothing. In a step, `with` is the thread that is
//! woken, -1 for a wake-up that nobody asked for, -2 - *n* where chance picks *n*. `web/graph.js` reads it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::panic::Location;
use std::path::Path;

use handover_lab::{Bounds, Choice, End, Graph, Kind, Lane, Node, Op, Wake, explore, graph};
use handover_lessons::{Lesson, Program, all};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::find::is_exercise;

/// Programs with more states than this are on the page without them: 1,000 are about 45 kB.
const STATES_MAX: usize = 5_000;

/// The files, by their paths below the page's folder.
pub(super) fn files() -> impl Iterator<Item = (String, Vec<u8>)> {
    let list: Vec<Value> = all().map(line).collect();
    let list = format!("(window.handover = window.handover || {{}}).lessons = {};\n", rows(&list));
    std::iter::once(("data/lessons.js".to_owned(), list.into_bytes()))
        .chain(all().map(|lesson| (format!("data/{}", file(lesson)), written(lesson))))
}

fn file(lesson: &Lesson) -> String {
    format!("{:02}-{}.js", lesson.number, lesson.name)
}

/// A lesson in the list.
fn line(lesson: &Lesson) -> Value {
    let program = |program: &Program| json!({ "name": program.name, "wrong": program.wrong });
    json!({
        "number": lesson.number,
        "name": lesson.name,
        "exercise": is_exercise(lesson),
        "file": file(lesson),
        "programs": lesson.programs.iter().map(program).collect::<Vec<_>>(),
    })
}

fn written(lesson: &Lesson) -> Vec<u8> {
    let programs: Vec<Value> =
        lesson.programs.iter().map(|program| told(lesson, program)).collect();
    let about = json!({
        "number": lesson.number,
        "name": lesson.name,
        "line": lesson.line,
        "question": lesson.question,
        "hint": lesson.hint,
        "challenge": lesson.challenge,
    });
    format!("handover.come({about}, {});\n", rows(&programs)).into_bytes()
}

/// A list with a line for each of its items, so that a change of one is seen as that.
fn rows(items: &[Value]) -> String {
    let items: Vec<String> = items.iter().map(Value::to_string).collect();
    format!("[\n{}\n]", items.join(",\n"))
}

fn told(lesson: &Lesson, program: &Program) -> Value {
    let bounds = Bounds { states: STATES_MAX, ..program.bounds() };
    let found = explore(program.run, bounds.clone());
    json!({
        "name": program.name,
        "wrong": program.wrong,
        "says": program.says,
        "first": program.first_line(),
        "source": program.source(),
        "limit": STATES_MAX,
        // As text: there may be more than JavaScript's numbers can count.
        "schedules": found.schedules.to_string(),
        "broken": found.broken.to_string(),
        "graph": found.complete.then(|| Tables::of(lesson, program).graph(&graph(program.run, bounds))),
    })
}

/// Where a thread stands, as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
struct Stand {
    name: String,
    is: &'static str,
    /// Which operation it asks for, where the page says something of its own about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    does: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<usize>,
    /// What it takes again, for one who was woken.
    #[serde(skip_serializing_if = "Option::is_none")]
    mutex: Option<usize>,
    /// The thread, or whatever else is no object.
    #[serde(skip_serializing_if = "Option::is_none")]
    whom: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    holds: Vec<usize>,
    /// Whether it looked at what is shared in its last step: what tells a wake-up that was lost, where there are conditions.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    looks: bool,
    /// Whether it would go on if it were woken, for one who sleeps at a deadlock.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    would_go_on: bool,
}

impl Stand {
    fn of(node: &Node, thread: usize, lane: Lane, source: &Source) -> Self {
        let (is, op) = match lane {
            Lane::Ready(op) => ("ready", Some(op)),
            Lane::Waits(op) => ("waits", Some(op)),
            Lane::Asleep(_) => ("asleep", None),
            Lane::Panicked => ("panicked", None),
            // Done, and what later engines add.
            _ => ("done", None),
        };
        let what = match lane {
            Lane::Asleep(condvar) => Some(condvar),
            _ => op.and_then(Op::object),
        };
        let mutex = match op {
            Some(Op::Relock { mutex, .. }) => Some(mutex),
            _ => None,
        };
        let place = node.places.get(thread).copied().flatten();
        let sleeps = node.objects.iter().any(|(kind, _)| *kind == Kind::Condvar);
        Self {
            name: node.threads.get(thread).cloned().unwrap_or_default(),
            is,
            op: op.and_then(key),
            does: op.map(Op::verb),
            what,
            mutex,
            whom: op.and_then(|op| whom(node, op)),
            line: place.and_then(|place| source.line(place)),
            holds: node.holds.get(thread).cloned().unwrap_or_default(),
            looks: sleeps && node.looks.get(thread).copied().unwrap_or_default(),
            would_go_on: node.would_go_on.contains(&thread),
        }
    }
}

/// The operations that the page has words of its own for.
fn key(op: Op) -> Option<&'static str> {
    Some(match op {
        Op::Read(_) | Op::Write(_) | Op::Update(_) => "cell",
        Op::Lock(_) => "lock",
        Op::Relock { .. } => "relock",
        Op::NotifyOne(_) => "notify",
        Op::NotifyAll(_) => "notify_all",
        Op::Acquire(_) => "acquire",
        Op::Send(_) => "send",
        Op::Receive(_) => "receive",
        Op::Join(_) => "join",
        Op::Cut(_) => "cut",
        _ => return None,
    })
}

fn whom(node: &Node, op: Op) -> Option<String> {
    match op {
        Op::Join(id) => node.threads.get(id).cloned(),
        Op::Pick { what, .. } => Some(what.to_owned()),
        _ => None,
    }
}

/// What is said in states, each once.
#[derive(Debug, Default)]
struct Tables {
    source: Source,
    objects: Table<Vec<(&'static str, String)>>,
    words: Table<String>,
    lanes: Table<Stand>,
    ends: Table<Value>,
}

impl Tables {
    fn of(lesson: &Lesson, program: &Program) -> Self {
        let first = program.first_line();
        let lines = first..first + program.source().lines().count();
        let source = Source { file: format!("{:02}_", lesson.number), lines };
        Self { source, ..Self::default() }
    }

    fn graph(mut self, graph: &Graph) -> Value {
        // Most states have the objects of the one with most of them, or the first few of those.
        self.objects.place(named(&graph.objects));
        let nodes: Vec<Value> = graph.nodes.iter().map(|node| self.node(node)).collect();
        json!({
            "objects": self.objects.items,
            "words": self.words.items,
            "lanes": self.lanes.items,
            "ends": self.ends.items,
            "nodes": nodes,
        })
    }

    fn node(&mut self, node: &Node) -> Value {
        let lanes = node.moment.lanes.iter().enumerate();
        let lanes: Vec<usize> = lanes
            .map(|(thread, &lane)| self.lanes.place(Stand::of(node, thread, lane, &self.source)))
            .collect();
        let values = node.moment.values.iter();
        let values: Vec<usize> = values.map(|value| self.words.place(value.clone())).collect();
        let next: Vec<Value> = node.next.iter().map(step).collect();
        let mut told = vec![json!(lanes), json!(values), json!(next)];
        let objects = named(&node.objects);
        let table = self.objects.items.iter().position(|table| table.starts_with(&objects));
        let table = table.unwrap_or_else(|| self.objects.place(objects));
        if node.end.is_some() || table > 0 {
            told.push(
                node.end.as_ref().map_or(Value::Null, |end| json!(self.ends.place(ended(end)))),
            );
        }
        if table > 0 {
            told.push(json!(table));
        }
        Value::Array(told)
    }
}

/// What is shown of the source. A thread may stand elsewhere: in what another program of the lesson defines, or, where an operation
/// is called through a pointer, as in `map(JoinHandle::join)`, in the engine or in std.
#[derive(Debug, Default)]
struct Source {
    /// How the name of its file begins.
    file: String,
    lines: Range<usize>,
}

impl Source {
    /// The line of it on which this place is, if it is there.
    fn line(&self, place: &Location<'_>) -> Option<usize> {
        let file = Path::new(place.file()).file_name()?.to_str()?;
        let line = usize::try_from(place.line()).ok()?;
        (file.starts_with(&self.file) && self.lines.contains(&line)).then_some(line)
    }
}

/// Things, each once.
#[derive(Debug)]
struct Table<T> {
    items: Vec<T>,
    places: HashMap<T, usize>,
}

// Derived, it would ask for a `T` that has a default.
impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { items: Vec::new(), places: HashMap::new() }
    }
}

impl<T: Clone + Eq + Hash> Table<T> {
    /// Where it stands; at the end, if it was not there.
    fn place(&mut self, item: T) -> usize {
        if let Some(&place) = self.places.get(&item) {
            return place;
        }
        self.items.push(item.clone());
        self.places.insert(item, self.items.len() - 1);
        self.items.len() - 1
    }
}

fn named(objects: &[(Kind, String)]) -> Vec<(&'static str, String)> {
    objects.iter().map(|(kind, name)| (kind.word(), name.clone())).collect()
}

fn step((choice, to): &(Choice, usize)) -> Value {
    match choice.wake {
        Wake::Notified(id) => json!([choice.thread, to, id]),
        Wake::Spurious => json!([choice.thread, to, -1]),
        Wake::Picked(number) => json!([choice.thread, to, -2 - i64::from(number)]),
        _ => json!([choice.thread, to]),
    }
}

/// How it ended. Which wake-up was lost is not said here: that is a matter of the way, and two ways may meet in one state.
fn ended(end: &End) -> Value {
    let broken = end.is_broken();
    match end {
        End::Well => json!({ "kind": "well", "broken": broken }),
        End::Panicked { thread, said } => {
            json!({ "kind": "panicked", "broken": broken, "thread": thread, "said": said })
        }
        End::Deadlock { circle, .. } => {
            json!({ "kind": "deadlock", "broken": broken, "circle": circle })
        }
        End::Starved { thread, steps } => {
            json!({ "kind": "starved", "broken": broken, "thread": thread, "steps": steps })
        }
        _ => json!({ "kind": "bound", "broken": broken }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;
    use std::sync::LazyLock;

    /// Every program and what the page is told of it, which takes a while to find out.
    static TOLD: LazyLock<Vec<(&Program, Value)>> = LazyLock::new(|| {
        let programs =
            all().flat_map(|lesson| lesson.programs.iter().map(move |one| (lesson, one)));
        programs.map(|(lesson, program)| (program, told(lesson, program))).collect()
    });

    fn list(value: &Value) -> &[Value] {
        value.as_array().map_or(&[], Vec::as_slice)
    }

    fn number(value: &Value) -> usize {
        usize::try_from(value.as_u64().unwrap()).unwrap()
    }

    /// How many steps the shortest way to a broken end has, as the page looks for it.
    fn shortest(graph: &Value) -> Option<usize> {
        let nodes = list(&graph["nodes"]);
        let mut queue = VecDeque::from([(0, 0)]);
        let mut seen = vec![false; nodes.len()];
        while let Some((node, steps)) = queue.pop_front() {
            if std::mem::replace(&mut seen[node], true) {
                continue;
            }
            let end = nodes[node].get(3).and_then(Value::as_u64);
            let end = end.map(|end| &graph["ends"][usize::try_from(end).unwrap()]);
            if end.is_some_and(|end| end["broken"] == true) {
                return Some(steps);
            }
            queue.extend(list(&nodes[node][2]).iter().map(|step| (number(&step[1]), steps + 1)));
        }
        None
    }

    #[test]
    fn a_shortest_schedule_that_breaks_a_program_can_be_walked_on_the_page() {
        let mut walked = 0;
        for (program, told) in TOLD.iter() {
            if told["graph"].is_null() {
                continue;
            }
            let found = explore(program.run, program.bounds());
            let steps = found.shortest.map(|(schedule, _)| schedule.len());
            assert_eq!(shortest(&told["graph"]), steps, "{}", program.name);
            walked += 1;
        }
        assert!(walked > 20, "{walked}");
    }

    #[test]
    fn a_thread_stands_on_the_line_of_the_source_that_it_does_next() {
        let (program, told) =
            TOLD.iter().find(|(program, _)| program.name == "lost_update").unwrap();
        let lines: Vec<&str> = program.source().lines().collect();
        let mut looked_at = 0;
        for lane in list(&told["graph"]["lanes"]) {
            let Some(line) = lane.get("line") else { continue };
            let stands = lines[number(line) - program.first_line()];
            let does = match lane["does"].as_str().unwrap() {
                "reads" => ".read()",
                "writes" => ".write(",
                _ => ".join()",
            };
            assert!(stands.contains(does), "{lane} stands at {stands}");
            looked_at += 1;
        }
        assert!(looked_at >= 6, "{looked_at}");
    }

    #[test]
    fn a_line_of_another_file_is_none_of_the_program() {
        let here = Location::caller();
        let line = usize::try_from(here.line()).unwrap();
        let source = |file: &str| Source { file: file.to_owned(), lines: line..line + 1 };
        assert_eq!(source("data").line(here), Some(line));
        assert_eq!(source("04_").line(here), None);
        assert_eq!(Source { lines: 0..line, ..source("data") }.line(here), None);
    }

    #[test]
    fn a_line_that_is_not_shown_is_not_told() {
        for (program, told) in TOLD.iter() {
            let shown =
                program.first_line()..program.first_line() + program.source().lines().count();
            let lanes = list(&told["graph"]["lanes"]).iter();
            let lines: Vec<usize> = lanes.filter_map(|lane| lane.get("line")).map(number).collect();
            assert!(lines.iter().all(|line| shown.contains(line)), "{}: {lines:?}", program.name);
        }
    }

    #[test]
    fn a_thousand_states_are_small_enough_for_a_page() {
        for (program, told) in TOLD.iter() {
            let states = list(&told["graph"]["nodes"]).len();
            let bytes = told.to_string().len();
            assert!(
                bytes < 10_000 + states * 100,
                "{}: {states} states, {bytes} bytes",
                program.name
            );
        }
    }

    #[test]
    fn what_stands_in_a_table_stands_there_once() {
        let mut table = Table::default();
        assert_eq!(["a", "b", "a", "b"].map(|word| table.place(word)), [0, 1, 0, 1]);
        assert_eq!(table.items, ["a", "b"]);
    }
}
