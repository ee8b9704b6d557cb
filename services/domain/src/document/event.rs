//! What happens to a document, its anomalies and its readings, as it is stored.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AnomalyKind, Clause, Confidence, Lines, TableRow, Target};
use crate::name::{AnomalyId, DocumentId, ReadingId};
use crate::subject::Subject;
use crate::text::{Line, SourceText, Text};
use crate::time::Date;

/// What happened to a document. Stored forever: variants are added, never renamed or reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
pub enum DocumentEvent {
    /// 登记: the text came into the log as it is.
    #[serde(rename = "document.registered.v1")]
    Registered {
        /// The document.
        document: DocumentId,
        /// 标题.
        title: Line,
        /// 发文机关, where printed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer: Option<Line>,
        /// The text, byte for byte.
        text: SourceText,
        /// SHA-256 of the text's UTF-8 bytes, in lower-case hexadecimal.
        sha256: String,
        /// 条款.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        clauses: Vec<Clause>,
        /// 附表原始行.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rows: Vec<TableRow>,
        /// 目标.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        targets: Vec<Target>,
        /// 发文字号, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<Line>,
        /// 成文日期, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        issued_on: Option<Date>,
    },
    /// What was unknown of it is known now; at least one of the two.
    #[serde(rename = "document.identified.v1")]
    Identified {
        /// The document.
        document: DocumentId,
        /// 发文字号.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<Line>,
        /// 成文日期.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<String>")]
        issued_on: Option<Date>,
    },
    /// 废止: from the effective day on it is without force.
    #[serde(rename = "document.repealed.v1")]
    Repealed {
        /// The document.
        document: DocumentId,
    },
    /// 异常: something in the text is damaged, contradictory or missing.
    #[serde(rename = "anomaly.recorded.v1")]
    AnomalyRecorded {
        /// The anomaly.
        anomaly: AnomalyId,
        /// What kind of damage.
        kind: AnomalyKind,
        /// The lines that it concerns.
        lines: Lines,
        /// What stands there; left out when something is missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        found: Option<Text>,
        /// What is wrong with it.
        description: Text,
    },
    /// 认定: this is taken to be so. Why is the context's reason.
    #[serde(rename = "reading.adopted.v1")]
    ReadingAdopted {
        /// The reading.
        reading: ReadingId,
        /// The anomalies that it settles.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        anomalies: Vec<AnomalyId>,
        /// What is taken to be so.
        statement: Text,
        /// What else it could mean.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        alternatives: Vec<Text>,
        /// How sure.
        confidence: Confidence,
        /// The lines that it concerns.
        lines: Lines,
        /// The reading whose place it takes; its end is an event of the same append.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        supersedes: Option<ReadingId>,
    },
    /// Another reading took its place.
    #[serde(rename = "reading.superseded.v1")]
    ReadingSuperseded {
        /// The reading that ends.
        reading: ReadingId,
        /// The one in its place.
        by: ReadingId,
    },
    /// 撤回: nothing new may rest on it. Why is the context's reason.
    #[serde(rename = "reading.withdrawn.v1")]
    ReadingWithdrawn {
        /// The reading.
        reading: ReadingId,
    },
}

impl DocumentEvent {
    /// The document.
    pub fn document(&self) -> &DocumentId {
        match self {
            DocumentEvent::Registered { document, .. }
            | DocumentEvent::Identified { document, .. }
            | DocumentEvent::Repealed { document } => document,
            DocumentEvent::AnomalyRecorded { anomaly, .. } => anomaly.document(),
            DocumentEvent::ReadingAdopted { reading, .. }
            | DocumentEvent::ReadingSuperseded { reading, .. }
            | DocumentEvent::ReadingWithdrawn { reading } => reading.document(),
        }
    }

    /// The anomalies whose state it changes: the one recorded, or those that an adopted reading settles.
    pub fn anomalies(&self) -> &[AnomalyId] {
        match self {
            DocumentEvent::AnomalyRecorded { anomaly, .. } => std::slice::from_ref(anomaly),
            DocumentEvent::ReadingAdopted { anomalies, .. } => anomalies,
            DocumentEvent::Registered { .. }
            | DocumentEvent::Identified { .. }
            | DocumentEvent::Repealed { .. }
            | DocumentEvent::ReadingSuperseded { .. }
            | DocumentEvent::ReadingWithdrawn { .. } => &[],
        }
    }

    /// The reading whose life it is.
    pub fn reading(&self) -> Option<&ReadingId> {
        match self {
            DocumentEvent::ReadingAdopted { reading, .. }
            | DocumentEvent::ReadingSuperseded { reading, .. }
            | DocumentEvent::ReadingWithdrawn { reading } => Some(reading),
            DocumentEvent::Registered { .. }
            | DocumentEvent::Identified { .. }
            | DocumentEvent::Repealed { .. }
            | DocumentEvent::AnomalyRecorded { .. } => None,
        }
    }

    /// The subjects that it is about: the document, and the reading whose life it is.
    pub fn subjects(&self) -> Vec<Subject> {
        let reading = self.reading().cloned().map(Subject::Reading);
        std::iter::once(Subject::Document(self.document().clone())).chain(reading).collect()
    }
}
