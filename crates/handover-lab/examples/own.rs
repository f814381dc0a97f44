//! A small model of one's own code, explored: a cache that is to load its
//! value once, however many threads ask for it at the same time.
//!
//! What is not here: the real cache. A model keeps what threads share and the
//! order in which they touch it, and leaves out all else.

#![allow(clippy::print_stdout, reason = "it speaks to a person")]

use handover_lab::picture::{self, text};
use handover_lab::sync::{Atomic, Mutex};
use handover_lab::{Bounds, explore, replay, thread};
use std::sync::Arc;

fn main() {
    show("look_then_load", look_then_load);
    show("load_inside", load_inside);
}

/// Wrong: between the look and the loading, another thread looks too.
fn look_then_load() {
    let cache = Arc::new(Mutex::new("cache", None));
    let loads = Arc::new(Atomic::new("loads", 0));
    let threads = ["a", "b"].map(|name| {
        let (cache, loads) = (Arc::clone(&cache), Arc::clone(&loads));
        thread::spawn(name, move || {
            let found = *cache.lock();
            if found.is_none() {
                loads.update(|count| count + 1); // the slow part
                *cache.lock() = Some("value");
            }
        })
    });
    for thread in threads {
        thread.join();
    }
    assert_eq!(loads.load(), 1, "loaded once");
}

/// Right: whoever looks loads, before anybody else can look.
fn load_inside() {
    let cache = Arc::new(Mutex::new("cache", None));
    let loads = Arc::new(Atomic::new("loads", 0));
    let threads = ["a", "b"].map(|name| {
        let (cache, loads) = (Arc::clone(&cache), Arc::clone(&loads));
        thread::spawn(name, move || {
            let mut found = cache.lock();
            if found.is_none() {
                loads.update(|count| count + 1);
                *found = Some("value");
            }
        })
    });
    for thread in threads {
        thread.join();
    }
    assert_eq!(loads.load(), 1, "loaded once");
}

/// Runs a program under all its schedules, and prints what came of it.
fn show(name: &str, program: fn()) {
    let found = explore(program, Bounds::default());
    let (broken, all) = (found.broken, found.schedules);
    println!("{name}: {broken} of {all} schedules break it");
    if !found.complete {
        println!("not all schedules were looked at: a bound was reached");
    }
    if let Some((schedule, _)) = &found.shortest {
        let run = replay(program, schedule).expect("it was found there");
        println!("\n{}", text::steps(&picture::of_replay(name, &run), false));
    }
}

#[test]
fn the_value_is_loaded_once_in_every_schedule() {
    let found = explore(load_inside, Bounds::default());
    assert!(found.complete && found.broken == 0, "{found:?}");
}

#[test]
fn the_explorer_breaks_what_is_wrong() {
    assert!(explore(look_then_load, Bounds::default()).broken > 0);
}
