//! Which roles may call which RPC (DOMAIN §4), as one table. Whether a caller may do it to *this* agency,
//! task or report is the rule's to say, in the domain.

use std::collections::HashMap;
use std::sync::LazyLock;

use duban_domain::Role;

/// One RPC.
#[derive(Debug, PartialEq, Eq)]
pub struct Rpc {
    /// The full method name, as `/package.Service/Method`.
    pub path: &'static str,
    /// The roles that may call it.
    pub roles: &'static [Role],
}

/// What the document, the agencies and the tasks are, and who shall do what: 督查/交办.
const SUPERVISOR: &[Role] = &[Role::Supervisor];
/// Opening, receiving, waiving: 汇总.
const COORDINATOR: &[Role] = &[Role::Coordinator];
/// Judging a report; which of the two, the rule says: nobody accepts its own agency's.
const EITHER: &[Role] = &[Role::Supervisor, Role::Coordinator];
/// Doing the work and reporting on it: 承办.
const AGENCY: &[Role] = &[Role::Agency];
/// Asking what the views know.
const READERS: &[Role] = &[Role::Supervisor, Role::Coordinator, Role::Agency, Role::Auditor];
/// Reading the whole log.
const LOG_READERS: &[Role] = &[Role::Supervisor, Role::Coordinator, Role::Auditor];

const fn row(path: &'static str, roles: &'static [Role]) -> Rpc {
    Rpc { path, roles }
}

/// Every RPC that needs an identity.
pub static TABLE: &[Rpc] = &[
    row("/duban.agencies.v1.AgencyService/RegisterAgency", SUPERVISOR),
    row("/duban.agencies.v1.AgencyService/RenameAgency", SUPERVISOR),
    row("/duban.agencies.v1.AgencyService/AddAlias", SUPERVISOR),
    row("/duban.agencies.v1.AgencyService/EndAlias", SUPERVISOR),
    row("/duban.agencies.v1.AgencyService/AmendAgency", SUPERVISOR),
    row("/duban.agencies.v1.AgencyService/DissolveAgency", SUPERVISOR),
    row("/duban.agencies.v1.AgencyService/GetAgency", READERS),
    row("/duban.agencies.v1.AgencyService/ListAgencies", READERS),
    row("/duban.agencies.v1.AgencyService/ResolveName", READERS),
    //
    row("/duban.tasks.v1.DocumentService/RegisterDocument", SUPERVISOR),
    row("/duban.tasks.v1.DocumentService/IdentifyDocument", SUPERVISOR),
    row("/duban.tasks.v1.DocumentService/RepealDocument", SUPERVISOR),
    row("/duban.tasks.v1.DocumentService/RecordAnomaly", SUPERVISOR),
    row("/duban.tasks.v1.DocumentService/AdoptReading", SUPERVISOR),
    row("/duban.tasks.v1.DocumentService/WithdrawReading", SUPERVISOR),
    row("/duban.tasks.v1.DocumentService/GetDocument", READERS),
    row("/duban.tasks.v1.DocumentService/ListDocuments", READERS),
    row("/duban.tasks.v1.DocumentService/ListAnomalies", READERS),
    row("/duban.tasks.v1.DocumentService/ListReadings", READERS),
    row("/duban.tasks.v1.DocumentService/ListDependents", READERS),
    //
    row("/duban.tasks.v1.TaskService/ProposeTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/RegisterTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/DispatchTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/RecordProgress", AGENCY),
    row("/duban.tasks.v1.TaskService/VerifyProgress", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/RequestClosure", AGENCY),
    row("/duban.tasks.v1.TaskService/ReturnTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/CompleteTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/StrikeOffTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/ArchiveTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/SuspendTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/ResumeTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/WithdrawTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/ReopenTask", SUPERVISOR),
    row("/duban.tasks.v1.TaskService/GetTask", READERS),
    row("/duban.tasks.v1.TaskService/ListTasks", READERS),
    //
    row("/duban.tasks.v1.AssignmentService/AssignAgency", SUPERVISOR),
    row("/duban.tasks.v1.AssignmentService/AcknowledgeAssignment", AGENCY),
    row("/duban.tasks.v1.AssignmentService/ContestAssignment", AGENCY),
    row("/duban.tasks.v1.AssignmentService/UpholdAssignment", SUPERVISOR),
    row("/duban.tasks.v1.AssignmentService/ReassignAssignment", SUPERVISOR),
    row("/duban.tasks.v1.AssignmentService/ReleaseAssignment", SUPERVISOR),
    row("/duban.tasks.v1.AssignmentService/ReinterpretRole", SUPERVISOR),
    row("/duban.tasks.v1.AssignmentService/CorrectBoundary", SUPERVISOR),
    row("/duban.tasks.v1.AssignmentService/GetAssignment", READERS),
    row("/duban.tasks.v1.AssignmentService/ListAssignments", READERS),
    //
    row("/duban.tasks.v1.ResponsibilityService/GetTaskResponsibility", READERS),
    row("/duban.tasks.v1.ResponsibilityService/GetAgencyResponsibility", READERS),
    row("/duban.tasks.v1.ResponsibilityService/GetMatrix", READERS),
    //
    row("/duban.reports.v1.CycleService/OpenCycle", COORDINATOR),
    row("/duban.reports.v1.CycleService/WaiveObligation", EITHER),
    row("/duban.reports.v1.CycleService/GetCycle", READERS),
    row("/duban.reports.v1.CycleService/ListCycles", READERS),
    row("/duban.reports.v1.CycleService/GetObligation", READERS),
    row("/duban.reports.v1.CycleService/ListObligations", READERS),
    //
    row("/duban.reports.v1.ReportService/DraftReport", AGENCY),
    row("/duban.reports.v1.ReportService/ReviseReport", AGENCY),
    row("/duban.reports.v1.ReportService/EndorseReport", AGENCY),
    row("/duban.reports.v1.ReportService/SubmitReport", AGENCY),
    row("/duban.reports.v1.ReportService/CorrectReport", AGENCY),
    row("/duban.reports.v1.ReportService/ReceiveReport", EITHER),
    row("/duban.reports.v1.ReportService/AcceptReport", EITHER),
    row("/duban.reports.v1.ReportService/ReturnReport", EITHER),
    row("/duban.reports.v1.ReportService/GetReport", READERS),
    row("/duban.reports.v1.ReportService/ListReports", READERS),
    //
    row("/duban.audit.v1.AuditService/Read", LOG_READERS),
    row("/duban.audit.v1.AuditService/Subscribe", LOG_READERS),
    row("/duban.audit.v1.AuditService/GetHead", LOG_READERS),
    row("/duban.audit.v1.AuditService/ResolvePosition", LOG_READERS),
    row("/duban.audit.v1.AuditService/Explain", LOG_READERS),
    row("/duban.audit.v1.AuditService/GetEventSchema", LOG_READERS),
    row("/duban.audit.v1.AuditService/ListEventTypes", LOG_READERS),
    //
    row("/duban.audit.v1.ProofService/GetCheckpoint", READERS),
    row("/duban.audit.v1.ProofService/ProveInclusion", READERS),
    row("/duban.audit.v1.ProofService/ProveConsistency", READERS),
    row("/duban.audit.v1.ProofService/ProveHistory", LOG_READERS),
];

/// Services that anyone may ask without saying who it is: is it up, and what does it speak.
const OPEN: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

static BY_PATH: LazyLock<HashMap<&'static str, usize>> =
    LazyLock::new(|| TABLE.iter().enumerate().map(|(index, rpc)| (rpc.path, index)).collect());

/// What the path of a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// An RPC, by its place in the table.
    Rpc(usize),
    /// Some method of an open service, by the service's place.
    Open(usize),
    /// Nothing that is served here.
    Unknown,
}

impl Row {
    /// How many rows there can be.
    pub(crate) const COUNT: usize = TABLE.len() + OPEN.len() + 1;

    /// Its place among all of them.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::Rpc(index) => index,
            Self::Open(index) => TABLE.len() + index,
            Self::Unknown => TABLE.len() + OPEN.len(),
        }
    }

    /// The RPC, if it is one that needs an identity.
    pub(crate) fn rpc(self) -> Option<&'static Rpc> {
        match self {
            Self::Rpc(index) => TABLE.get(index),
            Self::Open(_) | Self::Unknown => None,
        }
    }
}

/// The row of this path.
pub(crate) fn find(path: &str) -> Row {
    if let Some(index) = BY_PATH.get(path) {
        return Row::Rpc(*index);
    }
    OPEN.iter().position(|service| path.starts_with(service)).map_or(Row::Unknown, Row::Open)
}

/// What a row is called where calls are counted: service and method. What callers may make up has no name of
/// its own.
pub(crate) fn name(row: Row) -> (&'static str, &'static str) {
    let parts = |path: &'static str| path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
    match row {
        Row::Rpc(index) => parts(TABLE[index].path),
        Row::Open(index) => (parts(OPEN[index]).0, "any"),
        Row::Unknown => ("unknown", "unknown"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;

    use super::*;

    #[test]
    fn every_rpc_has_one_row_and_no_row_is_stale() {
        let set = prost_types::FileDescriptorSet::decode(duban_proto::FILE_DESCRIPTOR_SET).unwrap();
        let served: BTreeSet<String> = set
            .file
            .iter()
            .filter(|file| file.package().starts_with("duban."))
            .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)))
            .flat_map(|(package, service)| {
                service.method.iter().map(move |rpc| format!("/{package}.{}/{}", service.name(), rpc.name()))
            })
            .collect();
        let listed: BTreeSet<String> = TABLE.iter().map(|rpc| rpc.path.to_owned()).collect();
        assert_eq!(listed, served);
        assert_eq!(listed.len(), TABLE.len(), "a path is listed twice");
    }

    #[test]
    fn an_auditor_writes_nothing_and_administrators_have_no_business_here() {
        let reads = ["Get", "List", "Resolve", "Explain", "Read/", "Subscribe/", "Prove"];
        for rpc in TABLE {
            let method = format!("{}/", rpc.path.rsplit('/').next().unwrap());
            let read = reads.iter().any(|verb| method.starts_with(verb));
            assert_eq!(rpc.roles.contains(&Role::Auditor), read, "{}", rpc.path);
            for administrator in [Role::Sysadmin, Role::Secadmin, Role::System] {
                assert!(!rpc.roles.contains(&administrator), "{}", rpc.path);
            }
        }
    }
}
