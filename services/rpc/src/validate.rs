//! Reading a request, once: [`Fields`] turns the wire's strings, numbers and messages into the domain's
//! types, and collects every violation with its proto path, so that a caller hears of all of them at once.
//!
//! A field read is a [`Field`]: the value, or the mark that its violation has been noted. The mark can't be
//! made elsewhere, so a value can't go missing without a violation. [`gather!`](crate::gather) makes a
//! struct of fields.

use std::fmt::Display;
use std::ops::RangeBounds;

use duban_domain::time::{DATE_MAX, Timestamp};

use crate::error::{Error, Violation};

pub use crate::parsers::{date, expecting, id, line, name, sha256, text, uuid};

/// The reason of a violation that needs no other.
pub const INVALID_FIELD: &str = "INVALID_FIELD";

/// The mark of a field that can't be taken; its violation is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid(());

/// A field's value, or the mark that it can't be taken.
pub type Field<T> = Result<T, Invalid>;

/// A text of the wire: a plain string is absent when empty, an optional one when it wasn't sent.
pub trait Given {
    /// What was sent, if anything.
    fn given(self) -> Option<String>;
}

impl Given for String {
    fn given(self) -> Option<String> {
        (!self.is_empty()).then_some(self)
    }
}

impl Given for Option<String> {
    fn given(self) -> Option<String> {
        self
    }
}

/// The reader of one request.
#[derive(Debug, Default)]
pub struct Fields {
    /// The path of the message being read, with its dot: `items[2].`.
    prefix: String,
    violations: Vec<Violation>,
}

impl Fields {
    /// Reads a whole request: the value, or all that is wrong with it.
    pub fn read<T>(read: impl FnOnce(&mut Fields) -> Field<T>) -> Result<T, Error> {
        let mut fields = Fields::default();
        match read(&mut fields) {
            Ok(value) if fields.violations.is_empty() => Ok(value),
            _ => Err(Error::invalid(fields.violations)),
        }
    }

    /// Notes a violation of the field at `path`, relative to the message being read.
    pub fn refuse(&mut self, path: &str, reason: &'static str, description: impl Into<String>) -> Invalid {
        let field = format!("{}{path}", self.prefix);
        let field = field.trim_end_matches('.').to_owned();
        self.violations.push(Violation { field, reason, description: description.into() });
        Invalid(())
    }

    /// Notes that a field can't be taken, for the usual reason.
    pub fn invalid(&mut self, path: &str, description: impl Into<String>) -> Invalid {
        self.refuse(path, INVALID_FIELD, description)
    }

    /// A condition between fields: notes a violation of `path` unless it `holds`.
    pub fn check(&mut self, holds: bool, path: &str, description: &str) -> Field<()> {
        if holds { Ok(()) } else { Err(self.invalid(path, description)) }
    }

    /// A text that must be there.
    pub fn one<T, E: Display>(
        &mut self,
        path: &str,
        text: impl Given,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Field<T> {
        match text.given() {
            Some(text) => self.parsed(path, &text, parse),
            None => Err(self.invalid(path, "is required")),
        }
    }

    /// A text that may be absent.
    pub fn maybe<T, E: Display>(
        &mut self,
        path: &str,
        text: impl Given,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Field<Option<T>> {
        text.given().map(|text| self.parsed(path, &text, parse)).transpose()
    }

    /// Up to `max` texts.
    pub fn many<T, E: Display>(
        &mut self,
        path: &str,
        texts: Vec<String>,
        max: usize,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Field<Vec<T>> {
        self.each(path, texts, max, |fields, text| fields.parsed("", &text, &parse))
    }

    /// A message that must be there.
    pub fn message<M, T>(
        &mut self,
        path: &str,
        message: Option<M>,
        read: impl FnOnce(&mut Fields, M) -> Field<T>,
    ) -> Field<T> {
        match message {
            Some(message) => self.within(path, |fields| read(fields, message)),
            None => Err(self.invalid(path, "is required")),
        }
    }

    /// A message that may be absent.
    pub fn maybe_message<M, T>(
        &mut self,
        path: &str,
        message: Option<M>,
        read: impl FnOnce(&mut Fields, M) -> Field<T>,
    ) -> Field<Option<T>> {
        message.map(|message| self.within(path, |fields| read(fields, message))).transpose()
    }

    /// Up to `max` of anything, each read under its own path: `items[2]`.
    pub fn each<M, T>(
        &mut self,
        path: &str,
        items: Vec<M>,
        max: usize,
        read: impl Fn(&mut Fields, M) -> Field<T>,
    ) -> Field<Vec<T>> {
        if items.len() > max {
            return Err(self.invalid(path, format!("has {} entries, at most {max} are allowed", items.len())));
        }
        // All are read before the first failure is told.
        let read: Vec<Field<T>> = (0..)
            .zip(items)
            .map(|(n, item): (usize, M)| self.within(&format!("{path}[{n}]"), |fields| read(fields, item)))
            .collect();
        read.into_iter().collect()
    }

    /// An enum number that must be known and not UNSPECIFIED: `known` gives `None` for what can't be meant.
    pub fn choice<E: TryFrom<i32>, T>(
        &mut self,
        path: &str,
        number: i32,
        known: impl FnOnce(E) -> Option<T>,
    ) -> Field<T> {
        if number == 0 {
            return Err(self.invalid(path, "is required"));
        }
        let value = E::try_from(number).ok().and_then(known);
        value.ok_or_else(|| self.invalid(path, format!("{number} is no known value")))
    }

    /// An enum number that may be absent.
    pub fn maybe_choice<E: TryFrom<i32>, T>(
        &mut self,
        path: &str,
        number: Option<i32>,
        known: impl FnOnce(E) -> Option<T>,
    ) -> Field<Option<T>> {
        number.map(|number| self.choice(path, number, known)).transpose()
    }

    /// A number within bounds, told as `bounds` says: `fields.number("size", size, 1.., "at least 1")`.
    pub fn number<N: PartialOrd + Display>(
        &mut self,
        path: &str,
        number: N,
        range: impl RangeBounds<N>,
        bounds: &str,
    ) -> Field<N> {
        if range.contains(&number) {
            return Ok(number);
        }
        Err(self.invalid(path, format!("is {number}, {bounds} is expected")))
    }

    /// An instant of the wire, within the dates that the log takes.
    pub fn instant(&mut self, path: &str, at: prost_types::Timestamp) -> Field<Timestamp> {
        let instant = Timestamp::new(at.seconds, at.nanos).ok().filter(|_| at.nanos >= 0);
        let last = duban_domain::time::end_of(DATE_MAX);
        instant
            .filter(|instant| *instant <= last)
            .ok_or_else(|| self.invalid(path, format!("is no instant before {last}")))
    }

    /// The fields to change: at least one, each of `allowed`.
    pub fn mask(
        &mut self,
        path: &str,
        mask: Option<prost_types::FieldMask>,
        allowed: &[&'static str],
    ) -> Field<Mask> {
        let paths = mask.unwrap_or_default().paths;
        if paths.is_empty() {
            return Err(self.refuse(path, MASK_INVALID, "names no field to change"));
        }
        let known = |wanted: &String| allowed.iter().copied().find(|allowed| allowed == wanted);
        let found: Option<Vec<&'static str>> = paths.iter().map(known).collect();
        found.map(Mask).ok_or_else(|| {
            self.refuse(path, MASK_INVALID, format!("may name {} and nothing else", allowed.join(", ")))
        })
    }

    fn parsed<T, E: Display>(
        &mut self,
        path: &str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Field<T> {
        parse(text).map_err(|error| self.invalid(path, error.to_string()))
    }

    fn within<T>(&mut self, path: &str, read: impl FnOnce(&mut Fields) -> Field<T>) -> Field<T> {
        let outer = self.prefix.len();
        self.prefix.push_str(path);
        self.prefix.push('.');
        let value = read(self);
        self.prefix.truncate(outer);
        value
    }
}

/// The reason of a mask that can't be taken.
const MASK_INVALID: &str = "MASK_INVALID";

/// The fields that a request changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask(Vec<&'static str>);

impl Mask {
    /// Whether the field is to be changed.
    pub fn has(&self, field: &str) -> bool {
        self.0.contains(&field)
    }
}

/// Makes a struct of fields, all of them read before the first failure ends it:
/// `gather!(Rename { agency: f.one("agency", agency, name), full_name: f.one(…) })`.
#[macro_export]
macro_rules! gather {
    ($($of:ident)::+ { $($field:ident : $value:expr),* $(,)? }) => {{
        $(let $field = $value;)*
        Ok($($of)::+ { $($field: $field?),* })
    }};
}

#[cfg(test)]
mod tests {
    use duban_domain::name::{AgencyId, TaskId};
    use duban_domain::text::{Line, Text};
    use tonic::Status;
    use tonic_types::StatusExt as _;

    use super::*;

    #[derive(Debug)]
    struct Item {
        task: TaskId,
        note: Option<Text>,
    }

    #[derive(Debug)]
    struct Made {
        agency: AgencyId,
        title: Line,
        items: Vec<Item>,
    }

    fn item(f: &mut Fields, (task, note): (&str, &str)) -> Field<Item> {
        gather!(Item {
            task: f.one("task", task.to_owned(), name),
            note: f.maybe("note", note.to_owned(), text(4)),
        })
    }

    fn made(agency: &str, title: &str, items: &[(&'static str, &'static str)]) -> Result<Made, Error> {
        Fields::read(|f| {
            gather!(Made {
                agency: f.one("agency", agency.to_owned(), name),
                title: f.one("title", title.to_owned(), line(3)),
                items: f.each("items", items.to_vec(), 2, item),
            })
        })
    }

    fn violations(error: Error) -> Vec<String> {
        let details = Status::from(error).get_error_details();
        details.bad_request().unwrap().field_violations.iter().map(|v| v.field.clone()).collect()
    }

    #[test]
    fn a_good_request_becomes_the_domains_types() {
        let made = made("agencies/a", "省", &[("tasks/t", ""), ("tasks/u", "好")]).unwrap();
        assert_eq!((made.agency.id(), made.title.as_str()), ("a", "省"));
        assert!(made.items[0].note.is_none() && made.items[1].task.id() == "u");
    }

    #[test]
    fn every_violation_is_told_with_its_path() {
        let error = made("agency", "", &[("tasks/t", "too long"), ("x", "")]).unwrap_err();
        assert_eq!(error.reason(), "INVALID_FIELD");
        assert_eq!(violations(error), ["agency", "title", "items[0].note", "items[1].task"]);
        assert_eq!(violations(made("agencies/a", "a", &[("tasks/t", ""); 3]).unwrap_err()), ["items"]);
        assert_eq!(violations(made("agencies/a", "a\0", &[]).unwrap_err()), ["title"]);
        assert_eq!(violations(made("agencies/a", "\u{202e}a", &[]).unwrap_err()), ["title"]);
    }

    #[test]
    fn a_violation_counts_even_if_the_value_was_not_asked_for() {
        let read = Fields::read(|f| {
            let _ = f.check(false, "until", "must be later");
            Ok(())
        });
        assert_eq!(violations(read.unwrap_err()), ["until"]);
    }

    #[test]
    fn an_absent_text_is_not_an_empty_one() {
        let absent = Fields::read(|f| f.maybe("on", None, date)).unwrap();
        assert_eq!(absent, None);
        assert!(Fields::read(|f| f.maybe("on", Some(String::new()), date)).is_err());
        assert!(Fields::read(|f| f.one("on", None, date)).is_err());
    }

    #[test]
    fn an_unknown_or_unspecified_number_is_no_choice() {
        use tonic_health::pb::health_check_response::ServingStatus as Wire;
        let known = |wire: Wire| matches!(wire, Wire::Serving).then_some("serving");
        assert_eq!(Fields::read(|f| f.choice("status", 1, known)).unwrap(), "serving");
        for number in [0, 2, 77, -1] {
            assert!(Fields::read(|f| f.choice("status", number, known)).is_err(), "{number}");
        }
        assert_eq!(Fields::read(|f| f.maybe_choice("status", None, known)).unwrap(), None);
        assert!(Fields::read(|f| f.maybe_choice("status", Some(0), known)).is_err());
    }

    #[test]
    fn a_mask_names_known_fields_and_at_least_one() {
        let mask = |paths: &[&str]| {
            let paths = paths.iter().map(|&path| path.to_owned()).collect();
            Fields::read(|f| {
                f.mask("update_mask", Some(prost_types::FieldMask { paths }), &["kind", "superior"])
            })
        };
        let good = mask(&["kind"]).unwrap();
        assert!(good.has("kind") && !good.has("superior"));
        for bad in [&[][..], &["name"], &["kind", "*"]] {
            assert_eq!(mask(bad).unwrap_err().reason(), "MASK_INVALID", "{bad:?}");
        }
        assert!(Fields::read(|f| f.mask("update_mask", None, &["kind"])).is_err());
    }

    #[test]
    fn numbers_and_instants_are_bounded() {
        let at = |seconds, nanos| {
            Fields::read(|f| f.instant("known_at", prost_types::Timestamp { seconds, nanos }))
        };
        assert!(
            at(0, 0).is_ok() && at(0, -1).is_err() && at(i64::MAX, 0).is_err() && at(0, i32::MAX).is_err()
        );
        assert!(Fields::read(|f| f.number("size", 0_u64, 1.., "at least 1")).is_err());
    }
}
