//! The doors of the tasks service: documents, tasks, assignments, and who answers for what.

mod assignment;
mod document;
mod responsibility;
mod task;

use std::collections::BTreeSet;

use duban_domain::Date;
use duban_domain::name::ReadingId;
use duban_log::views::{Entry, Of};
use duban_log::{Log, LogIdentity, Outcome, StorageError, Views};
use duban_proto::call::v1 as call_pb;
use duban_rpc::filter::{Filter, Op, Value};

use duban_rpc::rows::Conditions;
use duban_rpc::{AsOf, Call, Error, Moment, Place};

use crate::views::{
    Anomalies, Assignments, Completion, Documents, Readings, Responsibility, ResponsibilityNames, Tasks,
    fallen,
};

/// Every view of the service.
pub const VIEWS: &[Entry] = &[
    Entry::of::<Of<Documents>>(),
    Entry::of::<Of<Anomalies>>(),
    Entry::of::<Of<Readings>>(),
    Entry::of::<Of<Tasks>>(),
    Entry::of::<Of<Assignments>>(),
    Entry::of::<Responsibility>(),
    Entry::of::<Completion>(),
    Entry::of::<ResponsibilityNames>(),
];

/// What the handlers of all four services share. Cheap to clone.
#[derive(Clone)]
pub struct TasksDoor {
    log: Log,
    views: Views,
}

impl TasksDoor {
    /// Sets the service's views to work, from where they stand.
    pub async fn open(log: &Log, views: &Views) -> Result<Self, StorageError> {
        for view in VIEWS {
            view.start(views).await?;
        }
        Ok(Self { log: log.clone(), views: views.clone() })
    }

    fn receipt<C>(&self, outcome: &Outcome<C>) -> Option<call_pb::Receipt> {
        duban_rpc::receipt(outcome, self.log.identity())
    }

    async fn answer(&self, moment: Moment) -> Result<Option<call_pb::Answer>, Error> {
        moment.answer(&self.log).await.map(Some)
    }

    /// Right after a command, as its reply shows it.
    fn after<C>(&self, outcome: &Outcome<C>) -> Moment {
        Moment {
            valid_on: shown_on(outcome, duban_domain::time::civil_date(self.log.now())),
            position: outcome.position,
        }
    }

    /// As of when a question is answered, and the readings that no longer stood then.
    async fn moment(
        &self,
        call: &Call,
        as_of: AsOf,
        place: Option<&Place>,
    ) -> Result<(Moment, BTreeSet<ReadingId>), Error> {
        let (mut snapshot, moment) = call.ask::<Of<Readings>>(&self.views, as_of, place).await?;
        Ok((moment, fallen(&mut snapshot, moment).await?))
    }

    /// The readings that no longer stand right after a command; not asked for where nothing rests on any.
    async fn fallen_after<C>(
        &self,
        call: &Call,
        outcome: &Outcome<C>,
        readings: &[ReadingId],
    ) -> Result<BTreeSet<ReadingId>, Error> {
        if readings.is_empty() {
            return Ok(BTreeSet::new());
        }
        // What was only asked is not in the log; the views stand before it.
        let position = outcome.position.min(self.log.head().await?);
        let moment = Moment { position, ..self.after(outcome) };
        let mut snapshot = call.ask_at::<Of<Readings>>(&self.views, moment).await?;
        fallen(&mut snapshot, moment).await
    }

    /// What positions in page tokens mean: this RPC on this log in this epoch.
    fn scope(&self, call: &Call) -> String {
        let LogIdentity { log, epoch } = self.log.identity();
        format!("{} {log} {epoch}", call.rpc())
    }
}

/// The conditions of a filter; `contested` compares the readings that a row rests on with those that fell.
fn conditions(filter: &Filter, fallen: &BTreeSet<ReadingId>) -> Conditions {
    filter.terms.iter().fold(Conditions::none(), |conditions, term| match (term.field, &term.value) {
        ("contested", Value::Flag(flag)) => conditions.and_contested((term.op == Op::Equal) == *flag, fallen),
        _ => conditions.term(term),
    })
}

trait AndContested {
    fn and_contested(self, wanted: bool, fallen: &BTreeSet<ReadingId>) -> Self;
}

impl AndContested for Conditions {
    /// Names have no character that LIKE takes for another, and stand in quotes in the column's JSON.
    fn and_contested(self, wanted: bool, fallen: &BTreeSet<ReadingId>) -> Self {
        let rests = match fallen.len() {
            0 => "1 = 0".to_owned(),
            some => vec!["readings LIKE $?"; some].join(" OR "),
        };
        let sql = if wanted { format!("({rests})") } else { format!("NOT ({rests})") };
        self.and(&sql, fallen.iter().map(|reading| format!("%\"{reading}\"%").into()))
    }
}

/// The day that the reply to a command is of: that of its receipt, so that a retry is answered the same.
fn shown_on<C>(outcome: &Outcome<C>, today: Date) -> Date {
    outcome.receipt.map_or(today, |receipt| duban_domain::time::civil_date(receipt.recorded_at))
}

/// Whether something rests on a reading that no longer stands.
fn rests_on(readings: &[ReadingId], fallen: &BTreeSet<ReadingId>) -> bool {
    readings.iter().any(|reading| fallen.contains(reading))
}
