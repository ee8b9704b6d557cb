//! What a verification comes to: what was checked, what was found, and what is not covered.

use duban_domain::{Position, Timestamp};
use duban_merkle::Hash;
use serde::Serialize;
use uuid::Uuid;

use super::finding::Finding;
use super::trust::{Checked, Life};
use super::views::ViewChecked;

/// The whole of it, for an auditor's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Which log.
    pub log: Uuid,
    /// In which epoch it is.
    pub epoch: Uuid,
    /// Its epochs, the first one first.
    pub epochs: Vec<Life>,
    /// Where it lay.
    pub source: String,
    /// The algorithm of the tree: `sha256` or `sm3`.
    pub algorithm: &'static str,
    /// When the verification began.
    pub started_at: Timestamp,
    /// When it was done.
    pub ended_at: Timestamp,
    /// The version of the program.
    pub version: &'static str,
    /// How many events there should be: the last position.
    pub head: Position,
    /// How many events could be read.
    pub events: u64,
    /// The root over all of them; none if one is missing or no leaf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Hash>,
    /// How many tags they are filed under.
    pub tags: u64,
    /// The commands that wrote them.
    pub commands: u64,
    /// The receipts that were read.
    pub receipts: u64,
    /// The checkpoints that were presented, by size.
    pub checkpoints: Vec<Checked>,
    /// The tree's folder, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeChecked>,
    /// The views whose digests were claimed.
    pub views: Vec<ViewChecked>,
    /// What is wrong, by position.
    pub findings: Vec<Finding>,
    /// How many findings there are beside those.
    pub further_findings: u64,
    /// What this verification says nothing about.
    pub uncovered: Vec<Uncovered>,
}

/// A tree's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TreeChecked {
    /// Where it lies.
    pub folder: String,
    /// How many leaves it has.
    pub size: u64,
    /// How many of them were compared with the log's.
    pub compared: u64,
}

/// Something that a verification says nothing about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "uncovered", rename_all = "snake_case")]
pub enum Uncovered {
    /// Nothing signed was compared: whoever could write the log could have written all of it anew.
    NothingSigned,
    /// The keys were found beside the tree: whoever could write there could have signed.
    KeysUntold,
    /// No witness has cosigned a checkpoint, and none was kept: the log's operator could show others another log.
    NoOtherSide,
    /// Events after the largest size that was signed.
    Unsigned {
        /// The first.
        from: Position,
        /// The last.
        to: Position,
    },
    /// The tree has gone on since the export was taken, or the export was cut there: what came after is not in it.
    Later {
        /// The last position of the export.
        ends: Position,
        /// The size of the tree.
        tree: u64,
    },
    /// That the log was sealed, and where: no event tells of it, so nothing that was signed does.
    Sealed {
        /// The last position, as the log says.
        at: Position,
    },
    /// No tree's folder was compared: of a change only the sizes around it can be told.
    NoTree,
    /// Receipts of commands that changed nothing: no event speaks of them.
    EmptyReceipts {
        /// How many.
        receipts: u64,
    },
    /// Commands recorded before events kept their fingerprints: what was asked can't be compared.
    Fingerprints {
        /// How many.
        commands: u64,
    },
    /// The views were not replayed.
    ViewsNotReplayed,
    /// Nothing was claimed about the views.
    NoViews,
    /// Views that couldn't be replayed as far as the claim about them.
    Views {
        /// Their names.
        views: Vec<String>,
    },
    /// Events of types that this version doesn't know: their bodies were hashed and not read.
    UnknownTypes {
        /// How many.
        events: u64,
    },
    /// Checkpoints of a tree of another algorithm.
    OtherTree {
        /// Their names.
        checkpoints: Vec<String>,
    },
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// The finding to name first: the one with the lowest position, else the first one.
    pub fn first(&self) -> Option<&Finding> {
        self.findings.first()
    }
}
