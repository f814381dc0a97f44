//! The graph: it is what the explorer counts, every way through it is a schedule, and numbers keep their meaning on the way.

use crate::programs;
use handover_lab::sync::{Atomic, Mutex};
use handover_lab::{Bounds, Choice, End, Graph, Lane, explore, graph, replay, thread};
use std::collections::BTreeSet;
use std::sync::Arc;

fn whole(program: fn()) -> Graph {
    let graph = graph(program, Bounds::default());
    assert!(graph.complete);
    graph
}

/// An end without what only the way to it says.
fn without_way(end: End) -> End {
    match end {
        End::Deadlock { circle, .. } => End::Deadlock { circle, lost_wakeups: vec![] },
        end => end,
    }
}

/// Follows every way from this node to its end, compares each new node with the replay of the way to it, and counts the ends.
fn follow(
    program: fn(),
    graph: &Graph,
    node: usize,
    way: &mut Vec<Choice>,
    seen: &mut BTreeSet<usize>,
) -> (u128, u128) {
    let new = seen.insert(node);
    let node = &graph.nodes[node];
    if new {
        let told = replay(program, way).unwrap();
        let last = told.moments.last().unwrap();
        assert_eq!(told.trace.end.map(without_way), node.end);
        let go_on = told.sleepers.iter().filter(|one| one.would_go_on).map(|one| one.thread);
        assert_eq!(go_on.collect::<Vec<_>>(), node.would_go_on);
        assert_eq!((&last.lanes, &last.values), (&node.moment.lanes, &node.moment.values));
        assert_eq!(last.choices, node.moment.choices);
        assert_eq!((&told.trace.threads, &told.trace.objects), (&node.threads, &node.objects));
    }
    if let Some(end) = &node.end {
        return (1, u128::from(end.is_broken()));
    }
    let choices: Vec<Choice> = node.next.iter().map(|(choice, _)| *choice).collect();
    assert_eq!(choices, node.moment.choices, "a step for each choice");
    let mut ends = (0, 0);
    for &(choice, next) in &node.next {
        way.push(choice);
        let more = follow(program, graph, next, way, seen);
        way.pop();
        ends = (ends.0 + more.0, ends.1 + more.1);
    }
    ends
}

#[test]
fn every_way_through_the_graph_replays_and_they_are_as_many_as_schedules() {
    let programs: [fn(); 14] = [
        programs::lost_update,
        programs::two_orders,
        programs::lost_wakeup,
        programs::messages,
        || programs::monitor(1, 1, 2, false),
        || programs::semaphores(true),
        makes_in_either_order,
        own_places_in_rounds,
        programs::atomic_update,
        programs::poisoned,
        || programs::readers_and_writer(1, false),
        || programs::monitor(2, 2, 1, true),
        programs::lost_on_the_way,
        || programs::power_cut(true),
    ];
    for (number, program) in programs.into_iter().enumerate() {
        let (graph, found) = (whole(program), explore(program, Bounds::default()));
        assert_eq!(graph.nodes.len(), found.states, "program {number}");
        let ends = follow(program, &graph, 0, &mut Vec::new(), &mut BTreeSet::new());
        assert_eq!(ends, (found.schedules, found.broken), "program {number}");
    }
}

#[test]
fn a_node_says_where_threads_stand_and_what_they_hold() {
    let graph = whole(programs::two_orders);
    let start = &graph.nodes[0];
    assert_eq!((start.threads.len(), &start.holds), (3, &vec![vec![]; 3]));
    assert_eq!(graph.objects.len(), 2);
    let stuck = graph.nodes.iter().find(|node| node.end.as_ref().is_some_and(End::is_broken));
    let stuck = stuck.expect("it can break");
    assert_eq!(stuck.holds, [vec![], vec![0], vec![1]]);
    assert_eq!(stuck.end, Some(End::Deadlock { circle: vec![1, 2], lost_wakeups: vec![] }));
    let places = stuck.places.iter().map(|place| place.unwrap());
    assert!(places.clone().all(|place| place.file().ends_with("programs.rs")));
    let lines: Vec<u32> = places.map(|place| place.line()).collect();
    assert!(lines[1] < lines[2] && lines[2] < lines[0], "in the order of the source: {lines:?}");
    let well = graph.nodes.iter().find(|node| node.end == Some(End::Well)).unwrap();
    assert_eq!((well.places.as_slice(), well.moment.lanes[0]), ([None; 3].as_slice(), Lane::Done));
}

#[test]
fn a_node_says_who_looked_in_its_last_step_and_who_would_go_on_if_woken() {
    let graph = whole(programs::lost_wakeup);
    let stuck = graph.nodes.iter().find(|node| node.end.as_ref().is_some_and(End::is_broken));
    assert_eq!(stuck.unwrap().would_go_on, [1]);
    assert!(graph.nodes[0].looks.iter().all(|looks| !looks), "nobody has taken a step");
    let step = |node: usize, thread| {
        let next = graph.nodes[node].next.iter().find(|(choice, _)| choice.thread == thread);
        next.unwrap().1
    };
    let (looked, again) = (step(0, 1), step(step(0, 1), 1));
    assert!(
        graph.nodes[looked].looks[1] && !graph.nodes[again].looks[1],
        "it locks without a look"
    );
}

#[test]
fn a_graph_that_is_too_large_is_cut_and_says_so() {
    let bounds = Bounds { states: 100, ..Bounds::default() };
    let cut = graph(|| programs::monitor(2, 2, 2, false), bounds);
    assert!(!cut.complete && cut.nodes.len() < 300);
    assert!(cut.nodes.iter().any(|node| node.next.len() < node.moment.choices.len()));
    let short = graph(programs::never_ends, Bounds { steps: 8, ..Bounds::default() });
    assert!(short.nodes.iter().any(|node| node.end == Some(End::Bound)));
}

/// Two threads make a mutex and a thread each, in either order; the threads begin alike and end otherwise.
fn makes_in_either_order() {
    let turn = Arc::new(Atomic::new("turn", 0));
    let makers = ["left", "right"].map(|name| {
        let turn = Arc::clone(&turn);
        thread::spawn(name, move || {
            turn.load();
            let own = Mutex::new(name, ());
            let child = thread::spawn(&format!("child of {name}"), move || {
                turn.load();
                if name == "left" {
                    turn.update(|seen| seen + 1);
                }
            });
            drop(own.lock());
            child.join();
        })
    });
    for maker in makers {
        maker.join();
    }
    assert_eq!(turn.load(), 1);
}

/// Each thread makes a mutex of the same name, in either order, and forgets in each round all but its number: not which is its own.
fn own_places_in_rounds() {
    let turn = Arc::new(Atomic::new("turn", 0));
    let threads = ["left", "right"].map(|name| {
        let turn = Arc::clone(&turn);
        thread::spawn(name, move || {
            turn.load();
            let own = Mutex::new("own", 0);
            for _ in thread::rounds(2) {
                turn.load();
                *own.lock() += 1;
            }
            *own.lock()
        })
    });
    assert_eq!(threads.map(thread::JoinHandle::join), [2, 2]);
}
