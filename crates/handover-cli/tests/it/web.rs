//! The page of the lessons as it is served: one address on stdout, the files behind it, and nothing for anybody else.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Folder;

/// A server that is stopped as a person stops it, with Ctrl-C.
struct Served {
    child: Child,
    /// The first line that it printed.
    said: String,
}

impl Served {
    fn start(folder: &Folder, words: &[&str]) -> Self {
        let mut child = folder.start(&[&["learn", "--web"], words].concat());
        let mut said = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        Self { child, said: said.trim_end().to_owned() }
    }

    /// Where it listens, without what follows in the address.
    fn host(&self) -> &str {
        let (_, rest) = self.said.split_once("http://").unwrap();
        rest.split(['/', '"']).next().unwrap()
    }

    /// The answer to a request with these lines.
    fn ask(&self, lines: &str) -> String {
        let mut stream = TcpStream::connect(self.host()).unwrap();
        let request = format!("{lines}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: {}", self.host()))
    }

    fn stop(mut self) -> ExitStatus {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).unwrap();
        self.child.wait().unwrap()
    }
}

#[test]
fn the_page_is_served_on_this_machine_until_it_is_stopped() {
    let folder = Folder::new();
    let served = Served::start(&folder, &[]);
    assert_eq!(served.said, format!("http://{}/", served.host()));
    assert!(served.host().starts_with("127.0.0.1:"));
    let page = served.get("/");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("<h1>You are the scheduler"));
    assert!(page.contains("content-security-policy: default-src 'self';"), "{page}");
    let lesson = served.get("/data/02-race.js");
    assert!(lesson.contains("content-type: text/javascript") && lesson.contains("lost_update"));
    let head = served.ask(&format!("HEAD / HTTP/1.1\r\nHost: {}", served.host()));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(served.get("/../Cargo.toml").starts_with("HTTP/1.1 404"));
    let foreign = served.ask("GET / HTTP/1.1\r\nHost: elsewhere.example");
    assert!(foreign.starts_with("HTTP/1.1 421") && foreign.contains("of this machine"));
    let posted = served.ask(&format!("POST / HTTP/1.1\r\nHost: {}", served.host()));
    assert!(posted.starts_with("HTTP/1.1 405") && posted.contains("allow: GET, HEAD"));
    let endless = served.ask(&format!("GET /{} HTTP/1.1\r\nHost: x", "x".repeat(1 << 20)));
    assert!(endless.is_empty() || endless.starts_with("HTTP/1.1 4"), "{endless}");
    assert!(served.get("/").starts_with("HTTP/1.1 200"), "and it goes on");
    assert_eq!(served.stop().code(), Some(0));
    assert!(folder.names().is_empty());
}

#[test]
fn the_address_is_of_the_lesson_that_was_asked_for() {
    let folder = Folder::new();
    let served = Served::start(&folder, &["race", "--program", "claim"]);
    assert!(served.said.ends_with("/#02/claim"), "{}", served.said);
    served.stop();
    let served = Served::start(&folder, &["3", "--json"]);
    assert!(served.said.starts_with("{\"url\":\"http://127.0.0.1:"), "{}", served.said);
    assert!(served.said.ends_with("/#03\"}"), "{}", served.said);
    served.stop();
    folder.run(&["learn", "rase", "--web"]).failed(2, "no lesson \"rase\"").hinted("02 race");
}

#[test]
fn a_port_that_is_in_use_is_told_with_what_to_do() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    folder
        .run(&["learn", "--web", "--port", &port])
        .failed(1, &format!("port {port} of this machine cannot be had"))
        .hinted("leave it out for any that is free");
    drop(taken);
    let served = Served::start(&folder, &["--port", &port]);
    assert_eq!(served.host(), format!("127.0.0.1:{port}"));
    assert_eq!(served.stop().code(), Some(0), "Ctrl-C is heard as soon as the address is told");
    for words in
        [&["--port", "1"][..], &["--web", "--port", "70000"], &["--web", "02", "--explore"]]
    {
        assert_eq!(folder.run(&[&["learn"], words].concat()).code, 2, "{words:?}");
    }
}

#[test]
fn a_variable_says_the_port_and_asks_for_no_page() {
    let folder = Folder::new();
    let with = |port: &str, words: &[&str]| {
        folder.command(words).env("HANDOVER_LEARN_PORT", port).output().unwrap()
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = with(&port, &["learn", "--web"]);
    assert_eq!(refused.status.code(), Some(1), "somebody has the port");
    assert!(String::from_utf8_lossy(&refused.stderr).contains(&port));
    let wrong = with("many", &["learn", "--web"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("HANDOVER_LEARN_PORT is \"many\""));
    assert_eq!(with("many", &["learn"]).status.code(), Some(0));
}
