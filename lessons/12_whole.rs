//! Lesson 12: the whole. A crawl, whose workers fill the queue that they empty: when it is done, and what it may lose or double.

use crate::{Lesson, Place, Program};
use handover_lab::sync::{Atomic, Buffer, Condvar, Mutex};
use handover_lab::thread;
use std::collections::BTreeSet;
use std::sync::Arc;

const FILE: &str = include_str!("12_whole.rs");

/// What a real crawl did.
pub(crate) const CRAWL: &str = include_str!("12_crawl.jsonl");

/// The lesson.
pub(crate) static LESSON: Lesson = Lesson {
    number: 12,
    name: "whole",
    line: "a crawl: nothing lost, nothing twice, and an end that is one",
    question: "\
Ann and Bob visit a site. They take a page from a queue, and send the pages that it links to into the same queue. When are \
they done, and what can they lose or visit twice?

In lesson 07 the sender closes the buffer when it has sent all. Here whoever receives also sends, and nobody knows what a \
page links to before it was visited. A page is ready while it waits in the queue, held while somebody visits it, and settled \
when the visit is over. Every question of the earlier lessons comes back in this one.",
    hint: None,
    challenge: "Let main close the queue while a worker holds home.",
    programs: &[
        Program::wrong(
            "none_ready",
            none_ready,
            FILE,
            "Main counts the pages that are ready, and closes the queue when there are none. But a page that is held is not \
             ready, and brings others. Look at the count when main reads it, and at who holds what.",
        ),
        Program::right(
            "none_unsettled",
            none_unsettled,
            FILE,
            "The same program with one line moved: a page counts until it is settled, and it is settled after its links were \
             sent. While a page may still bring others, the count is not 0; so when it is 0, it stays so.",
        ),
        Program::wrong(
            "looked_first",
            looked_first,
            FILE,
            "The pages of Ann and of Bob link to the same shop. Each looks whether it is known, and sends it if not. It is \
             check-then-act of lesson 02: the shop is visited twice.",
        ),
        Program::right(
            "known_by_sending",
            known_by_sending,
            FILE,
            "The job's id is made from the page's address, and the queue remembers ids. Sending is the question, and the answer \
             says whether it was new. There is no list of visited pages to look at: the queue is the list.",
        ),
        Program::wrong(
            "links_last",
            links_last,
            FILE,
            "The pages stand in a file, and Ann may be killed before any of her steps. Main looks at the file when she is killed: \
             whatever she would do after that step, leave it out. Settled first, home is gone, and its link was never stored.",
        ),
        Program::right(
            "links_first",
            links_first,
            FILE,
            "The links first, then the settlement, as the result in lesson 09. Killed between the two, she leaves both in \
             the file: home is visited a second time, and sends news a second time, which is the same job. What cannot be one \
             step is put in the order in which a repeat does no harm.",
        ),
        Program::right(
            "crawl",
            crawl,
            FILE,
            "The whole, as a monitor of lesson 06: who takes sleeps while there is nothing ready and somebody still holds a \
             page, sending knows what is known, and the last settlement wakes everybody. Every page of this site has a menu \
             that links to all three. And a real crawl: lessons/12_crawl.jsonl is the history of eight pages and two workers, \
             one of which was killed while it held a page. Draw it with handover trace lessons/12_crawl.jsonl, and see who \
             waits while nothing is ready, and who gets the page when its lease is over. With --job 6b4e it tells the story \
             of that page alone. Record one of your own with handover demo --history crawl, and draw it with handover trace \
             crawl.",
        ),
    ],
    measure: None,
    places: &[
        Place {
            file: "crates/handover/src/worker/fetch.rs",
            symbol: "info.depth() + info.parked > 0",
            says: "A worker that is to end when its queues are empty counts what is unsettled, parked children included, and \
                   looks twice.",
        },
        Place {
            file: "crates/handover-modules/src/crawl.rs",
            symbol: "job.crawl.derive(job.url.as_str())",
            says: "The id of a page's job is made from the crawl and the page's address.",
        },
        Place {
            file: "crates/handover-modules/src/crawl.rs",
            symbol: "self.send(context, children).await?;",
            says: "A page's links are sent while its job is held; its result is stored and its job settled after that. Links \
                   that find no room are parked, or all workers could wait for room at once \
                   (docs/src/decisions/001-children-are-parked.md).",
        },
    ],
};

// begin: none_ready
/// Wrong: a page that is held counts no longer, and brings others.
fn none_ready() {
    let queue = Arc::new(Buffer::new("queue", 2));
    let count = Arc::new(Atomic::new("ready", 1));
    assert_eq!(queue.send("home"), Ok(()));
    let workers = ["ann", "bob"].map(|name| {
        let (queue, count) = (Arc::clone(&queue), Arc::clone(&count));
        thread::spawn(name, move || {
            while let Some(page) = queue.receive() {
                count.update(|pages| pages - 1);
                if page == "home" {
                    count.update(|pages| pages + 1);
                    let sent = queue.send("news");
                    assert!(sent.is_ok(), "nobody will visit news");
                }
            }
        })
    });
    while count.load() > 0 {
        thread::yield_now();
    }
    queue.close();
    for worker in workers {
        worker.join();
    }
}
// end: none_ready

// begin: none_unsettled
/// Right: a page counts until its links are sent, and it is settled.
fn none_unsettled() {
    let queue = Arc::new(Buffer::new("queue", 2));
    let count = Arc::new(Atomic::new("unsettled", 1));
    assert_eq!(queue.send("home"), Ok(()));
    let workers = ["ann", "bob"].map(|name| {
        let (queue, count) = (Arc::clone(&queue), Arc::clone(&count));
        thread::spawn(name, move || {
            while let Some(page) = queue.receive() {
                if page == "home" {
                    count.update(|pages| pages + 1);
                    let sent = queue.send("news");
                    assert!(sent.is_ok(), "nobody will visit news");
                }
                count.update(|pages| pages - 1);
            }
        })
    });
    while count.load() > 0 {
        thread::yield_now();
    }
    queue.close();
    for worker in workers {
        worker.join();
    }
}
// end: none_unsettled

// begin: looked_first
/// Wrong: unknown when it was looked for, known when it is sent.
fn looked_first() {
    let queue = Arc::new(Mutex::new("queue", Vec::new()));
    let workers = ["ann", "bob"].map(|name| {
        let queue = Arc::clone(&queue);
        thread::spawn(name, move || {
            let known = queue.lock().contains(&"shop");
            if !known {
                queue.lock().push("shop");
            }
        })
    });
    for worker in workers {
        worker.join();
    }
    assert_eq!(queue.lock().len(), 1, "the shop is visited twice");
}
// end: looked_first

// begin: known_by_sending
/// Right: one step sends a page, and says whether it was new.
fn known_by_sending() {
    let queue = Arc::new(Mutex::new("queue", BTreeSet::new()));
    let workers = ["ann", "bob"].map(|name| {
        let queue = Arc::clone(&queue);
        thread::spawn(name, move || queue.lock().insert("shop"))
    });
    let new = workers.map(thread::JoinHandle::join);
    assert!(new[0] != new[1], "to one of them it is a duplicate");
    assert_eq!(queue.lock().len(), 1, "the shop is visited twice");
}
// end: known_by_sending

// begin: links_last
/// Wrong: who is killed after settling takes the links along.
fn links_last() {
    let stored = BTreeSet::from(["home"]);
    let file = Arc::new(Mutex::new("file", stored));
    let shared = Arc::clone(&file);
    let ann = thread::spawn("ann", move || {
        shared.lock().remove("home");
        shared.lock().insert("news");
    });
    // Killed here, this is what she leaves to others.
    let left = file.lock().len();
    assert!(left > 0, "nobody will visit news");
    ann.join();
}
// end: links_last

// begin: links_first
/// Right: the links are stored before the page is settled.
fn links_first() {
    let stored = BTreeSet::from(["home"]);
    let file = Arc::new(Mutex::new("file", stored));
    let shared = Arc::clone(&file);
    let ann = thread::spawn("ann", move || {
        shared.lock().insert("news");
        shared.lock().remove("home");
    });
    // Killed here, this is what she leaves to others.
    let left = file.lock().len();
    assert!(left > 0, "nobody will visit news");
    ann.join();
}
// end: links_first

// begin: crawl
/// The queue of a crawl. A page is known by its address.
#[derive(Debug)]
struct Pages {
    known: BTreeSet<&'static str>,
    ready: Vec<&'static str>,
    held: u32,
}

#[derive(Debug)]
struct Crawl(Mutex<Pages>, Condvar);

impl Crawl {
    fn take(&self) -> Option<&'static str> {
        let mut pages = self.0.lock();
        while pages.ready.is_empty() && pages.held > 0 {
            pages = self.1.wait(pages);
        }
        let page = pages.ready.pop()?; // none: all are settled
        pages.held += 1;
        Some(page)
    }
    fn send(&self, links: [&'static str; 3]) {
        let mut pages = self.0.lock();
        for link in links {
            if pages.known.insert(link) {
                pages.ready.push(link);
            }
        }
        self.1.notify_all();
    }
    fn settle(&self) {
        let mut pages = self.0.lock();
        pages.held -= 1;
        if pages.held == 0 {
            self.1.notify_all();
        }
    }
}

/// Right: what is known, what is ready and what is held, in one lock.
fn crawl() {
    let (known, ready) = (BTreeSet::from(["home"]), vec!["home"]);
    let pages = Mutex::new("pages", Pages { known, ready, held: 0 });
    let crawl = Arc::new(Crawl(pages, Condvar::new("changed")));
    let workers = ["ann", "bob"].map(|name| {
        let crawl = Arc::clone(&crawl);
        thread::spawn(name, move || {
            let mut visited = Vec::new();
            while let Some(page) = crawl.take() {
                visited.push(page);
                crawl.send(["home", "news", "shop"]); // the menu
                crawl.settle();
            }
            visited
        })
    });
    let mut visited = workers.map(thread::JoinHandle::join).concat();
    visited.sort_unstable();
    assert_eq!(visited, ["home", "news", "shop"], "each page once");
}
// end: crawl
