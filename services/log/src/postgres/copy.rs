//! Rows as COPY's text format has them: how a log that moves in gets into its tables.

use std::fmt::Write as _;

use crate::event::StoredEvent;
use crate::moving::StoredRequest;
use crate::sqlite::signed;

/// The table of events and its columns, in the order of [`event`].
pub(super) const EVENTS: &str = "COPY duban_log.events (position, id, type, recorded_at, effective_on, actor, role, \
     agency, request_id, correlation, causation, trace_id, nonce, tags, previous, body, fingerprint) FROM STDIN";
/// The index of tags.
pub(super) const TAGS: &str = "COPY duban_log.event_tags (tag, position) FROM STDIN";
/// The table of receipts and its columns, in the order of [`receipt`].
pub(super) const RECEIPTS: &str = "COPY duban_log.receipts (request_id, principal, fingerprint, first_position, \
     last_position, recorded_at) FROM STDIN";

/// An event's row.
pub(super) fn event(rows: &mut String, event: &StoredEvent) {
    let mut row = Row(rows);
    row.first(&event.position.to_string());
    row.text(&event.id.to_string());
    row.text(&event.event_type);
    row.text(&event.recorded_at.as_microsecond().to_string());
    row.text(&event.effective_on.to_string());
    row.text(&event.actor);
    row.text(&event.role);
    row.maybe(event.agency.as_deref());
    row.text(&event.request_id.to_string());
    row.text(&event.correlation.to_string());
    row.maybe(event.causation.map(|position| signed(position).to_string()).as_deref());
    row.maybe(event.trace_id.as_deref());
    row.bytes(&event.nonce);
    row.array(event.tags.iter().map(|filed| quoted(filed.tag.as_str())));
    row.array(event.tags.iter().map(|filed| signed(filed.previous).to_string()));
    row.bytes(&event.body);
    row.maybe_bytes(event.fingerprint.as_ref().map(<[u8; 32]>::as_slice));
    row.end();
}

/// The rows of an event's tags.
pub(super) fn tags(rows: &mut String, event: &StoredEvent) {
    for filed in &event.tags {
        let mut row = Row(rows);
        row.first(filed.tag.as_str());
        row.text(&event.position.to_string());
        row.end();
    }
}

/// A receipt's row.
pub(super) fn receipt(rows: &mut String, request: &StoredRequest) {
    let StoredRequest { request_id, principal, stored } = request;
    let mut row = Row(rows);
    row.first(&request_id.to_string());
    row.text(principal);
    row.bytes(&stored.fingerprint);
    row.text(&signed(stored.receipt.first).to_string());
    row.text(&signed(stored.receipt.last).to_string());
    row.text(&stored.receipt.recorded_at.as_microsecond().to_string());
    row.end();
}

/// An element of an array, whatever is in it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A row as it is written, column after column.
struct Row<'a>(&'a mut String);

impl Row<'_> {
    fn first(&mut self, text: &str) {
        self.escaped(text);
    }

    fn text(&mut self, text: &str) {
        self.0.push('\t');
        self.escaped(text);
    }

    fn maybe(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.0.push_str("\t\\N"),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.push_str("\t\\\\x");
        for byte in bytes {
            // Writing to a String never fails.
            write!(self.0, "{byte:02x}").ok();
        }
    }

    fn maybe_bytes(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bytes(bytes),
            None => self.maybe(None),
        }
    }

    fn array(&mut self, elements: impl Iterator<Item = String>) {
        self.text(&format!("{{{}}}", elements.collect::<Vec<_>>().join(",")));
    }

    fn end(&mut self) {
        self.0.push('\n');
    }

    fn escaped(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                other => self.0.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_escaped_as_copy_reads_it() {
        let mut rows = String::new();
        let mut row = Row(&mut rows);
        row.first("a\\b\tc\nd\r");
        row.maybe(None);
        row.bytes(&[0, 0xff]);
        row.array(["a\"b", "c\\d"].into_iter().map(quoted));
        row.array(std::iter::empty());
        row.end();
        let expected = "a\\\\b\\tc\\nd\\r\t\\N\t\\\\x00ff\t{\"a\\\\\"b\",\"c\\\\\\\\d\"}\t{}\n";
        assert_eq!(rows, expected);
    }
}
