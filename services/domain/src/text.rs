//! Text that people wrote, checked once: NFC, no control and no bidirectional-control characters, lengths in
//! code points. [`Line`] is a title or a name, [`Text`] a paragraph, [`SourceText`] a document kept verbatim.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// The longest line, in code points.
pub const LINE_MAX: usize = 300;
/// The longest text, in code points.
pub const TEXT_MAX: usize = 10_000;
/// The longest source text, in bytes of UTF-8: with its anchors it must fit an event's body.
pub const SOURCE_MAX: usize = 160 * 1024;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// Over the bound.
    #[error("is {length} long, at most {max} are allowed")]
    TooLong {
        /// What it has.
        length: usize,
        /// What it may have.
        max: usize,
    },
    /// A control or bidirectional-control character, by which a text could show other than it is.
    #[error("contains the character U+{code:04X}, which is not allowed")]
    Forbidden {
        /// The code point.
        code: u32,
    },
}

/// Characters that reorder or hide what is shown (Unicode UAX #9 controls, zero-width joiners aside).
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

fn check(text: &str, breaks: bool) -> Result<(), TextError> {
    let allowed = |c: char| breaks && matches!(c, '\n' | '\t');
    match text.chars().find(|&c| (c.is_control() && !allowed(c)) || is_bidi_control(c)) {
        Some(c) => Err(TextError::Forbidden { code: c as u32 }),
        None => Ok(()),
    }
}

fn normalised(text: &str, max: usize, breaks: bool) -> Result<String, TextError> {
    // Normalising can shorten a text at most threefold: what is far beyond the bound isn't worth the work.
    if text.len() > max.saturating_mul(16) {
        return Err(TextError::TooLong { length: text.chars().count(), max });
    }
    check(text, breaks)?;
    let text: String = text.trim().nfc().collect();
    let length = text.chars().count();
    match length {
        0 => Err(TextError::Empty),
        _ if length > max => Err(TextError::TooLong { length, max }),
        _ => Ok(text),
    }
}

/// One line: a title, a name, a label. 1 to [`LINE_MAX`] code points.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Line(#[schemars(length(min = 1, max = 300))] String);

/// A paragraph or several. 1 to [`TEXT_MAX`] code points; line breaks and tabs are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Text(#[schemars(length(min = 1, max = 10000))] String);

/// A document's own text, byte for byte as it came: never trimmed, never normalised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct SourceText(String);

impl Line {
    /// Parses, trims and normalises.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        normalised(text, LINE_MAX, false).map(Self)
    }

    /// As a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Text {
    /// Parses, trims and normalises.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        normalised(text, TEXT_MAX, true).map(Self)
    }

    /// As a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SourceText {
    /// Checks, and keeps every byte.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        if text.len() > SOURCE_MAX {
            return Err(TextError::TooLong { length: text.len(), max: SOURCE_MAX });
        }
        if text.trim().is_empty() {
            return Err(TextError::Empty);
        }
        check(text, true)?;
        Ok(Self(text.to_owned()))
    }

    /// As a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many lines it has; the first is 1.
    pub fn lines(&self) -> u32 {
        u32::try_from(self.0.lines().count()).unwrap_or(u32::MAX)
    }

    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        use sha2::Digest;
        hex::encode(sha2::Sha256::digest(self.0.as_bytes()))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_composed_trimmed_and_counted_in_code_points() {
        assert_eq!(Line::parse(" e\u{301} ").unwrap().as_str(), "é");
        assert!(Line::parse(&"省".repeat(LINE_MAX)).is_ok());
        assert_eq!(
            Line::parse(&"省".repeat(LINE_MAX + 1)),
            Err(TextError::TooLong { length: LINE_MAX + 1, max: LINE_MAX })
        );
    }

    #[test]
    fn what_could_show_other_than_it_is_is_refused() {
        for bad in ["a\0b", "a\u{202E}b", "a\u{2066}b", "a\u{7f}b", "a\nb"] {
            assert!(matches!(Line::parse(bad), Err(TextError::Forbidden { .. })), "{bad:?}");
        }
        assert!(Text::parse("a\nb").is_ok());
        assert_eq!(Text::parse(" \n "), Err(TextError::Empty));
    }

    #[test]
    fn a_source_text_keeps_every_byte() {
        let text = SourceText::parse("\n e\u{301}\n").unwrap();
        assert_eq!(text.as_str(), "\n e\u{301}\n");
        assert_eq!(text.lines(), 2);
    }
}
