//! The walk through the graph of states, and what can be told of all its paths.

use super::end::{end, goes_on};
use super::execution::{Execution, Keeps, Pool};
use super::replay::replay_within;
use crate::effect::{Cue, Effect};
use crate::trace::End;
use crate::world::{Choice, World};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

/// What is kept of threads' code at most; then it is run again.
const RUNS_MAX: usize = 500_000;

/// How far a search goes.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Steps in one schedule. A longer one is left there, and the search is not complete: not for shorter ones either that pass
    /// through a state where it was left.
    pub steps: usize,
    /// States in all.
    pub states: usize,
    /// Wake-ups without a notification, which std permits, in one schedule. They may come and need not: a program that could go on
    /// only by one is in a deadlock.
    pub spurious: u32,
    /// Steps of others that a thread waits through, asleep or without once being able to have what it asks for, until it has
    /// starved; waiting for a thread's end does not count. Without it nobody ever starves. What is waited for by right, such as
    /// one's turn among so many, must take fewer steps; and there are more states, because each is told from the same one in
    /// which somebody has waited for longer.
    ///
    /// It assumes that who can go on again and again does so at some time: who is let past, by a mutex that std hands to whoever
    /// comes, has not waited. And it does not ask for whose sake somebody waits: who waits behind one that is overtaken counts as
    /// waiting too.
    pub patience: Option<usize>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { steps: 1_000, states: 2_000_000, spurious: 0, patience: None }
    }
}

/// What a search found.
#[derive(Debug, Clone)]
pub struct Exploration {
    /// Schedules from the start to an end. At most `u128::MAX`, which then stands for more.
    pub schedules: u128,
    /// Those that break the program.
    pub broken: u128,
    /// States that differ.
    pub states: usize,
    /// Executions that were run to see them all: what a thread does when it has learnt the same, it is not run for again.
    pub executions: usize,
    /// No bound was reached: what is said is said of every schedule.
    pub complete: bool,
    /// A schedule that breaks the program in the fewest steps, and how it ends.
    pub shortest: Option<(Vec<Choice>, End)>,
}

pub(super) struct Node {
    /// From where, and by which choice, it was first reached.
    from: Option<(usize, Choice)>,
    pub(super) next: Vec<(Choice, usize)>,
    pub(super) end: Option<End>,
    depth: usize,
}

pub(super) struct Search<'a> {
    program: fn(),
    bounds: Bounds,
    pub(super) nodes: Vec<Node>,
    /// Is shown the world of each new node.
    looks: &'a mut dyn FnMut(&World),
    known: HashMap<u128, usize>,
    /// What threads' code did, by all that it depends on.
    runs: HashMap<Cue, Vec<Effect>>,
    /// The execution that was run last, where it led to a new node, and that node: most that is not known comes one after the other.
    live: Option<(usize, Execution)>,
    pool: Pool,
    executions: usize,
    pub(super) complete: bool,
}

/// A node that the walk has come to and has not yet left, and the steps from it not yet taken.
struct Stop {
    node: usize,
    world: World,
    open: std::vec::IntoIter<Choice>,
}

/// Runs `program` under every schedule within `bounds`.
///
/// # Panics
///
/// If the program is seen to do something else when it is run again under the same schedule: it asks a clock, or meets other
/// threads outside this crate's primitives. Values are told apart by what their `Debug` writes: derive it, or two that write the
/// same are taken for the same, and schedules are missed without a word.
#[must_use]
pub fn explore(program: fn(), bounds: Bounds) -> Exploration {
    Search::walked(program, bounds, &mut |_| ()).findings()
}

impl<'a> Search<'a> {
    /// Walks to every state, and shows each to `looks` when it is new.
    pub(super) fn walked(program: fn(), bounds: Bounds, looks: &'a mut dyn FnMut(&World)) -> Self {
        let mut search = Self {
            program,
            bounds,
            nodes: Vec::new(),
            looks,
            known: HashMap::new(),
            runs: HashMap::new(),
            live: None,
            pool: Pool::default(),
            executions: 0,
            complete: true,
        };
        search.walk();
        search
    }

    /// Depth first: the ways to the nodes are on the stack.
    fn walk(&mut self) {
        let start = self.execution();
        let world = start.world().without_code();
        self.live = Some((0, start));
        let mut stack: Vec<Stop> = self.arrive(world, None).1.into_iter().collect();
        while let Some(stop) = stack.last_mut() {
            let Some(choice) = stop.open.next() else {
                stack.pop();
                continue;
            };
            if self.nodes.len() >= self.bounds.states {
                self.complete = false;
                return;
            }
            let from = stop.node;
            let mut world = stop.world.without_code();
            let mut ran = None;
            if !self.knows_step(&mut world, choice) {
                let execution = self.run(from, choice);
                world = execution.world().without_code();
                ran = Some(execution);
            }
            let (to, new) = self.arrive(world, Some((from, choice)));
            self.nodes[from].next.push((choice, to));
            // One that is over is taken down at once: a thread of it may have been left while it panicked.
            if new.is_some() && goes_on(self.nodes[to].end.as_ref()) && ran.is_some() {
                self.live = ran.map(|execution| (to, execution));
            }
            stack.extend(new);
        }
    }

    fn execution(&mut self) -> Execution {
        self.executions += 1;
        Execution::start(&self.pool, self.program, &self.bounds, Keeps::Effects)
    }

    /// Takes a step without running any code, if all that code would do is known; else the world is left halfway.
    fn knows_step(&self, world: &mut World, choice: Choice) -> bool {
        let mut goes_on = world.take(choice).then_some(choice.thread);
        if goes_on.is_none() {
            goes_on = world.free();
        }
        while goes_on.is_some() {
            let Some(effects) = self.runs.get(&world.cue()) else { return false };
            effects.iter().for_each(|effect| world.change(effect));
            goes_on = world.free();
        }
        world.waits();
        true
    }

    /// Runs the program to this node and the step from there, and keeps what its threads did.
    fn run(&mut self, node: usize, choice: Choice) -> Execution {
        let live = self.live.take();
        let way = live.as_ref().and_then(|(live, _)| self.way(*live, node));
        let (way, mut execution) = match (way, live) {
            (Some(way), Some((_, execution))) => (way, execution),
            _ => (self.way(0, node).unwrap_or_default(), self.execution()),
        };
        self.keep(&mut execution);
        for choice in way.into_iter().chain([choice]) {
            execution.take(choice);
            self.keep(&mut execution);
        }
        execution
    }

    fn keep(&mut self, execution: &mut Execution) {
        if self.runs.len() >= RUNS_MAX {
            self.runs.clear();
        }
        for (cue, effects) in execution.runs.drain(..) {
            let before = self.runs.entry(cue).or_insert_with(|| effects.clone());
            assert!(
                *before == effects,
                "the program does not do the same when it is run again under the same schedule. An exploration needs that: \
                 threads that meet only in handover_lab's primitives, no clock, no chance but handover_lab::chance, and values \
                 whose Debug is the same for the same value"
            );
        }
    }

    /// The node of this world, and the stop there if it is new.
    fn arrive(&mut self, world: World, from: Option<(usize, Choice)>) -> (usize, Option<Stop>) {
        let node = self.nodes.len();
        match self.known.entry(world.key()) {
            Entry::Occupied(known) => return (*known.get(), None),
            Entry::Vacant(unknown) => unknown.insert(node),
        };
        let depth = from.map_or(0, |(node, _)| self.nodes[node].depth + 1);
        let mut end = end(&world);
        if end.is_none() && depth >= self.bounds.steps {
            self.complete = false;
            end = Some(End::Bound);
        }
        (self.looks)(&world);
        let open = if goes_on(end.as_ref()) { world.choices() } else { Vec::new() };
        self.nodes.push(Node { from, next: Vec::new(), end, depth });
        (node, Some(Stop { node, world, open: open.into_iter() }))
    }

    /// The steps from one node to another, if the walk came to the other by way of it.
    pub(super) fn way(&self, start: usize, mut node: usize) -> Option<Vec<Choice>> {
        let mut way = Vec::new();
        while node != start {
            let (before, choice) = self.nodes[node].from?;
            way.push(choice);
            node = before;
        }
        way.reverse();
        Some(way)
    }

    fn findings(&self) -> Exploration {
        let (schedules, broken) = count(&self.nodes);
        Exploration {
            schedules,
            broken,
            states: self.nodes.len(),
            executions: self.executions,
            complete: self.complete,
            shortest: self.shortest().map(|(schedule, end)| self.told(schedule, end)),
        }
    }

    /// Adds to a deadlock what its schedule says of it.
    fn told(&self, schedule: Vec<Choice>, end: End) -> (Vec<Choice>, End) {
        let told = match &end {
            End::Deadlock { .. } => replay_within(self.program, &schedule, &self.bounds).ok(),
            _ => None,
        };
        let end = told.and_then(|told| told.trace.end).unwrap_or(end);
        (schedule, end)
    }

    /// Breadth first over the edges found: the first broken end is one of those nearest to the start.
    fn shortest(&self) -> Option<(Vec<Choice>, End)> {
        let mut came: Vec<Option<(usize, Choice)>> = vec![None; self.nodes.len()];
        let mut queue = VecDeque::from([0]);
        let mut seen = vec![false; self.nodes.len()];
        seen[0] = true;
        while let Some(node) = queue.pop_front() {
            if let Some(end) = self.nodes[node].end.as_ref().filter(|end| end.is_broken()) {
                let mut way = Vec::new();
                let mut at = node;
                while let Some((before, choice)) = came[at] {
                    way.push(choice);
                    at = before;
                }
                way.reverse();
                return Some((way, end.clone()));
            }
            for &(choice, to) in &self.nodes[node].next {
                if !std::mem::replace(&mut seen[to], true) {
                    came[to] = Some((node, choice));
                    queue.push_back(to);
                }
            }
        }
        None
    }
}

/// Paths from the start to an end, and those to a broken one; a deadlock is an end of its own, also where a wake-up that nobody
/// asked for may lead on.
///
/// # Panics
///
/// If the states go round in a circle, which has endlessly many paths. What a thread has learnt only grows, so there is none but
/// by a mistake of this crate's.
fn count(nodes: &[Node]) -> (u128, u128) {
    let mut counts: Vec<Option<(u128, u128)>> = vec![None; nodes.len()];
    // Of whom all that follows is being counted.
    let mut open = vec![false; nodes.len()];
    let mut stack = vec![0];
    while let Some(&node) = stack.last() {
        if counts[node].is_some() {
            stack.pop();
            continue;
        }
        let next = nodes[node].next.iter().map(|&(_, to)| to);
        if !std::mem::replace(&mut open[node], true) {
            for to in next.filter(|&to| counts[to].is_none()) {
                assert!(
                    !open[to],
                    "the program comes back to a state that it has left: its schedules cannot be counted"
                );
                stack.push(to);
            }
            continue;
        }
        stack.pop();
        let end = nodes[node].end.as_ref();
        let own = end.map_or((0_u128, 0), |end| (1, u128::from(end.is_broken())));
        let add = |sum: (u128, u128), count: (u128, u128)| {
            (sum.0.saturating_add(count.0), sum.1.saturating_add(count.1))
        };
        counts[node] = Some(next.filter_map(|to| counts[to]).fold(own, add));
    }
    counts[0].unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Wake;

    #[test]
    #[should_panic(expected = "comes back to a state that it has left")]
    fn a_circle_of_states_is_refused_and_not_counted_for_ever() {
        let leads = |to| (Choice { thread: 0, wake: Wake::None }, to);
        let node = |to| Node { from: None, next: vec![leads(to)], end: None, depth: 0 };
        count(&[node(1), node(2), node(1)]);
    }
}
