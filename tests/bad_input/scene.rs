//! A server with something of everything on it, and what it says to whom.

use bytes::Bytes;
use duban_domain::Role;
use duban_proto::tasks::v1 as tasks;
use duban_rpc::DOMAIN;
use duban_rpc::access::TABLE;
use prost_reflect::DynamicMessage;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::support::{As, Office, Rpc, because, from};

/// A refusal: its code, its reason, and the fields that it names.
pub(crate) type Told = (Code, String, Vec<String>);

/// A server on which the resources that the templates name are there.
pub(crate) struct Scene {
    office: Office,
}

/// The roles that may call an RPC.
pub(crate) fn roles(rpc: &Rpc) -> &'static [Role] {
    TABLE.iter().find(|row| row.path == rpc.path).expect("a row").roles
}

impl Scene {
    /// Agencies, a document with its reading, a dispatched task, a cycle and a report.
    pub(crate) async fn set() -> Self {
        let office = Office::open().await;
        office.register_agencies(&["fgw", "czt"]).await;
        document(&office.supervisor()).await;
        office.dispatch("t", "2026-01-01", &["fgw", "czt"]).await;
        office.cycle_opened("fgw", 2026, "2026-12-31", 2).await;
        office.submitted("fgw", 2026, "r", &["t"]).await;
        Self { office }
    }

    /// Everybody who may call at all.
    pub(crate) fn by_role(&self) -> Vec<(Role, As)> {
        let office = &self.office;
        let secadmin = As::on(office.channel(), "secadmin-1", "secadmin", None);
        vec![
            (Role::Supervisor, office.supervisor()),
            (Role::Coordinator, office.coordinator("fgw")),
            (Role::Agency, office.agency("fgw")),
            (Role::Auditor, office.auditor()),
            (Role::Sysadmin, office.sysadmin()),
            (Role::Secadmin, secadmin),
        ]
    }

    /// The same without their roles.
    pub(crate) fn everybody(&self) -> Vec<As> {
        self.by_role().into_iter().map(|(_, who)| who).collect()
    }

    /// What is said to somebody who may call the RPC: nothing, if it is answered.
    pub(crate) async fn send(&self, rpc: &Rpc, message: impl Into<Bytes>) -> Option<Told> {
        let who = match roles(rpc) {
            [Role::Agency] => self.office.agency("fgw"),
            [Role::Coordinator] => self.office.coordinator("fgw"),
            _ => self.office.supervisor(),
        };
        self.tell(&who, rpc, message).await
    }

    /// What is said to somebody. Whatever it is, it has its ErrorInfo, and nothing was written; unless noise
    /// came to a command, which then has its receipt.
    pub(crate) async fn tell(&self, who: &As, rpc: &Rpc, message: impl Into<Bytes>) -> Option<Told> {
        let before = self.office.head().await;
        let told = match who.raw(&rpc.path, message).await {
            Ok(replies) if rpc.is_command() && has_receipt(rpc, &replies[0]) => return None,
            Ok(_) => None,
            Err(status) => Some(read(&status, &rpc.path)),
        };
        assert_eq!(self.office.head().await, before, "{} writes nothing: {told:?}", rpc.path);
        told
    }

    /// The server still answers, and its log and views are as they should be.
    pub(crate) async fn ended(self) {
        let head = self.office.auditor().audit().get_head(duban_proto::audit::v1::GetHeadRequest {}).await;
        assert_eq!(head.expect("an answer").into_inner().position, self.office.head().await);
        self.office.verify().await;
    }
}

fn has_receipt(rpc: &Rpc, reply: &Bytes) -> bool {
    let reply = DynamicMessage::decode(rpc.output.clone(), reply.clone()).expect("a reply");
    reply.has_field_by_name("receipt")
}

/// A failure as it must be, whatever was sent.
fn read(status: &Status, path: &str) -> Told {
    let details = status.get_error_details();
    let Some(info) = details.error_info() else { panic!("{path}: no ErrorInfo: {status}") };
    assert_eq!(info.domain, DOMAIN, "{path}");
    let internal =
        matches!(status.code(), Code::Internal | Code::Unknown | Code::DataLoss | Code::Unavailable);
    assert!(!internal || info.reason == "MALFORMED_MESSAGE", "{path}: {status}");
    let fields = details.bad_request().map_or(Vec::new(), |bad| {
        bad.field_violations.iter().map(|violation| violation.field.clone()).collect()
    });
    assert_eq!(status.code() == Code::InvalidArgument, !fields.is_empty(), "{path}: {status}");
    (status.code(), info.reason.clone(), fields)
}

async fn document(supervisor: &As) {
    let mut documents = supervisor.documents();
    let lines = |first_line, last_line| tasks::Clause {
        clause_id: "c".to_owned(),
        first_line,
        last_line,
        ..Default::default()
    };
    let register = tasks::RegisterDocumentRequest {
        context: Some(from("2026-01-01")),
        document_id: Some("d".to_owned()),
        title: "实施意见".to_owned(),
        text: "第一条\n第二条\n".to_owned(),
        clauses: vec![lines(1, 1)],
        ..Default::default()
    };
    documents.register_document(register).await.expect("registered");
    let record = tasks::RecordAnomalyRequest {
        context: Some(from("2026-01-01")),
        document: "documents/d".to_owned(),
        anomaly_id: Some("a".to_owned()),
        kind: tasks::AnomalyKind::Other.into(),
        first_line: 1,
        last_line: 1,
        description: "不清".to_owned(),
        ..Default::default()
    };
    documents.record_anomaly(record).await.expect("recorded");
    let adopt = tasks::AdoptReadingRequest {
        context: Some(because("上下文如此")),
        document: "documents/d".to_owned(),
        reading_id: Some("r".to_owned()),
        anomalies: vec!["documents/d/anomalies/a".to_owned()],
        statement: "就是这样".to_owned(),
        confidence: tasks::Confidence::High.into(),
        first_line: 1,
        last_line: 1,
        ..Default::default()
    };
    documents.adopt_reading(adopt).await.expect("adopted");
}
