//! Which lesson and which program are meant, and which come near where there is none of that name.

use handover_lessons::{Lesson, Program, all};

use crate::failure::Failure;

/// The lesson of this number or name.
///
/// # Errors
/// Where there is none: the near ones are the hint.
pub(super) fn lesson(word: &str) -> Result<&'static Lesson, Failure> {
    let number = word.parse::<u32>().ok();
    let found = all()
        .find(|lesson| number == Some(lesson.number) || lesson.name.eq_ignore_ascii_case(word));
    found.ok_or_else(|| {
        let near: Vec<String> =
            near(word).iter().map(|one| format!("{:02} {}", one.number, one.name)).collect();
        Failure::usage(format!("there is no lesson {:?}", crate::table::cut(word, 40)))
            .hint(format!("{}; handover learn lists them", near.join(", ")))
    })
}

/// Whether it is an exercise, whose right program is the student's to find.
pub(super) fn is_exercise(lesson: &Lesson) -> bool {
    lesson.hint.is_some()
}

/// The program of this name.
///
/// # Errors
/// Where there is none: those that there are, are the hint.
pub(super) fn program(lesson: &Lesson, name: &str) -> Result<&'static Program, Failure> {
    lesson.program(name).ok_or_else(|| {
        let names: Vec<&str> = lesson.programs.iter().map(|program| program.name).collect();
        let shown = crate::table::cut(name, 40);
        Failure::usage(format!("lesson {:02} has no program {shown:?}", lesson.number))
            .hint(names.join(", "))
    })
}

/// This program, or the first one that breaks.
pub(super) fn or_first(
    lesson: &Lesson,
    program: Option<&'static Program>,
) -> Result<&'static Program, Failure> {
    program.or_else(|| lesson.wrong()).ok_or_else(|| {
        Failure::usage(format!("lesson {:02} has no program that breaks", lesson.number))
            .hint("name one with --program")
    })
}

/// The lessons that may have been meant: by number, by the spelling of the name, or by a word of the line; else all.
fn near(word: &str) -> Vec<&'static Lesson> {
    let word = word.to_lowercase();
    let number = word.parse::<u32>().ok();
    let is_near = |lesson: &Lesson| {
        number.is_some_and(|number| number.abs_diff(lesson.number) <= 2)
            || distance(lesson.name, &word) <= lesson.name.len().div_ceil(3)
            || (word.len() >= 4 && (lesson.name.contains(&word) || lesson.line.contains(&word)))
    };
    let found: Vec<&Lesson> = all().filter(|lesson| is_near(lesson)).collect();
    if found.is_empty() { all().collect() } else { found }
}

/// How many letters must be put in, taken out or changed to make one word of the other (Levenshtein, row by row). Words longer
/// than any name are not compared.
fn distance(name: &str, word: &str) -> usize {
    if word.chars().count() > 40 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=word.chars().count()).collect();
    for (i, a) in name.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in word.chars().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(word: &str) -> Vec<&'static str> {
        near(word).iter().map(|lesson| lesson.name).collect()
    }

    #[test]
    fn a_lesson_is_found_by_number_and_by_name() {
        for word in ["2", "02", "race", "Race"] {
            assert_eq!(lesson(word).unwrap().number, 2, "{word}");
        }
    }

    #[test]
    fn a_word_that_is_none_lists_the_near_ones() {
        assert_eq!(names("rase"), ["race", "crash"]);
        assert_eq!(names("muttex"), ["mutex"]);
        let last = all().last().unwrap();
        assert!(names(&(last.number + 1).to_string()).contains(&last.name), "a number near by");
        assert_eq!(names("loop"), ["condition"], "a word of its line");
        assert_eq!(names("zzzzzzzzzz").len(), all().count());
        assert_eq!(names(&"x".repeat(100_000)).len(), all().count());
    }

    #[test]
    fn distances_are_letters() {
        assert_eq!((distance("race", "race"), distance("race", "rce")), (0, 1));
        assert_eq!((distance("race", ""), distance("race", "lace")), (4, 1));
    }
}
