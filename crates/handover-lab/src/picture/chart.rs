//! Levels as step charts: how many things something holds over time, against its places. In a terminal a line of blocks, as SVG
//! steps with the capacity above them.

use super::{Level, Subject, text};
use crate::explore::{Lane, Moment};
use crate::op::{ObjectId, Op};
use std::fmt::Write;

/// How many things lists hold, as `Debug` writes them; nothing where one of the values is no list. While somebody has the lock
/// of it, it is taken for what it was.
pub(super) fn counts(changes: &[(u64, String)]) -> Vec<(u64, u64)> {
    let mut counts: Vec<(u64, u64)> = Vec::new();
    for (at, value) in changes.iter().filter(|(_, value)| value != "held") {
        // A word may stand behind it, such as closed.
        let list = value.rfind(']').and_then(|end| value.get(..=end));
        let Some(count) = list.and_then(length) else {
            return Vec::new();
        };
        if counts.last().is_none_or(|(_, last)| *last != count) {
            counts.push((*at, count));
        }
    }
    counts
}

/// How many things stand in a list such as `[1, (2, 3)]`.
fn length(list: &str) -> Option<u64> {
    let inside = list.strip_prefix('[')?.strip_suffix(']')?;
    let (mut depth, mut commas, mut quoted, mut escaped) = (0_u32, 0, false, false);
    for letter in inside.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => commas += 1,
            _ => {}
        }
    }
    Some(if inside.trim().is_empty() { 0 } else { commas + 1 })
}

/// How much room a buffer has: as much as it held when somebody had to wait for room.
pub(super) fn capacity(id: ObjectId, counts: &[(u64, u64)], moments: &[Moment]) -> Option<u64> {
    let waits = |moment: &Moment| moment.lanes.contains(&Lane::Waits(Op::Send(id)));
    let (at, _) = (0_u64..).zip(moments).find(|(_, moment)| waits(moment))?;
    counts.iter().rev().find(|(from, _)| *from <= at).map(|(_, count)| *count)
}

impl Level {
    /// The most that it holds, or could.
    fn top(&self) -> u64 {
        let most = self.counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
        std::cmp::max(most, self.capacity.unwrap_or(0)).max(1)
    }

    /// The most that it holds within these moments.
    fn most(&self, from: u64, to: u64) -> Option<u64> {
        let next = self.counts.partition_point(|(at, _)| *at <= from);
        let before = next.checked_sub(1).and_then(|last| self.counts.get(last));
        let within = self.counts.iter().skip(next).take_while(|(at, _)| *at < to);
        before.into_iter().chain(within).map(|(_, count)| *count).max()
    }
}

/// The fuller the higher. The block that fills its line is a lane's, and says something else there.
const BLOCKS: [char; 7] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇'];

/// What the blocks say, for a legend.
pub(super) const LEGEND: &str = "▂▄▇ how many it holds";

/// A line of blocks, one for each column: the fuller the higher, and a sign of its own for more than there are places.
pub(super) fn line(level: &Level, length: u64, columns: u64) -> String {
    let full = level.capacity.unwrap_or_else(|| level.top()).max(1);
    let block = |column: u64| {
        let (from, to) = text::column(column, length, columns);
        match level.most(from, to) {
            None | Some(0) => ' ',
            Some(count) if count > full => '▲',
            Some(count) => {
                let high = count.saturating_mul(BLOCKS.len() as u64).div_ceil(full);
                let at = usize::try_from(high).unwrap_or(BLOCKS.len()).clamp(1, BLOCKS.len()) - 1;
                BLOCKS[at]
            }
        }
    };
    (0..columns).map(block).collect()
}

/// What a line of blocks says, in words.
pub(super) fn told(level: &Level, subject: Subject) -> String {
    let most = level.counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    // What a history says of jobs is that there were at least so many.
    let word = if subject == Subject::Jobs { "highest seen" } else { "at most" };
    let mut told = format!("{}: {word} {most}", level.name);
    if !level.beside.is_empty() {
        let _ = write!(told, " ({})", level.beside);
    }
    if let Some(capacity) = level.capacity {
        let _ = write!(told, ", capacity {capacity}");
        told.push_str(if most > capacity { "; ▲ more than that" } else { "" });
    }
    told
}

/// Steps in this frame, where `x` places a moment: their area, their line, the capacity, and the numbers of both.
pub(super) fn svg(
    text: &mut String,
    level: &Level,
    length: u64,
    frame: Frame,
    x: impl Fn(u64) -> f64,
) {
    let (top, bottom) = (level.top(), frame.y + frame.height);
    let height = |count: u64| bottom as f64 - count as f64 / top as f64 * frame.height as f64;
    let (begin, end) = (x(0), x(length));
    let mut path = format!("M{begin:.1} {bottom}");
    let mut last: Option<(f64, u64)> = None;
    for (at, count) in &level.counts {
        let x = x(*at);
        // Of what changes within half a point only the highest is seen, and the last where it goes on.
        if let Some((before, high)) = last
            && x - before < 0.5
            && *count <= high
        {
            let _ = write!(path, "V{:.1}", height(*count));
            continue;
        }
        let _ = write!(path, "H{x:.1}V{:.1}", height(*count));
        last = Some((x, *count));
    }
    let _ = writeln!(
        text,
        r#"<path class="area" d="{path}H{end:.1}V{bottom}Z"/><path class="steps" d="{path}H{end:.1}"/>"#
    );
    let mut line = |count: u64, class: &str, number: bool| {
        let y = height(count);
        let _ = write!(text, r#"<path class="{class}" d="M{begin:.1} {y:.1}H{end:.1}"/>"#);
        if number {
            let _ = write!(
                text,
                r#"<text class="quiet" font-size="10" x="{:.1}" y="{:.1}">{count}</text>"#,
                end + 5.0,
                y + 3.5
            );
        }
        text.push('\n');
    };
    // Written one over the other, two numbers are none.
    let apart = |one: u64, other: u64| (height(one) - height(other)).abs() > 10.0;
    match level.capacity.filter(|capacity| *capacity < top) {
        Some(capacity) => {
            line(0, "line", apart(0, capacity));
            line(capacity, "limit", true);
            line(top, "line", apart(top, capacity));
        }
        None => {
            line(0, "line", true);
            line(top, if level.capacity.is_some() { "limit" } else { "line" }, true);
        }
    }
}

/// Where a chart stands: from `y` down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) y: u64,
    pub(super) height: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_things_in_a_list_are_counted_and_no_others() {
        assert_eq!(["[]", "[7]", "[1, 2]"].map(length), [Some(0), Some(1), Some(2)]);
        assert_eq!(length(r#"[("a, b]\"", [1, 2]), Some { of: [3, 4] }]"#), Some(2));
        assert_eq!(["7", "(1, 2)", "", "["].map(length), [None; 4]);
    }

    #[test]
    fn a_line_has_the_highest_of_each_column_and_says_where_the_places_did_not_suffice() {
        let level = Level {
            name: "mail".to_owned(),
            counts: vec![(0, 0), (2, 8), (3, 1), (6, 9), (7, 4)],
            capacity: Some(8),
            ..Level::default()
        };
        assert_eq!(line(&level, 8, 4), " ▇▁▲");
        assert_eq!(told(&level, Subject::Threads), "mail: at most 9, capacity 8; ▲ more than that");
        let parked = Level { beside: "with parked".to_owned(), ..level.clone() };
        assert_eq!(
            told(&parked, Subject::Jobs),
            "mail: highest seen 9 (with parked), capacity 8; ▲ more than that"
        );
        assert_eq!(line(&Level { capacity: None, ..level }, 8, 8), "  ▇▁▁▁▇▄");
    }
}
