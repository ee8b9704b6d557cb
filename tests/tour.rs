//! The README is true: every command that it shows is run, in order, against a real server, and what it shows of
//! the answer is what came; the files, options and tests that it names are there.
//!
//! # The rule
//! - Every ```` ```console ```` block is part of one session, in a shell in a folder of its own with the seeds.
//!   A line after `$ ` is typed, and must succeed; `^C` stops the server; the lines below are what came.
//! - `cargo run --release -- serve …` starts the server at a free port, which is shown as the default one.
//!   `alias duban=…` is not typed: the built binary is on the path. Nor is `cargo test`, which runs this.
//! - A line `...` stands for any lines left out.
//! - What differs from one day and run to the next is compared by its kind: an id (UUID), a digest (32 hex digits
//!   or more), a time of day, and a date or year from 2026 on. Dates before are the story's own, as are positions.
//!
//! `DUBAN_TOUR=write` puts what came into the README, instead of failing where it differs.

mod names;
mod readme;
mod session;

use readme::{Readme, Shown};
use session::Session;

#[test]
fn tour_shows_what_really_comes() {
    let mut readme = Readme::open();
    let mut session = Session::open();
    let mut differences = Vec::new();
    for shown in readme.shown() {
        let came = session.run(&shown);
        if !agree(&shown.lines, &came) {
            differences.push(difference(&shown, &came));
            readme.put(&shown, left_out(&shown.lines, came));
        }
    }
    session.close();
    if session::asked_to_write() {
        readme.write();
    } else {
        assert!(differences.is_empty(), "DUBAN_TOUR=write corrects this:\n{}", differences.join("\n"));
    }
}

/// Whether what is shown is what came, but for what was left out and what differs every time.
fn agree(shown: &[String], came: &[String]) -> bool {
    match shown.split_first() {
        None => came.is_empty(),
        Some((line, rest)) if line == "..." => (0..=came.len()).any(|skipped| agree(rest, &came[skipped..])),
        Some((line, rest)) => {
            came.first().is_some_and(|first| kinds(first) == kinds(line)) && agree(rest, &came[1..])
        }
    }
}

/// What came, with as much left out as was before: so many lines at the start and at the end, and in between
/// those that begin where the shown ones did.
fn left_out(shown: &[String], came: Vec<String>) -> Vec<String> {
    let parts: Vec<&[String]> = shown.split(|line| line == "...").collect();
    let [first, between @ .., last] = parts.as_slice() else { return came };
    let mut kept: Vec<String> = came[..first.len().min(came.len())].to_vec();
    let mut at = kept.len();
    for part in between.iter().filter(|part| !part.is_empty()) {
        let found = came.iter().skip(at).position(|line| kinds(line) == kinds(&part[0]));
        at += found.unwrap_or_else(|| {
            panic!("{} came nowhere: mend the README by hand. What came:\n{}", part[0], came.join("\n"))
        });
        kept.push("...".to_owned());
        kept.extend_from_slice(&came[at..(at + part.len()).min(came.len())]);
        at += part.len();
    }
    kept.push("...".to_owned());
    kept.extend_from_slice(&came[came.len().saturating_sub(last.len()).max(at)..]);
    kept
}

fn difference(shown: &Shown, came: &[String]) -> String {
    let all = shown.lines.iter().filter(|line| *line != "...");
    let shown_kinds: Vec<String> = all.map(|line| kinds(line)).collect();
    let came_kinds: Vec<String> = came.iter().map(|line| kinds(line)).collect();
    let mut lines = vec![format!("line {}: $ {}", shown.at, shown.command)];
    lines
        .extend(shown_kinds.iter().filter(|line| !came_kinds.contains(line)).map(|line| format!("- {line}")));
    lines
        .extend(came_kinds.iter().filter(|line| !shown_kinds.contains(line)).map(|line| format!("+ {line}")));
    lines.join("\n")
}

/// A line with the kinds of what differs every time.
fn kinds(line: &str) -> String {
    let in_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == ':';
    let mut said = String::new();
    let mut rest = line.trim_end();
    while let Some(start) = rest.find(in_word) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|letter| !in_word(letter)).unwrap_or(from.len()));
        // A colon at its end is the sentence's.
        let (word, after) = match word.trim_end_matches(':') {
            bare if bare.len() == 36 => (bare, &from[bare.len()..]),
            _ => (word, after),
        };
        said.push_str(before);
        said.push_str(kind(word).unwrap_or(word));
        rest = after;
    }
    said.push_str(rest);
    said
}

fn kind(word: &str) -> Option<&'static str> {
    /// The README was first written then: every date that the tour makes itself is later.
    const SINCE: i16 = 2026;
    let is_date = |word: &str| word.parse::<jiff::civil::Date>().is_ok_and(|date| date.year() >= SINCE);
    let is_year = |year: i16| (SINCE..2200).contains(&year);
    match word.len() {
        4 if word.parse().is_ok_and(is_year) => Some("<year>"),
        8 if word.matches(':').count() == 2 => Some("<time>"),
        10 if is_date(word) => Some("<date>"),
        36 if uuid::Uuid::try_parse(word).is_ok() => Some("<id>"),
        32.. if word.bytes().all(|byte| byte.is_ascii_hexdigit()) => Some("<digest>"),
        _ => None,
    }
}

#[test]
fn tour_compares_by_kind_and_leaves_out_what_is_said_to_be_left_out() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(kinds("2026/qh-a  2027-01-31  2022-01-01 –"), "<year>/qh-a  <date>  2022-01-01 –");
    assert_eq!(kinds("11, 2031-12-31 20:25:37)"), "11, <date> <time>)");
    assert_eq!(kinds("log=9ec7363e-6d91-41bd-af0a-1837885fe302"), "log=<id>");
    assert_eq!(kinds("tree/9ec7363e-6d91-41bd-af0a-1837885fe302: 3 leaves"), "tree/<id>: 3 leaves");
    assert!(agree(&lines("a\n...\nd"), &lines("a\nb\nc\nd")));
    assert!(agree(&lines("..."), &lines("")));
    assert!(!agree(&lines("a\n...\nd"), &lines("a\nb\nc")));
    assert!(!agree(&lines("a"), &lines("a\nb")));
    assert_eq!(left_out(&lines("x\n...\nb\n...\nx"), lines("a\n1\nb\n2\nc")), lines("a\n...\nb\n...\nc"));
    assert_eq!(left_out(&lines("x"), lines("a\nb")), lines("a\nb"));
}
