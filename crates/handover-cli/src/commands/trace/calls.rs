//! Questions with their answers, in the order in which they were answered.

use std::collections::HashMap;

use handover::history::{History, What};

/// One call of a recorder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'h> {
    /// The recorder, by its number in the order of appearance.
    pub(super) process: usize,
    /// When it was asked, in microseconds since 1970.
    pub(super) asked: u64,
    pub(super) question: &'h What,
    /// The answer and when it came; `None` where the history has none.
    pub(super) answer: Option<(u64, &'h What)>,
}

impl Call<'_> {
    /// When it is counted: where there is no answer, when it was asked.
    pub(super) fn at(&self) -> u64 {
        self.answer.map_or(self.asked, |(at, _)| at)
    }
}

/// One recorder.
#[derive(Debug, Clone)]
pub(super) struct Process {
    /// The number of the process; a letter behind it where several recorders have it.
    pub(super) name: String,
    /// The earliest and the latest time of its lines.
    pub(super) first: u64,
    pub(super) last: u64,
}

/// Every call, and who made them.
#[derive(Debug)]
pub(super) struct Calls<'h> {
    pub(super) processes: Vec<Process>,
    pub(super) calls: Vec<Call<'h>>,
}

impl<'h> Calls<'h> {
    pub(super) fn of(history: &'h History) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let mut processes: Vec<Process> = Vec::new();
        let mut names: HashMap<&str, usize> = HashMap::new();
        let mut open: HashMap<(usize, u64), usize> = HashMap::new();
        let mut calls: Vec<Call<'h>> = Vec::new();
        for (_, event) in history.events() {
            let process = *numbers.entry(&event.process).or_insert_with(|| {
                let name = named(&event.process, &mut names);
                processes.push(Process { name, first: event.at_us, last: event.at_us });
                processes.len() - 1
            });
            let its = &mut processes[process];
            its.first = std::cmp::min(its.first, event.at_us);
            its.last = std::cmp::max(its.last, event.at_us);
            match event.what.call() {
                Some(n) => {
                    let question = open.remove(&(process, n));
                    if let Some(call) = question.and_then(|index| calls.get_mut(index)) {
                        // Where the clock was set back the checker says so.
                        let at = std::cmp::max(call.asked, event.at_us);
                        call.answer = Some((at, &event.what));
                    }
                }
                None => {
                    open.insert((process, event.n), calls.len());
                    let (asked, question) = (event.at_us, &event.what);
                    calls.push(Call { process, asked, question, answer: None });
                }
            }
        }
        calls.sort_by_key(Call::at);
        Self { processes, calls }
    }
}

/// The number of the process; a letter behind it where others had it before.
fn named<'h>(recorder: &'h str, names: &mut HashMap<&'h str, usize>) -> String {
    let number = recorder.split('.').next().unwrap_or(recorder);
    let before = names.entry(number).or_default();
    *before += 1;
    match *before - 1 {
        0 => number.to_owned(),
        before => {
            let letter = u8::try_from(before).ok().filter(|before| *before < 26);
            format!("{number}{}", letter.map_or('z', |letter| char::from(b'a' + letter)))
        }
    }
}
