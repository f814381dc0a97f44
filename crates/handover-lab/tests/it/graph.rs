//! The graph: it is what the explorer counts, every way through it is a schedule, and numbers keep their meaning on the way.

use crate::programs;
use handover_lab::sync::{Atomic, Mutex};
use handover_lab::{Bounds, Choice, End, Graph, Lane, explore, graph, replay, thread};
use std::sync::Arc;

fn whole(program: fn()) -> Graph {
    let graph = graph(program, Bounds::default());
    assert!(graph.complete);
    graph
}

/// Follows every way from this node to its end, and compares each with the replay of it.
fn follow(
    program: fn(),
    graph: &Graph,
    node: usize,
    way: &mut Vec<Choice>,
    ends: &mut (u128, u128),
) {
    let node = &graph.nodes[node];
    if let Some(end) = &node.end {
        let told = replay(program, way).unwrap();
        assert_eq!(told.trace.end.as_ref(), Some(end));
        let last = told.moments.last().unwrap();
        assert_eq!((&last.lanes, &last.values), (&node.moment.lanes, &node.moment.values));
        assert_eq!((&told.trace.threads, &told.trace.objects), (&node.threads, &node.objects));
        *ends = (ends.0 + 1, ends.1 + u128::from(end.is_broken()));
    }
    let choices: Vec<Choice> = node.next.iter().map(|(choice, _)| *choice).collect();
    assert!(node.end.is_some() || choices == node.moment.choices, "a step for each choice");
    for &(choice, next) in &node.next {
        way.push(choice);
        follow(program, graph, next, way, ends);
        way.pop();
    }
}

#[test]
fn every_way_through_the_graph_replays_and_they_are_as_many_as_schedules() {
    let programs: [fn(); 9] = [
        programs::lost_update,
        programs::two_orders,
        programs::lost_wakeup,
        programs::messages,
        || programs::monitor(1, 1, 2, false),
        || programs::semaphores(true),
        makes_in_either_order,
        programs::lost_on_the_way,
        || programs::power_cut(true),
    ];
    for (number, program) in programs.into_iter().enumerate() {
        let (graph, found) = (whole(program), explore(program, Bounds::default()));
        assert_eq!(graph.nodes.len(), found.states, "program {number}");
        let mut ends = (0, 0);
        follow(program, &graph, 0, &mut Vec::new(), &mut ends);
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
    let lines: Vec<u32> = stuck.places.iter().map(|line| line.unwrap()).collect();
    assert!(lines[1] < lines[2] && lines[2] < lines[0], "in the order of the source: {lines:?}");
    let well = graph.nodes.iter().find(|node| node.end == Some(End::Well)).unwrap();
    assert_eq!((well.places.as_slice(), well.moment.lanes[0]), ([None; 3].as_slice(), Lane::Done));
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
