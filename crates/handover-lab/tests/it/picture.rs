//! Pictures of small runs: the text word for word, the others by what a reader of them needs.

use crate::programs;
use handover_lab::picture::{self, State, chrome, svg, text};
use handover_lab::sync::{Atomic, Buffer, Disk, Mutex, Shared};
use handover_lab::{
    Bounds, End, Kind, Op, Span, Trace, Unit, chance, explore, record, replay, thread,
};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

fn broken(title: &str, program: fn()) -> picture::Picture {
    let (schedule, _) = explore(program, Bounds::default()).shortest.expect("it can break");
    picture::of_replay(title, &replay(program, &schedule).unwrap())
}

#[test]
fn steps_are_a_table_of_who_did_what_and_what_was_held() {
    let picture = broken("The lost update", programs::lost_update);
    let table = "\
step main              a                 b                 counter
   0 starts a, starts                                      0
     b
   1                   reads counter: 0                    0
   2                                     reads counter: 0  0
   3 joins a           writes counter: 1                   1
   4 joins b                             writes counter: 1 1
   5 reads counter: 1                                      1
   => main panics: assertion `left == right` failed: an update is lost,
      left: 1, right: 2
";
    assert_eq!(text::steps(&picture, false), table);
}

#[test]
fn what_is_read_is_told_also_where_the_lock_is_given_back_after_it() {
    let picture = broken("Read under a lock", || {
        let (lock, clock) = (Mutex::new("lock", ()), Atomic::new("clock", 10));
        let held = lock.lock();
        let now = clock.load();
        drop(held);
        assert_ne!(now, 10);
    });
    let said: Vec<&str> = picture.lanes[0].marks.iter().map(|mark| mark.text.as_str()).collect();
    assert_eq!(said, ["locks lock", "reads clock: 10", "unlocks lock"]);
}

#[test]
fn a_wakeup_without_a_notification_is_a_row_of_its_own() {
    let bounds = Bounds { spurious: 1, ..Bounds::default() };
    let (schedule, _) = explore(programs::trusts_a_wakeup, bounds).shortest.unwrap();
    let picture =
        picture::of_replay("Spurious", &replay(programs::trusts_a_wakeup, &schedule).unwrap());
    let waiter = &picture.lanes[1];
    let woken = waiter.marks.iter().find(|mark| mark.text.contains("wakes unasked")).unwrap();
    let asleep = waiter.segments.iter().find(|segment| segment.state == State::Asleep).unwrap();
    assert_eq!(woken.at, asleep.to, "the row and the lane tell it at the same step");
}

#[test]
fn lanes_are_bars_of_what_each_thread_is_doing() {
    let picture = broken("Two orders", programs::two_orders);
    let bars = "\
main ············
a    ────████▒▒▒▒
b    ────────▒▒▒▒
─ able to run  █ holding a lock  · waiting  ▒ waiting, holding a lock
steps 0 to 2
      a waits for right, which b holds
      b waits for left, which a holds
   => a deadlock: a and b wait for each other
";
    assert_eq!(text::lanes(&picture, false), bars);
}

#[test]
fn a_deadlock_without_a_circle_says_who_waits_for_what() {
    let picture = broken("Swapped", || programs::semaphores(true));
    let verdict = "a deadlock: nobody can go on; producer waits for room; consumer waits for items, which producer holds";
    assert_eq!(picture.verdict, verdict);
}

#[test]
fn who_waits_at_the_end_and_did_nothing_has_a_column_too() {
    let picture = broken("Nothing comes", || {
        let mail = Arc::new(Buffer::<u32>::new("mail", 1));
        thread::spawn("bob", move || mail.receive()).join();
    });
    let table = "\
step main                    bob                     mail
   0 starts bob                                      []
 end waits for the end of    waits for a value in
     bob                     mail
   => a deadlock: nobody can go on; bob waits for a value in mail
";
    assert_eq!(text::steps(&picture, false), table);
}

#[test]
fn a_circle_of_one_waits_for_what_it_holds_itself() {
    let picture = broken("Twice", || {
        let cash = Mutex::new("cash", ());
        let _once = cash.lock();
        let _twice = cash.lock();
    });
    assert_eq!(picture.verdict, "a deadlock: main waits for what it holds itself");
    assert_eq!(picture.circle_told(), ["main waits for cash, which it holds itself"]);
    let graph = svg::svg(&picture);
    well_formed(&graph);
    assert_eq!(graph.matches(r#"marker-end="url(#ring-tip)""#).count(), 1, "{graph}");
}

#[test]
fn a_circle_says_who_holds_what_and_whose_end_is_waited_for() {
    let picture = broken("Joined under a lock", || {
        let cash = Arc::new(Mutex::new("cash", ()));
        let held = cash.lock();
        let other = Arc::clone(&cash);
        let saver = thread::spawn("saver", move || drop(other.lock()));
        saver.join();
        drop(held);
    });
    assert_eq!(
        picture.circle_told(),
        ["main waits for the end of saver", "saver waits for cash, which main holds"]
    );
    let three = broken("Three", || {
        let forks = ["a", "b", "c"].map(|name| Arc::new(Mutex::new(name, ())));
        let at_table = [0, 1, 2].map(|seat| {
            let (left, right) = (Arc::clone(&forks[seat]), Arc::clone(&forks[(seat + 1) % 3]));
            thread::spawn(["ann", "bob", "eve"][seat], move || {
                let _left = left.lock();
                drop(right.lock());
            })
        });
        at_table.into_iter().for_each(thread::JoinHandle::join);
    });
    assert_eq!(three.verdict, "a deadlock: ann, bob and eve wait for one another");
}

#[test]
fn what_chance_picks_is_told_with_what_there_was_to_pick_from() {
    let picture = broken("Crash", || assert_eq!(chance::pick("crash", 2), 0));
    assert_eq!(picture.lanes[0].marks[0].text, "chance picks crash: 1 (of 0, 1)");
}

#[test]
fn what_a_narrow_column_cannot_hold_goes_on_in_a_second_line() {
    let picture = broken("Poisoned", || {
        let threads =
            ["one", "two", "three", "four", "five"].map(|name| thread::spawn(name, || ()));
        threads.into_iter().for_each(thread::JoinHandle::join);
        let job = Mutex::new("job", "bob's");
        let _held = job.lock();
        panic!("with the mutex in its hand");
    });
    let table = text::steps(&picture, false);
    assert!(table.contains("\"bob's\"\n") && table.contains("poisoned\n"), "{table}");
}

#[test]
fn colours_are_only_there_where_they_are_asked_for() {
    let picture = broken("Two orders", programs::two_orders);
    for draw in [text::steps, text::lanes] {
        assert!(!draw(&picture, false).contains('\x1b'));
        assert!(draw(&picture, true).contains("\x1b["));
    }
}

#[test]
fn text_fits_a_terminal() {
    let programs: [fn(); 2] = [|| programs::monitor(2, 2, 1, true), programs::lost_update];
    for program in programs {
        let picture = broken("Wide", program);
        for text in [text::steps(&picture, false), text::lanes(&picture, false)] {
            assert!(text.lines().all(|line| line.chars().count() <= text::COLUMNS), "{text}");
        }
    }
}

/// Every element that is opened is closed, in order.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{svg}");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new(), "{svg}");
}

#[test]
fn an_svg_is_whole_names_everybody_and_escapes_what_it_quotes() {
    let picture = broken("a < b & \"c\"", || programs::monitor(2, 2, 1, true));
    let svg = svg::svg(&picture);
    well_formed(&svg);
    assert!(
        svg.contains("a &lt; b &amp; &quot;c&quot;") && svg.contains("prefers-color-scheme: dark")
    );
    for lane in &picture.lanes {
        assert!(svg.contains(&lane.name));
    }
    for (state, holding) in picture.legend() {
        let word = picture.subject.word(state, holding);
        assert!(svg.contains(word), "the legend has {word}");
    }
}

#[test]
fn chrome_reads_what_is_written_for_it() {
    let picture = broken("The lost wake-up", programs::lost_wakeup);
    let verdict = "a lost wake-up: told was notified after waiter had looked and before it slept";
    assert_eq!(picture.verdict, verdict);
    let passed = broken("One of two", || programs::gate(false, false)).verdict;
    let other = "sleeps on opened, and would go on if woken: the notification went to another";
    assert!(passed.contains(other), "{passed}");
    let nothing = broken("One loaf", || programs::one_loaf(&["eve", "joe"])).verdict;
    assert!(nothing.contains("sleeps on bread, for what never comes"), "{nothing}");
    let json: serde_json::Value = serde_json::from_str(&chrome::chrome(&picture)).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let count = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
    assert_eq!(count("M"), picture.lanes.len());
    assert_eq!(count("X"), picture.lanes.iter().map(|lane| lane.segments.len()).sum::<usize>());
    assert_eq!((count("s"), count("f")), (picture.arrows.len(), picture.arrows.len()));
}

#[test]
fn real_threads_are_drawn_with_their_waits() {
    let trace = record(|| programs::monitor(2, 2, 3, false), Duration::from_secs(60));
    let picture = picture::of_trace("Real threads", &trace);
    assert_eq!((picture.unit, picture.lanes.len()), ("µs", 5));
    let stretches = picture.lanes.iter().flat_map(|lane| &lane.segments);
    assert!(
        stretches.clone().any(|segment| segment.state == State::Waiting),
        "main waits for the others"
    );
    assert!(
        stretches.clone().all(|segment| segment.from < segment.to && segment.to <= picture.length)
    );
    for lane in &picture.lanes {
        assert!(lane.segments.windows(2).all(|pair| pair[0].to <= pair[1].from), "{lane:?}");
    }
    well_formed(&svg::svg(&picture));
}

#[test]
fn a_real_thread_that_nobody_hinders_is_not_drawn_as_waiting() {
    let alone = || {
        let (cell, disk) = (Shared::new("cell", 0), Disk::new("disk", 1, 0));
        for _ in 0..100 {
            cell.write(cell.read() + 1);
            disk.write(0, 1);
            disk.sync();
        }
    };
    let trace = record(alone, Duration::from_secs(60));
    let picture = picture::of_trace("Alone", &trace);
    assert!(picture.lanes[0].segments.iter().all(|segment| segment.state == State::Running));
}

#[test]
fn a_real_thread_that_takes_a_mutex_waited_if_another_gave_it_back_meanwhile() {
    let span = |thread, op, asked, took| Span {
        thread,
        op,
        asked,
        took: Some(took),
        wakes: Vec::new(),
        value: String::new(),
        place: Location::caller(),
    };
    let trace = |asked| Trace {
        unit: Unit::Nanos,
        threads: vec!["ann".to_owned(), "bob".to_owned()],
        objects: vec![(Kind::Mutex, "cash".to_owned())],
        spans: vec![
            span(0, Op::Lock(0), 0, 1_000),
            span(0, Op::Unlock(0), 6_000, 6_000),
            span(1, Op::Lock(0), asked, 8_000),
        ],
        end: Some(End::Well),
        dropped: 0,
    };
    let bob = |asked| picture::of_trace("By hand", &trace(asked)).lanes.remove(1).segments;
    let waits = |asked| bob(asked).iter().any(|segment| segment.state == State::Waiting);
    assert!(waits(3_000), "ann had it");
    assert!(!waits(7_000), "nobody had it");
}

#[test]
fn a_real_thread_that_never_gets_on_is_drawn_as_waiting() {
    let forever = || {
        Buffer::<u32>::new("mail", 1).receive();
    };
    let trace = record(forever, Duration::from_millis(20));
    let picture = picture::of_trace("Forever", &trace);
    assert_eq!(picture.lanes[0].segments.last().map(|last| last.state), Some(State::Waiting));
}

#[test]
fn who_waits_holding_a_lock_is_drawn_as_both() {
    let picture = broken("Two orders", programs::two_orders);
    let last = picture.lanes[1].segments.last().unwrap();
    assert_eq!(
        (last.state, last.about.as_str(), last.holds.as_str()),
        (State::Waiting, "right", "left")
    );
    let svg = svg::svg(&picture);
    assert!(svg.contains("<title>waiting, holding a lock (right; holds left)</title>"), "{svg}");
}

#[test]
fn a_deadlock_is_drawn_as_a_graph_with_its_circle() {
    let picture = broken("Two orders", programs::two_orders);
    let waits: Vec<_> =
        picture.waits.iter().map(|wait| (wait.lane, wait.about.as_str(), wait.on)).collect();
    assert_eq!(waits, [(0, "its end", Some(1)), (1, "right", Some(2)), (2, "left", Some(1))]);
    let graph = svg::svg(&picture);
    well_formed(&graph);
    assert_eq!(graph.matches(r#"marker-end="url(#ring-tip)""#).count(), 2, "{graph}");
    // Without a circle: what nobody has stands alone.
    let picture = broken("Swapped", || programs::semaphores(true));
    assert!(picture.circle.is_empty());
    let room = picture.waits.iter().find(|wait| wait.about == "room").unwrap();
    assert_eq!(room.on, None);
    let graph = svg::svg(&picture);
    well_formed(&graph);
    assert_eq!(graph.matches(r#"class="thing""#).count(), 1, "{graph}");
    // And nobody waits where it ended otherwise.
    assert!(broken("Lost", programs::lost_update).waits.is_empty());
}

#[test]
fn a_list_is_drawn_as_steps_below_the_lanes() {
    let picture = broken("Swapped", || programs::semaphores(true));
    let items = picture.levels.iter().find(|level| level.name == "items").unwrap();
    assert_eq!(items.counts, [(0, 0), (2, 1)], "and who holds the lock changes nothing");
    let bars = text::lanes(&picture, false);
    assert!(bars.contains("items            ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇\n"), "{bars}");
    assert!(bars.contains("\n▂▄▇ how many it holds  items: at most 1\n"), "{bars}");
    assert!(svg::svg(&picture).contains(r#"class="steps""#));
}

/// Two owners of jobs, of which the second gets one that the first still has.
fn jobs() -> picture::Picture {
    let has = |from, to, about: &str| picture::Segment {
        from,
        to,
        state: State::Holding,
        about: about.to_owned(),
        holds: String::new(),
    };
    let wrong = picture::Mark { at: 5_500_000, text: "overlap".to_owned(), wrong: Some(1) };
    let lane =
        |name: &str, segments, marks| picture::Lane { name: name.to_owned(), segments, marks };
    picture::Picture {
        title: "jobs".to_owned(),
        subject: picture::Subject::Jobs,
        unit: "µs",
        length: 8_000_000,
        lanes: vec![
            lane("one", vec![has(0, 4_000_000, "a"), has(4_000_000, 8_000_000, "b")], Vec::new()),
            lane("two", vec![has(5_000_000, 6_000_000, "b")], vec![wrong]),
        ],
        levels: vec![picture::Level {
            name: "mail".to_owned(),
            counts: vec![(0, 2), (4_000_000, 1), (6_000_000, 3)],
            capacity: Some(2),
            ..picture::Level::default()
        }],
        verdict: "1 promise broken".to_owned(),
        notes: vec!["P3 overlap: …".to_owned()],
        ..picture::Picture::default()
    }
}

#[test]
fn jobs_are_told_apart_and_a_broken_promise_is_marked() {
    let mut narrow = jobs();
    // A column for each half second.
    narrow.unit = "step";
    for lane in &mut narrow.lanes {
        lane.segments
            .iter_mut()
            .for_each(|one| (one.from, one.to) = (one.from / 2_000_000, one.to / 2_000_000));
        lane.marks.iter_mut().for_each(|mark| mark.at /= 2_000_000);
    }
    narrow.levels[0].counts.iter_mut().for_each(|(at, _)| *at /= 2_000_000);
    narrow.length = 4;
    let bars = "\
one  ████████▐███████
two          !!!!
mail ▇▇▇▇▇▇▇▇▄▄▄▄▲▲▲▲
█ has a job  ! a promise broken   steps 0 to 3
▂▄▇ how many it holds  mail: highest seen 3, capacity 2; ▲ more than that
   => 1 promise broken
      P3 overlap: …
";
    assert_eq!(text::lanes(&narrow, false), bars);
}

#[test]
fn what_is_finer_than_a_line_is_drawn_together() {
    let mut fine = jobs();
    fine.lanes[0].segments = (0..100_000)
        .map(|at| picture::Segment {
            from: at * 80,
            to: at * 80 + 40,
            state: State::Holding,
            about: String::new(),
            holds: String::new(),
        })
        .collect();
    let svg = svg::svg(&fine);
    well_formed(&svg);
    assert!(svg.len() < 400_000, "{} bytes", svg.len());
    assert!(svg.contains("stretches, mostly: has a job"));
    assert!(svg.contains(r#"class="wrong""#) && svg.contains(r#"class="limit""#));
}
