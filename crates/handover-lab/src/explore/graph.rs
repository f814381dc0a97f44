//! Every state of a program and every step between them, for whoever wants to walk it: forward, back, and by another choice. The
//! search is the same that counts schedules; this keeps what it saw.

use super::asleep;
use super::replay::{Moment, moment};
use super::search::{Bounds, Search};
use crate::op::{Kind, ObjectId, ThreadId};
use crate::trace::End;
use crate::world::{Choice, Standing, State, World};
use std::panic::Location;

/// All states of a program and the steps between them.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The objects' kinds and names by number, of the first state that has the most. Objects that the main thread makes before it
    /// starts others have the same number everywhere; for others see [`Node::objects`].
    pub objects: Vec<(Kind, String)>,
    /// The states, the start first.
    pub nodes: Vec<Node>,
    /// No bound was reached: these are all.
    pub complete: bool,
}

/// One state of a program. The numbers of threads and objects mean the same on every way to it.
#[derive(Debug, Clone)]
pub struct Node {
    /// The threads' names, by number.
    pub threads: Vec<String>,
    /// The objects' kinds and names, by number. Where threads make objects of their own, the same number may be of another object
    /// in a state that this one is not reached from.
    pub objects: Vec<(Kind, String)>,
    /// Where everybody stands.
    pub moment: Moment,
    /// Where in the source the operation stands that each thread asks for or sleeps in, by number; `None` for one that has ended.
    pub places: Vec<Option<&'static Location<'static>>>,
    /// The mutexes that each thread holds, by number.
    pub holds: Vec<Vec<ObjectId>>,
    /// Whether each thread looked at what is shared in its own last step, by number: at a cell, or at what a mutex guards.
    pub looks: Vec<bool>,
    /// At a deadlock, the sleepers that would go on if they were woken, each alone: see
    /// [`Sleeper::would_go_on`](crate::Sleeper::would_go_on).
    pub would_go_on: Vec<ThreadId>,
    /// The steps from here and the nodes that they lead to, in the order of the moment's choices; none where it ends, but for
    /// wake-ups that nobody asked for after a deadlock; and fewer than choices if the search stopped at a bound.
    pub next: Vec<(Choice, usize)>,
    /// How the program ends here, if it does.
    pub end: Option<End>,
}

/// Walks to every state of `program` within `bounds`, and keeps them all: some kilobytes each, so bound the states.
///
/// ```
/// use handover_lab::{Bounds, End, graph, sync::Shared, thread};
/// use std::sync::Arc;
///
/// fn program() {
///     let flag = Arc::new(Shared::new("flag", false));
///     let other = Arc::clone(&flag);
///     let setter = thread::spawn("setter", move || other.write(true));
///     flag.read();
///     setter.join();
/// }
///
/// let graph = graph(program, Bounds { states: 5_000, ..Bounds::default() });
/// assert!(graph.complete);
/// let mut node = &graph.nodes[0];
/// while let Some(&(_, next)) = node.next.first() {
///     node = &graph.nodes[next];
/// }
/// assert_eq!(node.end, Some(End::Well));
/// ```
///
/// # Panics
///
/// As [`explore`](super::explore).
#[must_use]
pub fn graph(program: fn(), bounds: Bounds) -> Graph {
    let mut nodes = Vec::new();
    let mut looks = |world: &World| nodes.push(seen(world));
    let search = Search::walked(program, bounds.clone(), &mut looks);
    let stuck: Vec<Vec<ThreadId>> =
        (0..search.nodes.len()).map(|node| would_go_on(&search, node, program, &bounds)).collect();
    let (found, complete) = (search.nodes, search.complete);
    for ((node, found), stuck) in nodes.iter_mut().zip(found).zip(stuck) {
        node.would_go_on = stuck;
        node.next = found.next;
        node.end = found.end;
    }
    let most = nodes.iter().map(|node| node.objects.len()).max().unwrap_or(0);
    let objects = nodes.iter().find(|node| node.objects.len() == most);
    Graph { objects: objects.map(|node| node.objects.clone()).unwrap_or_default(), nodes, complete }
}

fn seen(world: &World) -> Node {
    let ended = |standing| matches!(standing, Standing::Done | Standing::Panicked);
    let place = |thread: &crate::world::Thread| (!ended(thread.standing)).then_some(thread.place);
    Node {
        threads: world.threads.iter().map(|thread| thread.name.to_string()).collect(),
        objects: world.objects(),
        moment: moment(world),
        places: world.threads.iter().map(place).collect(),
        looks: world.threads.iter().map(|thread| thread.looks).collect(),
        would_go_on: Vec::new(),
        holds: (0..world.threads.len()).map(|thread| held(world, thread)).collect(),
        next: Vec::new(),
        end: None,
    }
}

/// The sleepers of a deadlock who would go on if they were woken: the same on every way to it.
fn would_go_on(search: &Search<'_>, node: usize, program: fn(), bounds: &Bounds) -> Vec<ThreadId> {
    let Some(End::Deadlock { .. }) = search.nodes[node].end else { return Vec::new() };
    let way = search.way(0, node).unwrap_or_default();
    let wakeable = asleep::wakeable(program, bounds, &way).into_iter();
    wakeable.filter(|&(_, _, goes_on)| goes_on).map(|(thread, _, _)| thread).collect()
}

fn held(world: &World, thread: ThreadId) -> Vec<ObjectId> {
    let held = |(_, thing): &(ObjectId, &crate::world::Thing)| matches!(thing.state, State::Mutex { owner: Some(owner), .. } if owner == thread);
    world.things.iter().enumerate().filter(held).map(|(id, _)| id).collect()
}
