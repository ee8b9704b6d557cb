//! Codes that the state gives to agencies and to places, checked once when they come in.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a text is not such a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Too short or too long.
    #[error("must have {expected} characters, not {found}")]
    Length {
        /// What it must have.
        expected: usize,
        /// What it has.
        found: usize,
    },
    /// A character that can't stand there.
    #[error("can't have {found:?} as its character {at}")]
    Character {
        /// Where, counted from 1.
        at: usize,
        /// What stands there.
        found: char,
    },
    /// A slip of the pen: the last character must follow from the others.
    #[error("must end in {expected:?}, the check character of the 17 before it, not in {found:?}")]
    Check {
        /// What must stand there.
        expected: char,
        /// What stands there.
        found: char,
    },
}

/// An administrative division code (行政区划代码, GB/T 2260): six digits; 630000 is Qinghai.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DivisionCode(#[schemars(regex(pattern = "^[0-9]{6}$"))] String);

impl DivisionCode {
    /// How many digits it has.
    pub const LENGTH: usize = 6;

    /// Parses. Whether the division exists on some day is not looked up: the list changes every year.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let length = text.chars().count();
        if length != Self::LENGTH {
            return Err(CodeError::Length { expected: Self::LENGTH, found: length });
        }
        match text.chars().enumerate().find(|(_, c)| !c.is_ascii_digit()) {
            Some((at, found)) => Err(CodeError::Character { at: at + 1, found }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// As a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A unified social credit code (统一社会信用代码, GB 32100-2015): 18 characters.
///
/// 1 the registering authority, 2 the kind of body, 3–8 the registering place (GB/T 2260, digits), 9–17 the
/// organisation (GB 11714), 18 a check character over the others. A body keeps its code for good: it doesn't
/// change with the name, and after dissolution it is kept, never given to another (国发〔2015〕33号).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CreditCode(#[schemars(regex(pattern = "^[0-9A-HJ-NPQRTUW-Y]{18}$"))] String);

/// The code's alphabet: a character's value is its place. I, O, S, V and Z are left out, as too like others.
const ALPHABET: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";

/// The characters that say the place, counted from 1: digits.
const PLACE: std::ops::RangeInclusive<usize> = 3..=8;

impl CreditCode {
    /// How many characters it has.
    pub const LENGTH: usize = 18;

    /// Parses and verifies the check character. Lower case is refused: one code, one spelling.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let length = text.chars().count();
        if length != Self::LENGTH {
            return Err(CodeError::Length { expected: Self::LENGTH, found: length });
        }
        for (at, found) in (1..).zip(text.chars()) {
            if !ALPHABET.contains(found) || (PLACE.contains(&at) && !found.is_ascii_digit()) {
                return Err(CodeError::Character { at, found });
            }
        }
        // All of it is ASCII now.
        let (body, check) = text.split_at(Self::LENGTH - 1);
        let (expected, found) = (check_character(body), check.chars().next());
        match found {
            Some(found) if found != expected => Err(CodeError::Check { expected, found }),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// As a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// GB 32100-2015: the check value is 31 − (Σ value·3^(i−1)) mod 31, and 31 stands for 0.
fn check_character(body: &str) -> char {
    let values = body.chars().map(|c| ALPHABET.find(c).unwrap_or_default());
    let weights = std::iter::successors(Some(1), |weight| Some(weight * 3 % 31));
    let sum: usize = values.zip(weights).map(|(value, weight)| value * weight).sum();
    char::from(ALPHABET.as_bytes()[(31 - sum % 31) % 31])
}

impl fmt::Display for DivisionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first is the standard's own example; the others were computed apart from this code.
    const VALID: [&str; 4] =
        ["91350100M000100Y43", "11630000015000000H", "1163000001500185X5", "116300000150000240"];
    const PRINTED_WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

    #[test]
    fn a_code_with_its_check_character_is_taken() {
        for text in VALID {
            assert_eq!(CreditCode::parse(text).map(|code| code.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn the_weights_are_those_that_the_standard_prints() {
        let weights = std::iter::successors(Some(1), |weight| Some(weight * 3 % 31));
        assert!(weights.take(17).eq(PRINTED_WEIGHTS));
    }

    #[test]
    fn a_character_that_is_not_in_the_alphabet_is_refused() {
        for (at, found) in [(1, 'I'), (2, 'O'), (3, 'A'), (9, 'S'), (17, 'v'), (18, 'Z'), (10, '省')] {
            let text: String =
                (1..).zip(VALID[0].chars()).map(|(i, c)| if i == at { found } else { c }).collect();
            assert_eq!(CreditCode::parse(&text), Err(CodeError::Character { at, found }), "{text}");
        }
    }

    #[test]
    fn a_code_of_another_length_is_refused() {
        let longer = format!("{}0", VALID[0]);
        for text in ["", &VALID[0][..17], &longer] {
            assert!(matches!(CreditCode::parse(text), Err(CodeError::Length { expected: 18, .. })), "{text}");
        }
    }

    #[test]
    fn a_division_code_has_six_digits() {
        assert_eq!(DivisionCode::parse("630000").map(|code| code.to_string()), Ok("630000".to_owned()));
        assert_eq!(DivisionCode::parse("63000"), Err(CodeError::Length { expected: 6, found: 5 }));
        assert_eq!(DivisionCode::parse("63000A"), Err(CodeError::Character { at: 6, found: 'A' }));
        assert_eq!(DivisionCode::parse("６30000"), Err(CodeError::Character { at: 1, found: '６' }));
    }

    proptest! {
        /// What the check character is for: one wrong character, or two neighbours swapped, never pass.
        #[test]
        fn one_slip_is_always_caught(which in 0usize..4, at in 0usize..18, value in 0usize..31) {
            let valid: Vec<char> = VALID[which].chars().collect();
            let mut wrong = valid.clone();
            wrong[at] = char::from(ALPHABET.as_bytes()[value]);
            let mut swapped = valid.clone();
            swapped.swap(at, (at + 1).min(17));
            for slip in [wrong, swapped] {
                let text: String = slip.iter().collect();
                prop_assert_eq!(CreditCode::parse(&text).is_ok(), slip == valid, "{}", text);
            }
        }
    }
}
