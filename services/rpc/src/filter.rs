//! Filters of lists: comparisons joined by ` AND `, a small subset of AIP-160. Each list says which fields
//! may be compared; a filter that was read names no other.

use std::cmp::Ordering;

use duban_domain::Date;
use duban_domain::text::Line;
use duban_domain::time::parse_date;

use crate::validate::{Field, Fields};

/// The longest filter, in code points.
pub const FILTER_MAX: usize = 500;
/// The most comparisons in one filter.
pub const TERMS_MAX: usize = 16;

/// What values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any line of text; compared exactly, after NFC.
    Text,
    /// One of these words: an enum's values without their prefix.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// `YYYY-MM-DD`; also before and after.
    Date,
    /// A whole number; also less and more.
    Number,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Op {
    /// As SQL writes it.
    pub fn sql(self) -> &'static str {
        match self {
            Op::Equal => "=",
            Op::NotEqual => "<>",
            Op::Less => "<",
            Op::AtMost => "<=",
            Op::More => ">",
            Op::AtLeast => ">=",
        }
    }

    /// Whether it holds of two values that compare so.
    pub fn holds(self, ordering: Ordering) -> bool {
        match self {
            Op::Equal => ordering.is_eq(),
            Op::NotEqual => ordering.is_ne(),
            Op::Less => ordering.is_lt(),
            Op::AtMost => ordering.is_le(),
            Op::More => ordering.is_gt(),
            Op::AtLeast => ordering.is_ge(),
        }
    }
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A text or a choice's word.
    Text(String),
    /// A flag.
    Flag(bool),
    /// A date.
    Date(Date),
    /// A number.
    Number(i64),
}

/// One comparison of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// One of the fields that the list allows.
    pub field: &'static str,
    /// How.
    pub op: Op,
    /// With what.
    pub value: Value,
}

/// A filter: all of its terms hold. Without any, everything passes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The comparisons, in order.
    pub terms: Vec<Term>,
}

impl Filter {
    /// Whether something passes whose fields `value` gives; a field that it lacks is equal to nothing.
    pub fn passes(&self, value: impl Fn(&'static str) -> Option<Value>) -> bool {
        self.terms.iter().all(|term| match value(term.field) {
            Some(value) => term.op.holds(value.cmp(&term.value)),
            None => term.op == Op::NotEqual,
        })
    }
}

/// Why a filter can't be taken, and where (in code points from its start).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at {at}: {what}")]
pub struct FilterError {
    /// The offset in code points.
    pub at: usize,
    /// What is wrong there.
    pub what: String,
}

impl Fields {
    /// The filter of a list on these fields; FILTER_INVALID with the offset otherwise.
    pub fn filter(&mut self, filter: &str, allowed: &[(&'static str, Kind)]) -> Field<Filter> {
        parse(filter, allowed).map_err(|error| self.refuse("filter", "FILTER_INVALID", error.to_string()))
    }
}

/// Reads a filter on these fields.
pub fn parse(filter: &str, allowed: &[(&'static str, Kind)]) -> Result<Filter, FilterError> {
    let chars: Vec<char> = filter.chars().take(FILTER_MAX + 1).collect();
    let mut scan = Scan { chars: &chars, at: 0 };
    if chars.len() > FILTER_MAX {
        return Err(scan.error(format!("the filter is over {FILTER_MAX} code points")));
    }
    let mut terms = Vec::new();
    scan.spaces();
    while !scan.done() {
        if !terms.is_empty() {
            scan.and()?;
        }
        if terms.len() == TERMS_MAX {
            return Err(scan.error(format!("at most {TERMS_MAX} comparisons are allowed")));
        }
        terms.push(scan.term(allowed)?);
        scan.spaces();
    }
    Ok(Filter { terms })
}

struct Scan<'f> {
    chars: &'f [char],
    at: usize,
}

impl Scan<'_> {
    fn error(&self, what: impl Into<String>) -> FilterError {
        FilterError { at: self.at, what: what.into() }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn done(&self) -> bool {
        self.at >= self.chars.len()
    }

    fn spaces(&mut self) {
        self.take(|c| c == ' ');
    }

    fn take(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let rest = &self.chars[self.at.min(self.chars.len())..];
        let taken: String = rest.iter().copied().take_while(|&c| wanted(c)).collect();
        self.at += taken.chars().count();
        taken
    }

    fn and(&mut self) -> Result<(), FilterError> {
        let start = self.at;
        let word = self.take(|c| c.is_ascii_alphabetic());
        if word == "AND" && self.peek() == Some(' ') {
            self.spaces();
            return Ok(());
        }
        self.at = start;
        Err(self.error("AND and another comparison are expected"))
    }

    fn term(&mut self, allowed: &[(&'static str, Kind)]) -> Result<Term, FilterError> {
        let start = self.at;
        let name = self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
        let Some(&(field, kind)) = allowed.iter().find(|(field, _)| *field == name) else {
            self.at = start;
            let fields: Vec<_> = allowed.iter().map(|(field, _)| *field).collect();
            return Err(self.error(format!("one of {} is expected", fields.join(", "))));
        };
        self.spaces();
        let op = self.op(kind)?;
        self.spaces();
        let value = self.value(kind)?;
        Ok(Term { field, op, value })
    }

    fn op(&mut self, kind: Kind) -> Result<Op, FilterError> {
        let start = self.at;
        let op = match self.take(|c| matches!(c, '=' | '!' | '<' | '>')).as_str() {
            "=" => Some(Op::Equal),
            "!=" => Some(Op::NotEqual),
            "<" => Some(Op::Less),
            "<=" => Some(Op::AtMost),
            ">" => Some(Op::More),
            ">=" => Some(Op::AtLeast),
            _ => None,
        };
        let ordered = matches!(kind, Kind::Date | Kind::Number);
        op.filter(|op| ordered || matches!(op, Op::Equal | Op::NotEqual)).ok_or_else(|| {
            self.at = start;
            self.error(if ordered { "one of = != < <= > >= is expected" } else { "= or != is expected" })
        })
    }

    fn value(&mut self, kind: Kind) -> Result<Value, FilterError> {
        let start = self.at;
        let text = self.word()?;
        let (value, expected) = match kind {
            Kind::Text => {
                (Line::parse(&text).ok().map(|line| Value::Text(line.to_string())), "a line of text")
            }
            Kind::Flag => (text.parse().ok().map(Value::Flag), "true or false"),
            Kind::Date => (parse_date(&text).map(Value::Date), "a date YYYY-MM-DD"),
            Kind::Number => (text.parse().ok().map(Value::Number), "a whole number"),
            Kind::Choice(words) if words.contains(&text.as_str()) => (Some(Value::Text(text)), ""),
            Kind::Choice(words) => {
                self.at = start;
                return Err(self.error(format!("one of {} is expected", words.join(", "))));
            }
        };
        value.ok_or_else(|| {
            self.at = start;
            self.error(format!("{expected} is expected"))
        })
    }

    /// A bare word of ASCII, or anything in double quotes with `\"` and `\\`.
    fn word(&mut self) -> Result<String, FilterError> {
        if self.peek() != Some('"') {
            let word =
                self.take(|c| c.is_ascii_graphic() && !matches!(c, '"' | '(' | ')' | '=' | '<' | '>' | '!'));
            return if word.is_empty() { Err(self.error("a value is expected")) } else { Ok(word) };
        }
        self.at += 1;
        let mut text = String::new();
        loop {
            match (self.peek(), self.chars.get(self.at + 1)) {
                (None, _) => return Err(self.error("the closing quote is missing")),
                (Some('"'), _) => {
                    self.at += 1;
                    return Ok(text);
                }
                (Some('\\'), Some(&escaped @ ('"' | '\\'))) => {
                    text.push(escaped);
                    self.at += 2;
                }
                (Some('\\'), _) => return Err(self.error("only \\\" and \\\\ are escapes")),
                (Some(c), _) => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const FIELDS: &[(&str, Kind)] = &[
        ("title", Kind::Text),
        ("stage", Kind::Choice(&["OPEN", "MET"])),
        ("overdue", Kind::Flag),
        ("due_on", Kind::Date),
        ("year", Kind::Number),
    ];

    fn at(filter: &str) -> usize {
        parse(filter, FIELDS).unwrap_err().at
    }

    #[test]
    fn comparisons_are_joined_by_and() {
        let filter =
            parse(r#"stage = OPEN AND due_on<2026-12-31 AND title != "青海 \"省\"""#, FIELDS).unwrap();
        assert_eq!(filter.terms.len(), 3);
        assert_eq!(filter.terms[1].op, Op::Less);
        assert_eq!(filter.terms[1].value, Value::Date(date(2026, 12, 31)));
        assert_eq!(filter.terms[2].value, Value::Text("青海 \"省\"".to_owned()));
        assert_eq!(parse("  ", FIELDS).unwrap(), Filter::default());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_offset() {
        assert_eq!(at("colour = red"), 0);
        assert_eq!(at("stage ~ OPEN"), 6);
        assert_eq!(at("stage < OPEN"), 6);
        assert_eq!(at("stage = open"), 8);
        assert_eq!(at("stage = OPEN OR overdue = true"), 13);
        assert_eq!(at("stage = OPEN AND"), 13);
        assert_eq!(at("stage = OPEN AND "), 17);
        assert_eq!(at("year = 20x6"), 7);
        assert_eq!(at("due_on = 2026-02-30"), 9);
        assert_eq!(at(r#"title = "省"#), 10);
        assert_eq!(at("title = 省"), 8);
        assert_eq!(at("title = \"a\u{202e}b\""), 8);
    }

    #[test]
    fn a_filter_is_bounded() {
        let many = |n: usize| vec!["year = 1"; n].join(" AND ");
        assert!(parse(&many(TERMS_MAX), FIELDS).is_ok());
        assert!(parse(&many(TERMS_MAX + 1), FIELDS).is_err());
        assert!(parse(&format!("title = \"{}\"", "省".repeat(FILTER_MAX)), FIELDS).is_err());
    }

    #[test]
    fn what_a_row_lacks_is_equal_to_nothing() {
        let row = |field: &str| (field == "year").then_some(Value::Number(2026));
        let passes = |filter| parse(filter, FIELDS).unwrap().passes(row);
        assert!(passes("year >= 2026 AND year < 2027 AND title != x"));
        assert!(!passes("title = x") && !passes("year > 2026"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(filter in "\\PC{0,200}") {
            let _ = parse(&filter, FIELDS);
        }

        #[test]
        fn nothing_near_a_filter_makes_it_panic(
            filter in r#"((title|stage|year|due_on|x)? ?(=|!=|<|<=|>>)? ?("?[a-zO\\ "省]{0,4}"?|OPEN|7)( AND | OR |AND)?){0,6}"#,
        ) {
            match parse(&filter, FIELDS) {
                Ok(read) => prop_assert!(read.terms.len() <= TERMS_MAX),
                Err(error) => prop_assert!(error.at <= filter.chars().count()),
            }
        }

        #[test]
        fn any_quoted_line_comes_back_as_it_went(text in "[a-z省\\\\\" ]{0,20}[a-z省]") {
            let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
            let filter = parse(&format!("title = \"{quoted}\""), FIELDS).unwrap();
            prop_assert_eq!(&filter.terms[0].value, &Value::Text(text.trim().to_owned()));
        }
    }
}
