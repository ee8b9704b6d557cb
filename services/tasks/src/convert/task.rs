//! The commands of a task.

use duban_domain::name::TaskId;
use duban_domain::task::{
    Assessment, DISPATCHED_MAX, DispatchedAssignment, Milestone, Outline, TaskCommand, Track,
};
use duban_domain::text::Text;
use duban_log::Request;
use duban_proto::tasks::v1 as pb;
use duban_rpc::validate::{id, line, name, text};
use duban_rpc::{Call, Error, Field, Fields, gather};

use super::assignment::{role, under};
use super::{LABEL_MAX, STATEMENT_MAX, TITLE_MAX};

/// The most clauses that one task may answer.
const CLAUSES_MAX: usize = 20;
/// The most milestones of one task.
const MILESTONES_MAX: usize = 20;

type Read = Result<(Request, TaskCommand), Error>;

pub(crate) fn propose(call: &Call, request: pb::ProposeTaskRequest) -> Read {
    let pb::ProposeTaskRequest {
        context,
        task_id,
        title,
        label,
        document,
        clauses,
        track,
        parent,
        milestones,
        source,
    } = request;
    call.command(context, |f| {
        gather!(TaskCommand::Propose {
            task: f.maybe("task_id", task_id, id(TaskId::from_id)),
            outline: gather!(Outline {
                title: f.one("title", title, line(TITLE_MAX)),
                label: f.maybe("label", label, line(LABEL_MAX)),
                document: f.maybe("document", document, name),
                clauses: f.many("clauses", clauses, CLAUSES_MAX, name),
                track: f.choice("track", track, track_of),
                parent: f.maybe("parent", parent, name),
                milestones: f.each("milestones", milestones, MILESTONES_MAX, milestone),
                source: f.source("source", source),
            }),
        })
    })
}

fn track_of(track: pb::TaskTrack) -> Option<Track> {
    match track {
        pb::TaskTrack::Unspecified => None,
        pb::TaskTrack::General => Some(Track::General),
        pb::TaskTrack::Complex => Some(Track::Complex),
        pb::TaskTrack::Annual => Some(Track::Annual),
        pb::TaskTrack::Continuing => Some(Track::Continuing),
    }
}

fn milestone(f: &mut Fields, milestone: pb::Milestone) -> Field<Milestone> {
    let pb::Milestone { year, statement } = milestone;
    let year = f.number("year", year, 1950..=2199, "a year from 1950 to 2199");
    let statement = f.one("statement", statement, text(STATEMENT_MAX));
    // Within the bounds just checked, a year fits.
    Ok(Milestone { year: i16::try_from(year?).unwrap_or(i16::MAX), statement: statement? })
}

pub(crate) fn dispatch(call: &Call, request: pb::DispatchTaskRequest) -> Read {
    let pb::DispatchTaskRequest { context, task, assignments } = request;
    call.command(context, |f| {
        let task = f.one("task", task, name::<TaskId>);
        let named = f.check(!assignments.is_empty(), "assignments", "is required");
        let assignments = f.each("assignments", assignments, DISPATCHED_MAX, |f, new| {
            let pb::NewAssignment { assignment_id, agency, role: number, source } = new;
            gather!(DispatchedAssignment {
                assignment: f.maybe("assignment_id", assignment_id, id(under(&task))),
                agency: f.one("agency", agency, name),
                role: f.choice("role", number, role),
                source: f.source("source", source),
            })
        });
        named.and(gather!(TaskCommand::Dispatch { task: task, assignments: assignments }))
    })
}

pub(crate) fn record_progress(call: &Call, request: pb::RecordProgressRequest) -> Read {
    let pb::RecordProgressRequest { context, task, level, text: said, evidence } = request;
    call.command(context, |f| {
        gather!(TaskCommand::RecordProgress {
            task: f.one("task", task, name),
            assessment: gather!(Assessment {
                level: f.level("level", level),
                text: f.one("text", said, text(STATEMENT_MAX)),
                evidence: f.evidence("evidence", evidence),
            }),
        })
    })
}

pub(crate) fn verify_progress(call: &Call, request: pb::VerifyProgressRequest) -> Read {
    let pb::VerifyProgressRequest { context, task, level, text: found } = request;
    call.command(context, |f| {
        gather!(TaskCommand::VerifyProgress {
            task: f.one("task", task, name),
            assessment: gather!(Assessment {
                level: f.level("level", level),
                text: f.one("text", found, text(STATEMENT_MAX)),
                evidence: Ok(vec![]),
            }),
        })
    })
}

pub(crate) fn request_closure(call: &Call, request: pb::RequestClosureRequest) -> Read {
    let pb::RequestClosureRequest { context, task, statement, evidence } = request;
    call.command(context, |f| {
        gather!(TaskCommand::RequestClosure {
            task: f.one("task", task, name),
            statement: f.one("statement", statement, text(STATEMENT_MAX)),
            evidence: f.evidence("evidence", evidence),
        })
    })
}

pub(crate) fn complete(call: &Call, request: pb::CompleteTaskRequest) -> Read {
    let pb::CompleteTaskRequest { context, task, judgement, evidence } = request;
    call.command(context, |f| {
        gather!(TaskCommand::Complete {
            task: f.one("task", task, name),
            judgement: f.one::<Text, _>("judgement", judgement, text(STATEMENT_MAX)),
            evidence: f.evidence("evidence", evidence),
        })
    })
}

/// The commands that say nothing but which task.
macro_rules! of_a_task {
    ($($read:ident: $request:ident => $command:ident,)*) => {
        $(pub(crate) fn $read(call: &Call, request: pb::$request) -> Read {
            let pb::$request { context, task } = request;
            call.command(context, |f| gather!(TaskCommand::$command { task: f.one("task", task, name) }))
        })*
    };
}

of_a_task! {
    register: RegisterTaskRequest => Register,
    return_task: ReturnTaskRequest => Return,
    strike_off: StrikeOffTaskRequest => StrikeOff,
    archive: ArchiveTaskRequest => Archive,
    suspend: SuspendTaskRequest => Suspend,
    resume: ResumeTaskRequest => Resume,
    withdraw: WithdrawTaskRequest => Withdraw,
    reopen: ReopenTaskRequest => Reopen,
}
