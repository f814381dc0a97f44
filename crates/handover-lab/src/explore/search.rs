//! The walk through the graph of states, and what can be told of all its paths.

use super::execution::{Execution, Pool};
use crate::trace::End;
use crate::world::{Choice, World};
use std::collections::{HashMap, VecDeque};

/// How far a search goes.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Steps in one schedule.
    pub steps: usize,
    /// States in all.
    pub states: usize,
    /// Wake-ups without a notification, which std permits, in one schedule.
    pub spurious: u32,
    /// Steps of others that a thread waits through, asleep or without once being able to have what it asks for, until it has
    /// starved; waiting for a thread's end does not count. Without it nobody ever starves. What is waited for by right, such as
    /// one's turn among so many, must take fewer steps; and there are more states, because each is told from the same one in
    /// which somebody has waited for longer.
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
    /// Executions that were run to see them all.
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
    /// Steps not yet taken: from which node, and which.
    open: Vec<(usize, Choice)>,
    executions: usize,
    pub(super) complete: bool,
}

/// Runs `program` under every schedule within `bounds`.
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
            open: Vec::new(),
            executions: 0,
            complete: true,
        };
        search.walk(&mut Pool::default());
        search
    }

    fn walk(&mut self, pool: &mut Pool) {
        {
            let mut execution = self.start(pool);
            let root = self.arrive(&execution, None).0;
            self.go_on(&mut execution, root);
        }
        while let Some((node, choice)) = self.open.pop() {
            if self.nodes.len() >= self.bounds.states {
                self.complete = false;
                return;
            }
            let mut execution = self.start(pool);
            for choice in self.way_to(node) {
                execution.take(choice);
            }
            if let Some(next) = self.step(&mut execution, node, choice) {
                self.go_on(&mut execution, next);
            }
        }
    }

    fn start<'p>(&mut self, pool: &'p mut Pool) -> Execution<'p> {
        self.executions += 1;
        Execution::start(pool, self.program, &self.bounds, false)
    }

    /// Takes the first open step of each new state until one is known or the end.
    fn go_on(&mut self, execution: &mut Execution<'_>, mut node: usize) {
        // `arrive` left the steps of this node on top of the stack.
        while self.open.last().is_some_and(|&(from, _)| from == node) {
            let Some((_, choice)) = self.open.pop() else { return };
            match self.step(execution, node, choice) {
                Some(next) => node = next,
                None => return,
            }
        }
    }

    /// The node reached, if it is new.
    fn step(
        &mut self,
        execution: &mut Execution<'_>,
        from: usize,
        choice: Choice,
    ) -> Option<usize> {
        execution.take(choice);
        let (to, new) = self.arrive(execution, Some((from, choice)));
        self.nodes[from].next.push((choice, to));
        new.then_some(to)
    }

    fn arrive(
        &mut self,
        execution: &Execution<'_>,
        from: Option<(usize, Choice)>,
    ) -> (usize, bool) {
        let key = execution.key();
        if let Some(&node) = self.known.get(&key) {
            return (node, false);
        }
        let node = self.nodes.len();
        let depth = from.map_or(0, |(node, _)| self.nodes[node].depth + 1);
        let mut end = execution.end();
        if end.is_none() {
            if depth >= self.bounds.steps {
                self.complete = false;
                end = Some(End::Bound);
            } else {
                self.open
                    .extend(execution.choices().into_iter().rev().map(|choice| (node, choice)));
            }
        }
        (self.looks)(&execution.world());
        self.known.insert(key, node);
        self.nodes.push(Node { from, next: Vec::new(), end, depth });
        (node, true)
    }

    fn way_to(&self, mut node: usize) -> Vec<Choice> {
        let mut way = Vec::new();
        while let Some((before, choice)) = self.nodes[node].from {
            way.push(choice);
            node = before;
        }
        way.reverse();
        way
    }

    fn findings(&self) -> Exploration {
        let (schedules, broken) = self.count();
        Exploration {
            schedules,
            broken,
            states: self.nodes.len(),
            executions: self.executions,
            complete: self.complete,
            shortest: self.shortest(),
        }
    }

    /// Paths from the start to an end, and those to a broken one. A thread's history only grows, so the graph has no circle.
    fn count(&self) -> (u128, u128) {
        let mut counts: Vec<Option<(u128, u128)>> = vec![None; self.nodes.len()];
        let mut stack = vec![0];
        while let Some(&node) = stack.last() {
            if counts[node].is_some() {
                stack.pop();
                continue;
            }
            let missing = stack.len();
            stack.extend(
                self.nodes[node].next.iter().map(|&(_, to)| to).filter(|&to| counts[to].is_none()),
            );
            if stack.len() > missing {
                continue;
            }
            stack.pop();
            let own = self.nodes[node]
                .end
                .as_ref()
                .map_or((0_u128, 0), |end| (1, u128::from(end.is_broken())));
            let sum = self.nodes[node]
                .next
                .iter()
                .filter_map(|&(_, to)| counts[to])
                .fold(own, |sum, count| {
                    (sum.0.saturating_add(count.0), sum.1.saturating_add(count.1))
                });
            counts[node] = Some(sum);
        }
        counts[0].unwrap_or_default()
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
