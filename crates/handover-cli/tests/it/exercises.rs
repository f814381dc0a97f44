//! Exercises: what breaks is shown, what is right is the student's to find, and is shown to who asks.

use crate::snapshots::check;
use crate::support::Folder;
use serde_json::Value;

/// Numbers of the exercises, and the lessons.
fn numbers(folder: &Folder, exercise: bool) -> Vec<String> {
    let list = folder.run(&["learn", "--json"]).objects();
    let meant = list.iter().filter(|lesson| lesson["exercise"] == exercise);
    meant.map(|lesson| lesson["number"].to_string()).collect()
}

/// The names of the programs that a page shows as these objects.
fn names(page: &Value) -> Vec<&str> {
    let programs = page["programs"].as_array().unwrap();
    programs.iter().map(|program| program["name"].as_str().unwrap()).collect()
}

#[test]
fn an_exercise_shows_question_hint_and_what_breaks_and_keeps_the_right_program_back() {
    let folder = Folder::new();
    let exercises = numbers(&folder, true);
    assert!(!exercises.is_empty());
    for number in &exercises {
        let page = folder.run(&["learn", number]);
        let parts = [
            "The question",
            "A hint",
            "Wrong: ",
            "The schedule that breaks it",
            "The picture",
            "Right: yours to find",
            "In handover",
        ];
        for part in parts {
            let headed = page.done().lines().any(|line| line.starts_with(part));
            assert!(headed, "exercise {number} has no part {part:?}");
        }
        assert!(page.done().contains(&format!("{number} --solution")), "exercise {number}");
        let solution = folder.object(&["learn", number, "--solution"]);
        let shown = folder.run(&["learn", number, "--solution"]);
        let mut lines = page.done().lines().chain(shown.done().lines());
        assert_eq!(lines.find(|line| line.chars().count() > 80), None, "exercise {number}");
        assert!(!names(&solution).is_empty(), "exercise {number} has no solution");
        for name in names(&solution) {
            assert!(
                !page.done().contains(&format!("fn {name}()")),
                "exercise {number} shows {name}"
            );
            assert!(shown.done().contains(&format!("Right: {name}\n")), "exercise {number}");
            let one = folder.run(&["learn", number, "--program", name]);
            assert!(one.done().contains("The proof"), "exercise {number}");
        }
        let object = folder.object(&["learn", number]);
        assert!(object["hint"].is_string());
        assert!(names(&object).iter().all(|name| !names(&solution).contains(name)));
    }
}

#[test]
fn a_lesson_shows_its_right_programs_with_and_without_solution() {
    let folder = Folder::new();
    for number in numbers(&folder, false) {
        let all = folder.object(&["learn", &number]);
        let right = folder.object(&["learn", &number, "--solution"]);
        assert!(!names(&right).is_empty(), "lesson {number}");
        assert!(names(&right).iter().all(|name| names(&all).contains(name)), "lesson {number}");
    }
}

#[test]
fn the_transcript_of_an_exercise_is_the_one_agreed_on() {
    let folder = Folder::new();
    check("learn-philosophers", folder.run(&["learn", "philosophers"]).done());
    check("learn-philosophers-solution", folder.run(&["learn", "13", "--solution"]).done());
}
