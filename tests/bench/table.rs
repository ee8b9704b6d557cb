//! What is printed at the end: each figure beside its baseline, their ratio, the goal, and whether it was met.

use std::fmt;
use std::time::Duration;

use comfy_table::{LineStyle, TableStyle};

/// What a ratio should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// There is none: it is only shown.
    None,
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
}

impl Goal {
    fn said(self) -> String {
        match self {
            Goal::None => String::new(),
            Goal::AtMost(goal) => format!("≤ {goal}"),
            Goal::AtLeast(goal) => format!("≥ {goal}"),
        }
    }

    fn judged(self, seen: f64) -> String {
        let missed = match self {
            Goal::None => return String::new(),
            Goal::AtMost(goal) => seen / goal,
            Goal::AtLeast(goal) => goal / seen,
        };
        if missed <= 1.0 { "met".to_owned() } else { format!("missed by {missed:.2}×") }
    }
}

/// A figure with its unit.
#[derive(Debug, Clone, Copy)]
pub enum Figure {
    /// So long.
    Time(Duration),
    /// So many a second.
    Rate(f64),
    /// So many bytes.
    Bytes(u64),
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Figure::Time(time) if time < Duration::from_millis(1) => {
                write!(f, "{:.0} µs", time.as_secs_f64() * 1e6)
            }
            Figure::Time(time) if time < Duration::from_secs(1) => {
                write!(f, "{:.2} ms", time.as_secs_f64() * 1e3)
            }
            Figure::Time(time) => write!(f, "{:.2} s", time.as_secs_f64()),
            Figure::Rate(rate) => write!(f, "{rate:.0}/s"),
            Figure::Bytes(bytes) => write!(f, "{:.1} MiB", bytes as f64 / 1024.0 / 1024.0),
        }
    }
}

impl Figure {
    /// Whether there is anything to tell.
    pub fn is_something(self) -> bool {
        self.value() > 0.0
    }

    fn value(self) -> f64 {
        match self {
            Figure::Time(time) => time.as_secs_f64(),
            Figure::Rate(rate) => rate,
            Figure::Bytes(bytes) => bytes as f64,
        }
    }
}

/// All that was measured.
#[derive(Debug, Default)]
pub struct Table(Vec<[String; 7]>);

impl Table {
    /// A figure beside its baseline; the goal is about their ratio.
    pub fn ratio(&mut self, what: &str, seen: Figure, baseline: &str, base: Figure, goal: Goal) {
        self.ratio_of(what, seen, baseline, base, seen.value() / base.value(), goal);
    }

    /// The same with a ratio that is not simply theirs: a median of ratios, say.
    pub fn ratio_of(
        &mut self,
        what: &str,
        seen: Figure,
        baseline: &str,
        base: Figure,
        ratio: f64,
        goal: Goal,
    ) {
        let ratio_said = format!("{ratio:.2}");
        self.push([
            what.to_owned(),
            seen.to_string(),
            baseline.to_owned(),
            base.to_string(),
            ratio_said,
            goal.said(),
            goal.judged(ratio),
        ]);
    }

    /// A figure whose goal, in its own unit, is about itself.
    pub fn figure(&mut self, what: &str, seen: Figure, goal: Goal) {
        self.push([
            what.to_owned(),
            seen.to_string(),
            String::new(),
            String::new(),
            String::new(),
            goal.said(),
            goal.judged(seen.value()),
        ]);
    }

    fn push(&mut self, row: [String; 7]) {
        // Said at once too: a long run shows that it goes on.
        let said: Vec<&str> = row.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
        eprintln!("  {}", said.join("  "));
        self.0.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(TableStyle::new()).force_no_tty();
        table.style_mut().header_separator = LineStyle::none().fill('-');
        table.set_header(["measured", "seen", "baseline", "seen", "ratio", "goal", ""]);
        table.add_rows(&self.0);
        write!(f, "{table}")
    }
}
