//! Why a rule says no: a closed set of reasons that a program can branch on, each of one kind.

use std::collections::BTreeMap;
use std::fmt;

/// What sort of no it is; the wire maps each to one canonical code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A field has a value that can't be meant.
    Invalid,
    /// What is named is not there.
    NotFound,
    /// The name or code is taken.
    AlreadyExists,
    /// The caller may not.
    NotAllowed,
    /// What is meant has changed since the caller looked.
    Stale,
    /// The state of things forbids it.
    Precondition,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $text:literal : $kind:ident,)*) => {
        /// Why, in one word.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant),*];

            /// The word on the wire, `SCREAMING_SNAKE_CASE`; never changed once released.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$variant => $text,)* }
            }

            /// What sort of no it is.
            pub fn kind(self) -> Kind {
                match self { $(Reason::$variant => Kind::$kind,)* }
            }
        }
    };
}

reasons! {
    /// A field's value can't be meant; `field` in the metadata says which.
    InvalidField = "INVALID_FIELD": Invalid,
    /// This command needs `context.reason`.
    ReasonRequired = "REASON_REQUIRED": Invalid,

    /// No such document.
    DocumentNotFound = "DOCUMENT_NOT_FOUND": NotFound,
    /// No such clause in the document.
    ClauseNotFound = "CLAUSE_NOT_FOUND": NotFound,
    /// No such anomaly.
    AnomalyNotFound = "ANOMALY_NOT_FOUND": NotFound,
    /// No such reading.
    ReadingNotFound = "READING_NOT_FOUND": NotFound,
    /// No such agency.
    AgencyNotFound = "AGENCY_NOT_FOUND": NotFound,
    /// The agency has no such alias.
    AliasNotFound = "ALIAS_NOT_FOUND": NotFound,
    /// No such task.
    TaskNotFound = "TASK_NOT_FOUND": NotFound,
    /// No such assignment.
    AssignmentNotFound = "ASSIGNMENT_NOT_FOUND": NotFound,
    /// No such cycle.
    CycleNotFound = "CYCLE_NOT_FOUND": NotFound,
    /// The agency owes nothing in the cycle.
    ObligationNotFound = "OBLIGATION_NOT_FOUND": NotFound,
    /// No such report.
    ReportNotFound = "REPORT_NOT_FOUND": NotFound,
    /// No event tells of this log: it is another one, or still in the epoch in which it began.
    EpochNotFound = "EPOCH_NOT_FOUND": NotFound,

    /// The document id is taken.
    DocumentExists = "DOCUMENT_EXISTS": AlreadyExists,
    /// The anomaly id is taken.
    AnomalyExists = "ANOMALY_EXISTS": AlreadyExists,
    /// The reading id is taken.
    ReadingExists = "READING_EXISTS": AlreadyExists,
    /// The agency id is taken.
    AgencyExists = "AGENCY_EXISTS": AlreadyExists,
    /// Another agency bears this full name at that time.
    NameTaken = "NAME_TAKEN": AlreadyExists,
    /// Another agency bears this unified social credit code.
    CreditCodeTaken = "CREDIT_CODE_TAKEN": AlreadyExists,
    /// The task id is taken.
    TaskExists = "TASK_EXISTS": AlreadyExists,
    /// The assignment id is taken within its task.
    AssignmentExists = "ASSIGNMENT_EXISTS": AlreadyExists,
    /// The cycle has been opened.
    CycleExists = "CYCLE_EXISTS": AlreadyExists,
    /// The report id is taken.
    ReportExists = "REPORT_EXISTS": AlreadyExists,

    /// It is another agency's.
    NotYours = "NOT_YOURS": NotAllowed,
    /// This is for another role.
    RoleNotAllowed = "ROLE_NOT_ALLOWED": NotAllowed,

    /// The etag is not the current one.
    EtagMismatch = "ETAG_MISMATCH": Stale,

    /// The document is repealed.
    DocumentRepealed = "DOCUMENT_REPEALED": Precondition,
    /// The document has this number or date already, and another can't be put in its place.
    DocumentIdentified = "DOCUMENT_IDENTIFIED": Precondition,
    /// A reading that the command rests on is withdrawn or superseded.
    ReadingNotInForce = "READING_NOT_IN_FORCE": Precondition,
    /// The agency is not active over the whole period.
    AgencyNotActive = "AGENCY_NOT_ACTIVE": Precondition,
    /// The agency still answers for something.
    AgencyHasDuties = "AGENCY_HAS_DUTIES": Precondition,
    /// The agency has had this name or alias since another date, or has it already.
    AliasOverlap = "ALIAS_OVERLAP": Precondition,
    /// A superior or parent would come to stand under itself.
    HierarchyCycle = "HIERARCHY_CYCLE": Precondition,
    /// There are more levels above it than anybody has thought of.
    HierarchyTooDeep = "HIERARCHY_TOO_DEEP": Precondition,
    /// The task is not at a stage in which this can happen.
    TaskStage = "TASK_STAGE": Precondition,
    /// The assignment is not at a stage in which this can happen.
    AssignmentStage = "ASSIGNMENT_STAGE": Precondition,
    /// Another agency leads the task on some of these days.
    LeadTaken = "LEAD_TAKEN": Precondition,
    /// The agency has a role on the task on some of these days.
    AgencyAlreadyAssigned = "AGENCY_ALREADY_ASSIGNED": Precondition,
    /// The date lies outside the assignment's period.
    OutsidePeriod = "OUTSIDE_PERIOD": Precondition,
    /// The two periods don't meet, or the new boundary leaves one of them without a day.
    BoundaryMismatch = "BOUNDARY_MISMATCH": Precondition,
    /// `effective_on` is before the step that this one follows.
    StepBeforeLast = "STEP_BEFORE_LAST": Precondition,
    /// `effective_on` of a step is after today.
    StepInFuture = "STEP_IN_FUTURE": Precondition,
    /// The same principal, or the same agency, did the work or the step before.
    SeparationOfDuty = "SEPARATION_OF_DUTY": Precondition,
    /// A cycle can't be due before the day it is opened.
    DueInPast = "DUE_IN_PAST": Precondition,
    /// Who holds a duty on a day to come is not known yet.
    HoldersInFuture = "HOLDERS_IN_FUTURE": Precondition,
    /// The obligation is not at a stage in which this can happen.
    ObligationStage = "OBLIGATION_STAGE": Precondition,
    /// The report is not at a stage in which this can happen.
    ReportStage = "REPORT_STAGE": Precondition,
    /// The report lacks a task that it must answer for, or answers for one that it need not.
    ReportIncomplete = "REPORT_INCOMPLETE": Precondition,
    /// No other key that was announced is in force: the log would be signed by none.
    KeyIsLast = "KEY_IS_LAST": Precondition,
    /// The plan behind a command of the system itself no longer holds: plan again.
    PlanOutdated = "PLAN_OUTDATED": Precondition,
    /// The event would have more tags, or a longer body, than the log takes.
    TooLarge = "TOO_LARGE": Precondition,
}

/// A no, with what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why, in one word.
    pub reason: Reason,
    /// The resource name that it is about.
    pub subject: String,
    /// Why, in a sentence for people.
    pub detail: String,
    /// What a program may want to know besides: short keys in `snake_case`.
    pub metadata: BTreeMap<&'static str, String>,
}

impl Rejection {
    /// A no about `subject`.
    pub fn new(reason: Reason, subject: impl fmt::Display, detail: impl Into<String>) -> Self {
        Self { reason, subject: subject.to_string(), detail: detail.into(), metadata: BTreeMap::new() }
    }

    /// A field that can't be meant, by its proto path.
    pub fn field(path: &str, detail: impl Into<String>) -> Self {
        Self::new(Reason::InvalidField, path, detail).with("field", path)
    }

    /// With one more thing to know.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.metadata.insert(key, value.to_string());
        self
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.detail)
    }
}

impl std::error::Error for Rejection {}
