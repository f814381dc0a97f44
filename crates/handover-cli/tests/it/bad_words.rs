//! Words and lines that nobody should write and somebody will: each is refused with a message that says what to write
//! instead, with the exit code of the book, and nothing is begun.

use crate::support::{Folder, Ran};

/// The largest body of a job, in bytes.
const BODY_MAX: usize = 16 * 1024 * 1024;

/// Runs it and checks that it was refused and did nothing: no file more, none of its jobs or queues.
#[track_caller]
fn refused(folder: &Folder, words: &[&str], code: i32, said: &str) -> Ran {
    let look = || (folder.names(), folder.run(&["queue", "ls", "--json"]).stdout);
    let before = look();
    let ran = folder.run(words);
    ran.failed(code, said);
    assert_eq!(ran.stdout, "", "{words:?}");
    assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    assert_eq!(look(), before, "{words:?} left something behind");
    ran
}

#[test]
fn names_with_odd_characters_are_refused() {
    let folder = Folder::with_queue(10);
    let long = "x".repeat(81);
    for name in ["", "a/b", "../a", ".", "a\nb", "a b", "a'b", "\u{1F4EE}", "ä", "-", &long] {
        for words in [
            &["queue", "create", name, "--capacity", "1"][..],
            &["queue", "show", name],
            &["send", name, "deliver", "1"],
            &["work", name, "--exec", "true", "--until-empty"],
            &["job", "ls", name],
        ] {
            refused(&folder, words, 2, "");
            if !name.starts_with('-') {
                let ran = folder.run(words);
                assert!(
                    ran.stderr.contains("use 1 to 80 letters, digits, '-', '_' or '.'"),
                    "{ran:?}"
                );
            }
        }
    }
    folder.run(&["queue", "create", &"x".repeat(80), "--capacity", "1"]).done();
    for task in ["", "a\nb", "\u{7f}", &"x".repeat(201)] {
        refused(&folder, &["send", "mail", task, "1"], 2, "use 1 to 200 bytes without control");
    }
    folder.run(&["send", "mail", &"\u{1F4EE}".repeat(50), "1"]).done();
    for key in ["", &"x".repeat(256)] {
        refused(&folder, &["send", "mail", "t", "1", "--key", key], 2, "a key has 1 to 255 bytes");
    }
    for id in ["", "7", "0197f2f0-3a5b-7cc2-9a0e-5f2b7e6a1c4g", &"x".repeat(10_000)] {
        refused(&folder, &["send", "mail", "t", "1", "--id", id], 2, "");
        refused(&folder, &["result", id], 2, "");
    }
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    let folder = Folder::with_queue(10);
    let create = &["queue", "create", "mail", "--capacity", "5"][..];
    let work = &["work", "mail", "--exec", "true", "--until-empty"][..];
    let send = &["send", "mail", "t", "1"][..];
    let crawl = &["crawl", "http://127.0.0.1:1/"][..];
    let billion = "from 1 to 1000000000";
    for (words, option, range, bad) in [
        (&["queue", "create", "mail"][..], "--capacity", billion, &["0", "1000000001"][..]),
        (create, "--overdraft", "from 0 to 1000000000", &["1000000001"]),
        (work, "--concurrency", "from 1 to 100000", &["0", "100001"]),
        (work, "--prefetch", "from 0 to 99999", &["100000"]),
        (work, "--attempts", "from 1 to 4294967295", &["0", "4294967296"]),
        (send, "--priority", "from 0 to 9", &["10"]),
        (&["job", "ls", "mail"], "--limit", "from 1 to 1000", &["0", "1001"]),
        (
            &["job", "ls", "mail"],
            "--after",
            "from 0 to 18446744073709551615",
            &["18446744073709551616"],
        ),
        (&["queue", "kick", "mail"], "--max", "from 0 to 18446744073709551615", &[]),
        (crawl, "--depth", "from 0 to 4294967295", &[]),
        (crawl, "--capacity", billion, &["0"]),
        (crawl, "--concurrency", "from 1 to 1000", &["0", "1001"]),
        (crawl, "--page-bytes-max", "from 1 to", &["0"]),
    ] {
        let always = ["", "-1", "1.5", "1e3", "NaN", "+1", " 1", "99999999999999999999999999"];
        for value in always.iter().chain(bad) {
            let ran = refused(&folder, &[words, &[option, value]].concat(), 2, option);
            // An empty text is told apart before it is read as a number.
            assert!(value.is_empty() || ran.stderr.contains(range), "{option} {value}: {ran:?}");
        }
    }
    let most = ["work", "mail", "--exec", "true", "--until-empty", "--concurrency", "2"];
    refused(&folder, &[&most[..], &["--prefetch", "99999"]].concat(), 2, "at most 100000");
}

#[test]
fn durations_out_of_range_are_refused_with_what_is_possible() {
    let folder = Folder::with_queue(10);
    let work = &["work", "mail", "--exec", "true", "--until-empty"][..];
    let send = &["send", "mail", "t", "1"][..];
    for (words, option, value, said) in [
        (work, "--lease=0s", "", "a lease is longer than zero"),
        (work, "--lease=99ms", "", "at least 100 ms"),
        (work, "--lease=100000d", "", "lease_max_ms=43200000"),
        (work, "--retry-delay-max=3651d", "", "broker_delay_max_ms=315360000000"),
        (send, "--delay", "3651d", "delay_max_ms=315360000000"),
        (&["queue", "create", "q", "--capacity", "1"], "--remember", "3651d", "ten years at most"),
        (&["crawl", "http://127.0.0.1:1/"], "--page-timeout", "0", "a page needs some time"),
    ] {
        let value: &[&str] = if value.is_empty() { &[] } else { &[value] };
        refused(&folder, &[words, &[option], value].concat(), 2, said);
    }
    for option in ["--lease", "--timeout", "--retry-delay", "--drain", "--grace"] {
        for value in ["", "5", "-5s", "1.5s", "NaN", "5 s", "1y", "99999999999999999999d"] {
            let option = format!("{option}={value}");
            refused(&folder, &[work, &[&option]].concat(), 2, "such as 500ms, 30s, 5m, 2h or 7d");
        }
    }
}

#[test]
fn urls_that_are_none_are_refused_and_nothing_of_a_password_is_shown() {
    let folder = Folder::with_queue(10);
    for url in [
        "redis://me:secret@host/0",
        "redis:me:secret@host",
        "postgres://me:se/cret@secret@host",
        "me:secret@host",
        "sqlite://me:secret@host/x.db",
        "SQLITE:x",
        "sqlite:",
        "sqlite://",
        "sqlite:?durability=synced",
        "sqlite:x.db?durability=never",
        "sqlite:x.db?keep=-1s",
        "sqlite:x.db?speed",
        "memory:x",
        "",
        "\n",
    ] {
        let ran = refused(&folder, &["queue", "ls", "--broker", url], 2, "");
        assert!(!ran.stderr.contains("secret") && !ran.stderr.contains("cret@"), "{ran:?}");
        assert!(ran.stderr.contains("hint: ") || ran.stderr.contains("500ms"), "{ran:?}");
        // Refused alike by the doctor: a wrong word is no finding about a file.
        refused(&folder, &["doctor", "--broker", url], 2, "");
    }
    for url in [
        "ftp://me:secret@host",
        "file:",
        "file://me:secret@host",
        "same:x",
        "file:x?rotate_mib=0x1",
    ] {
        let ran = refused(&folder, &["send", "mail", "t", "1", "--results", url], 2, "");
        assert!(!ran.stderr.contains("secret"), "{ran:?}");
    }
    for (url, said) in [
        ("http://me:secret@host/", "user name or password"),
        ("ftp://host/", "use http or https"),
        ("http://[::1/", "not an address"),
        ("", "not an address"),
    ] {
        let ran = refused(&folder, &["crawl", url], 2, said);
        assert!(!ran.stderr.contains("secret"), "{ran:?}");
    }
}

#[test]
fn a_wrong_command_begins_no_database() {
    let folder = Folder::new();
    for (words, said) in [
        (&["queue", "create", "mail", "--capacity", "0"][..], "from 1 to"),
        (&["queue", "create", "mail", "--capacity", "1", "--remember", "9999d"], "ten years"),
        (
            &["queue", "create", "mail", "--capacity", "1", "--results", "ftp:x"],
            "no URL of results",
        ),
        (&["work", "mail", "--exec", "true", "--concurrency", "0"], "from 1 to"),
        (&["crawl", "http://127.0.0.1:1/", "--field", "a=["], "not a CSS selector"),
        (&["crawl", "http://127.0.0.1:1/", "--field", "a=b", "--field", "a=c"], "given twice"),
        (&["crawl", "http://127.0.0.1:1/", "--queue", "a/b"], "cannot be a queue's name"),
        (&["crawl", "http://127.0.0.1:1/", "--allow", "a/b"], "give a host"),
        (&["crawl", "http://127.0.0.1:1/", "--contact", "a\nb"], "visible ASCII"),
        (
            &["crawl", "http://127.0.0.1:1/", "--out", "none/x.jsonl"],
            "results cannot be kept there",
        ),
    ] {
        folder.run(words).failed(2, said);
        assert_eq!(folder.names(), Vec::<String>::new(), "{words:?}");
    }
    folder.run(&["queue", "create", "mail"]).failed(3, "no database").hinted("--capacity 1000");
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn lines_that_are_no_job_end_it_with_65_and_those_before_them_are_sent() {
    let folder = Folder::with_queue(1000);
    let text = |bytes: usize| [b"\"", &b"x".repeat(bytes - 2)[..], b"\""].concat();
    let mut sent = 0;
    for (line, said) in [
        (b"\xff\xfe".to_vec(), "it is no UTF-8"),
        (b"\"\xff\"".to_vec(), "it is no UTF-8"),
        (b"\0".to_vec(), "no JSON at column 1: \\u{0}"),
        (b"\xef\xbb\xbf1".to_vec(), "no JSON at column 1"),
        (b"NaN".to_vec(), "no JSON at column 1"),
        (b"{\"a\":".to_vec(), "no JSON at column 5"),
        (b"1 2".to_vec(), "no JSON at column 3"),
        (vec![b'['; 100_000], "no JSON"),
        (text(BODY_MAX + 1), "longer than the 16777216 bytes"),
    ] {
        let lines = [&b"1\n\n"[..], &line, b"\n2\n"].concat();
        let ran = folder.feed(&["send", "mail", "t", "-"], lines);
        ran.failed(65, said).hinted("one JSON value a line");
        assert!(
            ran.stderr.contains("line 3") && ran.stderr.contains("1 job was sent before"),
            "{ran:?}"
        );
        assert!(ran.stderr.len() < 600 && !ran.stderr.contains("panicked"), "{}", ran.stderr);
        sent += 1;
        assert_eq!(folder.object(&["queue", "show", "mail"])["accepted"], sent);
    }
    let largest = [text(BODY_MAX), b"\n".to_vec()].concat();
    let id = folder.feed(&["send", "mail", "t", "-"], largest);
    let job = folder.object(&["job", "show", id.done().trim()]);
    assert_eq!(job["body_bytes"], BODY_MAX);
    for nothing in [&b""[..], b"\n", b" \r\n\n"] {
        assert_eq!(folder.feed(&["send", "mail", "t", "-"], nothing).done(), "");
    }
    assert_eq!(folder.object(&["queue", "show", "mail"])["accepted"], sent + 1);
}

#[test]
fn a_negative_number_is_an_argument_and_no_option() {
    let folder = Folder::with_queue(10);
    let id = folder.send("-5");
    assert_eq!(folder.object(&["job", "show", &id])["args"], -5);
}

#[test]
#[cfg(unix)]
fn arguments_that_are_no_text_end_with_2() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::with_queue(10);
    let bad = OsStr::from_bytes(b"\xff\xfe");
    let word = OsStr::new;
    for words in [
        &[bad][..],
        &[word("queue"), word("create"), bad, word("--capacity"), word("1")],
        &[word("send"), word("mail"), bad, word("1")],
        &[word("send"), word("mail"), word("t"), bad],
        &[word("queue"), word("ls"), word("--broker"), bad],
    ] {
        let ran = Ran::from(folder.command(words).output().unwrap());
        assert_eq!(ran.code, 2, "{words:?}: {ran:?}");
        assert!(!ran.stderr.is_empty() && !ran.stderr.contains("panicked"), "{ran:?}");
    }
    let mut list = folder.command(&["queue", "ls"]);
    let ran = Ran::from(list.env("HANDOVER_BROKER", bad).output().unwrap());
    assert_eq!(ran.code, 2, "{ran:?}");
}
