//! Numbers as the C2SP formats write them: ASCII decimal without leading zeros, zero being `0`.

/// Parses in the one spelling; `None` of anything else or above 2^64 - 1.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for number in [0, 1, 10, u64::MAX] {
            assert_eq!(parse(&number.to_string()), Some(number));
        }
        for text in
            ["", "00", "01", "+1", "-1", " 1", "1 ", "1\n", "0x1", "1.0", "１", "18446744073709551616"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
