//! What a text of the wire can mean: each parser gives the domain's type or the words to refuse it in.

use duban_domain::text::{Line, Text, TextError};
use duban_domain::time::{DATE_MAX, DATE_MIN, Date, parse_date};
use uuid::Uuid;

/// Parses what has `FromStr`: every resource name.
pub fn name<T: std::str::FromStr>(text: &str) -> Result<T, T::Err> {
    text.parse()
}

/// One line of at most `max` code points.
pub fn line(max: usize) -> impl Fn(&str) -> Result<Line, TextError> {
    move |text| Line::parse(text).and_then(|line| bounded(line.as_str(), max).map(|()| line))
}

/// A text of at most `max` code points.
pub fn text(max: usize) -> impl Fn(&str) -> Result<Text, TextError> {
    move |text| Text::parse(text).and_then(|text| bounded(text.as_str(), max).map(|()| text))
}

fn bounded(text: &str, max: usize) -> Result<(), TextError> {
    let length = text.chars().count();
    if length <= max { Ok(()) } else { Err(TextError::TooLong { length, max }) }
}

/// A civil date, `YYYY-MM-DD`.
pub fn date(text: &str) -> Result<Date, String> {
    parse_date(text).ok_or_else(|| format!("is no date YYYY-MM-DD from {DATE_MIN} to {DATE_MAX}"))
}

/// A UUID in its 36-character form.
pub fn uuid(text: &str) -> Result<Uuid, &'static str> {
    let plain = text.len() == 36;
    plain.then(|| Uuid::try_parse(text).ok()).flatten().ok_or("is no UUID in its 36-character form")
}

/// SHA-256 in 64 lower-case hexadecimal digits.
pub fn sha256(text: &str) -> Result<String, &'static str> {
    let plain = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| text.to_owned()).ok_or("is not 64 lower-case hexadecimal digits")
}

/// The id of something to be created, made a name by `make`: `id(TaskId::from_id)`.
pub fn id<T>(make: impl Fn(&str) -> Option<T>) -> impl Fn(&str) -> Result<T, &'static str> {
    expecting("is no id: 1 to 63 of a-z, 0-9 and inner hyphens are expected", make)
}

/// A parser that only says no, with the words to say it in.
pub fn expecting<T>(
    words: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> impl Fn(&str) -> Result<T, &'static str> {
    move |text| parse(text).ok_or(words)
}

#[cfg(test)]
mod tests {
    use duban_domain::name::TaskId;

    use super::*;

    #[test]
    fn texts_are_bounded_in_code_points() {
        assert!(line(2)("省委").is_ok() && line(2)("省委厅").is_err());
        assert!(text(3)("a\nb").is_ok() && line(3)("a\nb").is_err());
    }

    #[test]
    fn digests_uuids_and_ids_have_one_form() {
        assert!(sha256(&"a".repeat(64)).is_ok() && sha256(&"A".repeat(64)).is_err());
        assert!(uuid("018f2f3e-7b1c-7c2a-9f00-1234567890ab").is_ok());
        assert!(uuid("{018f2f3e-7b1c-7c2a-9f00-1234567890ab}").is_err());
        assert!(uuid("018f2f3e7b1c7c2a9f001234567890ab").is_err());
        assert!(id(TaskId::from_id)("a-b").is_ok() && id(TaskId::from_id)("A").is_err());
        assert!(date("2026-02-28").is_ok() && date("2026-02-29").is_err());
    }
}
