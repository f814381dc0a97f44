//! Splits Rust text into what is code and what is comment, line by line, so that a rule about code
//! is not fooled by a comment or a string, nor a rule about comments by code. No parser: it knows
//! comments, strings and characters, and nothing else.

/// One line, taken apart. The insides of strings are in neither part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) code: String,
    pub(crate) comment: String,
}

impl Line {
    /// Whether the code has this word, not as part of a longer name.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        has_word(&self.code, word)
    }
}

/// Whether `text` has `word` with no letter, digit or underscore around it.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    /// Rust's block comments nest.
    BlockComment(usize),
    Text,
    /// A raw string that ends with a quote and so many hashes.
    RawText(usize),
}

pub(crate) fn lines(text: &str) -> Vec<Line> {
    let chars: Vec<char> = text.chars().collect();
    let mut lines = vec![Line::default()];
    let mut state = State::Code;
    let mut at = 0;
    while at < chars.len() {
        let last = lines.len() - 1;
        if chars[at] == '\n' {
            if state == State::LineComment {
                state = State::Code;
            }
            lines.push(Line::default());
            at += 1;
            continue;
        }
        let (next, taken) = step(state, &chars[at..], &mut lines[last]);
        state = next;
        at += taken;
    }
    lines
}

/// Reads what is at the start of `rest`; the state after it and how many characters it was.
fn step(state: State, rest: &[char], line: &mut Line) -> (State, usize) {
    let pair = (rest[0], rest.get(1).copied());
    match state {
        State::Code => step_code(rest, line),
        State::LineComment => {
            line.comment.push(rest[0]);
            (state, 1)
        }
        State::BlockComment(depth) => match pair {
            ('*', Some('/')) if depth == 1 => (State::Code, 2),
            ('*', Some('/')) => (State::BlockComment(depth - 1), 2),
            ('/', Some('*')) => (State::BlockComment(depth + 1), 2),
            (c, _) => {
                line.comment.push(c);
                (state, 1)
            }
        },
        State::Text => match pair {
            ('\\', Some(escaped)) if escaped != '\n' => (state, 2),
            ('"', _) => {
                line.code.push('"');
                (State::Code, 1)
            }
            _ => (state, 1),
        },
        State::RawText(hashes) => {
            let ends =
                rest[0] == '"' && rest.len() > hashes && rest[1..=hashes].iter().all(|&c| c == '#');
            if !ends {
                return (state, 1);
            }
            line.code.push('"');
            (State::Code, 1 + hashes)
        }
    }
}

fn step_code(rest: &[char], line: &mut Line) -> (State, usize) {
    match (rest[0], rest.get(1).copied(), rest.get(2).copied()) {
        ('/', Some('/'), _) => (State::LineComment, 2),
        ('/', Some('*'), _) => (State::BlockComment(1), 2),
        ('"', ..) => {
            let state = raw_hashes(&line.code).map_or(State::Text, State::RawText);
            line.code.push('"');
            (state, 1)
        }
        // `'\n'`, `'\''`, `'\u{1F}'`: to the next quote that is not the escaped one.
        ('\'', Some('\\'), _) => {
            let end = rest.iter().skip(3).position(|&c| c == '\'').map_or(rest.len(), |n| n + 4);
            (State::Code, end)
        }
        ('\'', Some(c), Some('\'')) if c != '\n' => (State::Code, 3),
        (c, ..) => {
            line.code.push(c); // a lone quote begins a lifetime
            (State::Code, 1)
        }
    }
}

/// If the code so far ends in `r`, `br` or `cr` and hashes, how many hashes.
fn raw_hashes(code: &str) -> Option<usize> {
    let start = code.trim_end_matches('#');
    let before = start.strip_suffix('r')?;
    let before = before.strip_suffix(['b', 'c']).unwrap_or(before);
    (!before.ends_with(is_name)).then_some(code.len() - start.len())
}

/// For each line, whether it belongs to a module of unit tests in a file of other code.
pub(crate) fn in_unit_tests(lines: &[Line]) -> Vec<bool> {
    let start = lines.windows(2).position(|pair| {
        let next = pair[1].code.trim();
        pair[0].code.trim() == "#[cfg(test)]" && next.contains("mod ") && next.ends_with('{')
    });
    // In this house a file's tests are its end.
    (0..lines.len()).map(|at| start.is_some_and(|start| at >= start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Vec<String> {
        lines(text).into_iter().map(|l| l.code).collect()
    }

    #[test]
    fn comments_are_apart_from_code() {
        let line = &lines("let a = 1; // one // two")[0];
        assert_eq!((line.code.as_str(), line.comment.as_str()), ("let a = 1; ", " one // two"));
        let nested = lines("a /* b /* c */ d\ne */ f");
        assert_eq!(nested[0], Line { code: "a ".into(), comment: " b  c  d".into() });
        assert_eq!(nested[1], Line { code: " f".into(), comment: "e ".into() });
    }

    #[test]
    fn strings_are_emptied_and_hide_no_code_after_them() {
        assert_eq!(code(r#"f("a // b", "\" c", b"d", 'e');"#), [r#"f("", "", b"", );"#]);
        assert_eq!(code("r#\"a \" b\"# + r\"\\\" + x"), ["r#\"\" + r\"\" + x"]);
        assert_eq!(code("\"one\ntwo\" three"), ["\"", "\" three"]);
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        assert_eq!(
            code(r"fn f<'a>(x: &'a str) { y == '\'' || '\u{22}' == '/' }").concat(),
            "fn f<'a>(x: &'a str) { y ==  ||  ==  }"
        );
        assert_eq!(code("if c == '\"' { g() } // h"), ["if c ==  { g() } "]);
    }

    #[test]
    fn a_word_is_no_part_of_a_name() {
        assert!(has_word("let unsafe = 1", "unsafe"));
        assert!(!has_word("allow(unsafe_code)", "unsafe"));
        assert!(!has_word("not_unsafe", "unsafe"));
    }

    #[test]
    fn the_end_of_a_file_is_its_tests() {
        let lines = lines(
            "fn a() {}\n#[cfg(test)]\nfn only_for_tests() {}\n#[cfg(test)]\nmod tests {\n}\n",
        );
        assert_eq!(in_unit_tests(&lines), [false, false, false, true, true, true, true]);
    }
}
