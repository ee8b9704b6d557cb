//! The bytes of a note, taken apart.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{NOTE_MAX, NoteError, SIGNATURES_MAX, SignatureLine};

/// The text with its final newline, and the signatures.
pub(super) fn note(bytes: &[u8]) -> Result<(&str, Vec<SignatureLine>), NoteError> {
    let whole = text(bytes)?;
    // The last blank line: the text may have some of its own.
    let blank = whole.rfind("\n\n").ok_or(NoteError::Form)?;
    let (text, rest) = whole.split_at(blank + 1);
    Ok((text, signatures(&rest[1..])?))
}

/// UTF-8 without control characters other than newline, not too long.
pub(super) fn text(bytes: &[u8]) -> Result<&str, NoteError> {
    if bytes.len() > NOTE_MAX {
        return Err(NoteError::TooLong(bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| NoteError::Utf8)?;
    let control = text.bytes().any(|b| b < b' ' && b != b'\n');
    if control { Err(NoteError::Control) } else { Ok(text) }
}

/// Lines of signatures, at least one, each ending with a newline.
pub(super) fn signatures(lines: &str) -> Result<Vec<SignatureLine>, NoteError> {
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Form)?;
    let count = lines.split('\n').count();
    if count > SIGNATURES_MAX {
        return Err(NoteError::Signatures(count));
    }
    let numbered = lines.split('\n').zip(1..);
    numbered.map(|(line, number)| signature(line).ok_or(NoteError::Signature(number))).collect()
}

/// Em dash, space, name, space, base64 of four bytes of key id and at least one of signature.
fn signature(line: &str) -> Option<SignatureLine> {
    let (name, bytes) = line.strip_prefix("— ")?.split_once(' ')?;
    let bytes = STANDARD.decode(bytes).ok()?;
    let (id, signature) = bytes.split_first_chunk()?;
    let name = name.parse().ok()?;
    (!signature.is_empty()).then(|| SignatureLine::new(name, u32::from_be_bytes(*id), signature.to_vec()))
}
