//! 32 bytes as 64 hexadecimal digits. Every line of an export has some: they are looked up, where the library that
//! writes them takes as long to read them as it takes to hash the event.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

/// What is no digit.
const NONE: u8 = u8::MAX;
/// What each byte counts as a digit.
const DIGITS: [u8; 256] = {
    let mut digits = [NONE; 256];
    let mut digit = 0;
    while digit < 16 {
        let lower = b"0123456789abcdef"[digit as usize];
        digits[lower as usize] = digit;
        digits[lower.to_ascii_uppercase() as usize] = digit;
        digit += 1;
    }
    digits
};

pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    hex::serialize(bytes, serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    deserializer.deserialize_str(Text)
}

struct Text;

impl Visitor<'_> for Text {
    type Value = [u8; 32];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 hexadecimal digits")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<[u8; 32], E> {
        read(text.as_bytes()).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

fn read(text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let pairs: &[[u8; 2]; 32] = text.as_chunks().0.try_into().ok().filter(|_| text.len() == 64)?;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
        if high == NONE || low == NONE {
            return None;
        }
        *byte = high << 4 | low;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_in_either_case() {
        let bytes = std::array::from_fn(|index| u8::try_from(index * 8 + index % 8).unwrap());
        assert_eq!(read(hex::encode(bytes).as_bytes()), Some(bytes));
        assert_eq!(read(hex::encode_upper(bytes).as_bytes()), Some(bytes));
    }

    #[test]
    fn anything_else_is_refused() {
        let digits = "0f".repeat(32);
        for other in
            ["", &digits[2..], &(digits.clone() + "0"), &(digits.clone() + "0f"), &digits.replace('f', "g")]
        {
            assert_eq!(read(other.as_bytes()), None, "{other}");
        }
    }
}
