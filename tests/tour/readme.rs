//! The README as a session: what it says to type, and what it shows of the answer.

use std::path::PathBuf;

use crate::support::root;

/// A command and what the README shows below it.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// Which line of the README it is, from 1.
    pub(super) at: usize,
    /// What is typed, or `^C`.
    pub(super) command: String,
    /// What comes, as shown.
    pub(super) lines: Vec<String>,
}

/// The README, to be read and corrected.
pub(super) struct Readme {
    lines: Vec<String>,
    /// By how many lines what stands below has moved.
    moved: isize,
}

impl Readme {
    pub(super) fn open() -> Self {
        Self { lines: text().lines().map(str::to_owned).collect(), moved: 0 }
    }

    /// Every command of every console block, in order.
    pub(super) fn shown(&self) -> Vec<Shown> {
        let mut all: Vec<Shown> = Vec::new();
        let mut inside = false;
        for (index, line) in self.lines.iter().enumerate() {
            let typed = line.strip_prefix("$ ").or((line == "^C").then_some("^C"));
            match (inside, typed) {
                (false, _) => inside = line == "```console",
                (true, _) if line == "```" => inside = false,
                (true, Some(command)) => {
                    all.push(Shown { at: index + 1, command: command.to_owned(), lines: Vec::new() });
                }
                (true, None) => {
                    let last =
                        all.last_mut().unwrap_or_else(|| panic!("line {}: nothing was typed", index + 1));
                    last.lines.push(line.clone());
                }
            }
        }
        all
    }

    /// Shows other lines below a command. Commands are corrected from above.
    pub(super) fn put(&mut self, shown: &Shown, lines: Vec<String>) {
        let at = shown.at.checked_add_signed(self.moved).expect("below the commands before it");
        self.moved += lines.len().cast_signed() - shown.lines.len().cast_signed();
        self.lines.splice(at..at + shown.lines.len(), lines);
    }

    pub(super) fn write(&self) {
        std::fs::write(path(), self.lines.join("\n") + "\n").expect("the README can be written");
    }
}

/// The whole text.
pub(super) fn text() -> String {
    std::fs::read_to_string(path()).expect("the README is there")
}

fn path() -> PathBuf {
    root().join("README.md")
}
