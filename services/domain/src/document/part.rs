//! What a document consists of, and the words for what is wrong with it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name::is_id;
use crate::text::{Line, Text};

/// The id of a part of a document, unique among the parts of its sort: an id segment ([`is_id`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PartId(String);

impl PartId {
    /// Parses; `None` unless [`is_id`].
    pub fn parse(text: &str) -> Option<Self> {
        is_id(text).then(|| Self(text.to_owned()))
    }

    /// As a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A range of a text's lines, both ends in it; the first line is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Lines {
    /// The first line.
    pub first: u32,
    /// The last line, at least the first.
    pub last: u32,
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}–{}", self.first, self.last)
    }
}

/// A clause (条款): a range of lines with a label or a title. Ranges may lie within one another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clause {
    /// Its id in the document.
    pub id: PartId,
    /// Its label as printed, such as `(三)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Line>,
    /// Its title as printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Line>,
    /// The lines that it covers.
    pub lines: Lines,
}

/// A raw row (原始行) of the document's table, with the damage it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableRow {
    /// Its id in the document.
    pub id: PartId,
    /// The line that it stands on.
    pub line: u32,
    /// Its cells as they came, left to right, empty ones kept.
    pub cells: Vec<String>,
}

/// A target (目标) that the document sets for a year, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// Its id in the document.
    pub id: PartId,
    /// The year by which it is to be reached, 1949 to 2199.
    pub year: i16,
    /// What is to be reached.
    pub statement: Text,
    /// The lines that say so.
    pub lines: Lines,
}

/// What kind of damage an anomaly is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AnomalyKind {
    /// 序号重复: a serial number occurs more than once.
    RepeatedSerial,
    /// 章节行夹带内容: a heading row carries what belongs to another row.
    HeadingWithContent,
    /// 行序错乱: rows stand in another order than their labels say.
    RowOrder,
    /// 单元格错位: a cell holds what belongs to another row.
    MisplacedCell,
    /// 单元格粘连: two cells ran into one.
    FusedCells,
    /// 表头重复: the header occurs again.
    RepeatedHeader,
    /// 段落断裂: a paragraph is broken by a blank line or a page.
    BrokenParagraph,
    /// 标点不一: punctuation of another width or kind.
    Punctuation,
    /// 标号不一: a label differs from the one it refers to.
    LabelMismatch,
    /// 要素缺失: something that such a document has is not there.
    MissingElement,
    /// 用语歧义: a word may mean more than one thing, or two words one thing.
    AmbiguousWording,
    /// 其他: another kind; the description says which.
    Other,
}

/// How sure a reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Confidence {
    /// One choice among several that fit.
    Low,
    /// The likeliest of them.
    Medium,
    /// Nothing else fits the rest of the text.
    High,
}
