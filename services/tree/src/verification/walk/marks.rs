//! What the walk makes of the roots that were signed.

use duban_domain::Position;
use duban_merkle::{Frontier, TreeHead};

use super::Walk;
use crate::verification::entries::Entries;
use crate::verification::finding::{Fault, Finding};
use crate::verification::since::Since;
use crate::verification::trust::{Life, Outcome};

impl Walk {
    /// Compares the roots that were signed at the size that was reached.
    pub(super) fn mark(&mut self) {
        let size = self.next - 1;
        while let Some(mark) = self.marks.get_mut(self.marked).filter(|mark| mark.head.size <= size) {
            self.marked += 1;
            if !mark.is_compared() || mark.head.size < size {
                continue;
            }
            let TreeHead { root: signed, .. } = mark.head;
            let log = self.log.as_ref().map(Frontier::root);
            let copy = self.copy.as_ref().filter(|copy| copy.size() == size).map(Frontier::root);
            mark.checked.copy_same = copy.map(|copy| copy == signed);
            mark.checked.outcome = match log {
                Some(found) if found == signed => Outcome::Same,
                Some(found) => Outcome::Other { found },
                None => Outcome::Unknown,
            };
            if log == Some(signed) {
                self.same_until = size;
                // What differed since was changed in the folder, not in the log.
                self.findings.kept.iter_mut().for_each(turn);
                self.copy = None;
            }
        }
    }

    /// Tells what became of the checkpoints. With `since`, the tree may have gone on after the log's end.
    pub(super) fn settle(&mut self, found: Position, since: Option<&Since>) {
        let head = self.log.as_ref().map(Frontier::head);
        let gone_on = |later| since.zip(head).is_some_and(|(since, head)| since.shows(&head, later));
        for mark in &mut self.marks {
            let checkpoint = mark.checked.name.clone();
            if let Some(what) = mark.refused.take() {
                self.findings.of(Fault::Checkpoint { checkpoint, what });
                continue;
            }
            if !mark.is_compared() {
                continue;
            }
            let life = mark.epoch.map(|epoch| self.lives.iter().find(|life| life.epoch == epoch));
            let (found, is_over) = match life {
                Some(None) => {
                    mark.checked.outcome = Outcome::Refused;
                    let what = "the log has never been in the epoch that it is of".to_owned();
                    self.findings.of(Fault::Checkpoint { checkpoint, what });
                    continue;
                }
                Some(Some(Life { last: Some(last), .. })) => (found.min(*last), true),
                Some(Some(Life { last: None, .. })) | None => (found, false),
            };
            let size = mark.head.size;
            if size > found && !is_over && gone_on(&mark.head) {
                mark.checked.outcome = Outcome::GoesOn;
                self.later = self.later.max(Some(size));
            } else if size > found {
                mark.checked.outcome = Outcome::Beyond;
                self.findings.of(Fault::End { claim: checkpoint, claimed: size, found });
            } else if let Outcome::Other { found } = mark.checked.outcome {
                let (signed, same_until) = (mark.head.root, self.same_until.min(size));
                self.findings.of(Fault::Root { checkpoint, size, signed, found, same_until });
            }
        }
        let Some(size) = self.entries.as_ref().map(Entries::size).filter(|size| *size > found) else {
            return;
        };
        if self.later.is_some() || (since.is_some() && self.same_until == found) {
            // What is stored beyond what was signed says nothing against the log.
            self.later = self.later.max(Some(size));
        } else {
            self.findings.of(Fault::End { claim: "the tree".to_owned(), claimed: size, found });
        }
    }
}

/// The log's event is what was signed: what differs from it was changed in the folder.
fn turn(finding: &mut Finding) {
    if let Fault::Changed { fields } = &mut finding.fault {
        finding.fault = Fault::Entry { fields: std::mem::take(fields) };
    }
}
