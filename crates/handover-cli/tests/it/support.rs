//! Runs the binary in a folder of its own, with nothing of the outside in its environment.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder with a database of its own.
pub(crate) struct Folder(TempDir);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The same with a queue `mail` of this capacity.
    pub(crate) fn with_queue(capacity: u32) -> Self {
        let folder = Self::new();
        folder.run(&["queue", "create", "mail", "--capacity", &capacity.to_string()]).done();
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handover"));
        let ours =
            |name: &str| name.starts_with("HANDOVER_") || ["COLUMNS", "NO_COLOR"].contains(&name);
        for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
            command.env_remove(name);
        }
        command.env("HANDOVER_LEARN_STATE", ""); // what a test has done is not kept at anybody's home
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }

    /// Runs it with this on stdin.
    pub(crate) fn feed(&self, arguments: &[&str], stdin: impl AsRef<[u8]>) -> Ran {
        let file = self.path("stdin");
        std::fs::write(&file, stdin).unwrap();
        let mut command = self.command(arguments);
        let ran = Ran::from(command.stdin(File::open(&file).unwrap()).output().unwrap());
        std::fs::remove_file(file).unwrap();
        ran
    }

    /// Starts it with pipes on all sides.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// The one object that it prints with `--json`.
    pub(crate) fn object(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        let mut objects = ran.objects();
        assert_eq!(objects.len(), 1, "{arguments:?}: {objects:?}");
        objects.remove(0)
    }

    /// Sends one job and answers its id.
    pub(crate) fn send(&self, arguments: &str) -> String {
        self.run(&["send", "mail", "deliver", arguments]).done().trim().to_owned()
    }

    /// Runs jobs until none is left.
    pub(crate) fn work(&self, exec: &str) -> Ran {
        let more = ["--retry-delay", "10ms", "--attempts", "3", "--until-empty"];
        self.run(&[&["work", "mail", "--exec", exec][..], &more].concat())
    }

    /// The names of the files in it, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Makes a named pipe: whoever opens it waits for the other side.
    pub(crate) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}

impl Ran {
    /// Its stdout, if it went well.
    #[track_caller]
    pub(crate) fn done(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        &self.stdout
    }

    /// Checks that it ended with this code and said this, on one line behind the program's name (or that of the reader of its
    /// words, which has none).
    #[track_caller]
    pub(crate) fn failed(&self, code: i32, said: &str) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        let errors: Vec<_> = self
            .stderr
            .lines()
            .filter(|line| line.trim_start_matches("handover: ").starts_with("error: "))
            .collect();
        assert!(
            errors.len() == 1 && errors[0].contains(said),
            "{said:?} is not what it said: {self:?}"
        );
        self
    }

    /// Checks that it gave this hint.
    #[track_caller]
    pub(crate) fn hinted(&self, hint: &str) -> &Self {
        let hints: Vec<_> = self.stderr.lines().filter(|line| line.starts_with("hint: ")).collect();
        assert!(hints.len() == 1 && hints[0].contains(hint), "{hint:?} is not the hint: {self:?}");
        self
    }

    /// Its stdout as JSON, an object a line.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        let lines = self.done().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
            .collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Writes to a running program.
pub(crate) fn say(child: &mut Child, text: &str) {
    child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
}

/// Numbered lines of JSON.
pub(crate) fn lines(count: usize) -> String {
    (1..=count).map(|number| format!("{{\"n\":{number}}}\n")).collect()
}
