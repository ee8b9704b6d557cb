//! The door to who answers for what.

use std::collections::{BTreeMap, BTreeSet};

use duban_domain::name::{AgencyId, ReadingId, TaskId};
use duban_domain::{Period, Reason};
use duban_log::views::{Cell, Found, Of, Record};
use duban_proto::tasks::v1 as pb;
use duban_proto::tasks::v1::responsibility_service_server::ResponsibilityService;
use duban_rpc::Moment;
use duban_rpc::filter::Kind;
use duban_rpc::rows::{Conditions, Order, at, page_at};
use duban_rpc::validate::name;
use duban_rpc::{Call, Error, Fields, Page, not_found, values};
use tonic::{Request, Response, Status};

use super::assignment::{ROLES, STAGES};
use super::{TasksDoor, conditions, rests_on};
use crate::render;
use crate::views::{Responsibility, ResponsibilityNames, ResponsibilityRow, Tasks};

/// What one agency's responsibilities are filtered by.
const FILTER_OF_AGENCY: &[(&str, Kind)] = &[
    ("task", Kind::Text),
    ("role", Kind::Choice(ROLES)),
    ("stage", Kind::Choice(STAGES)),
    ("contested", Kind::Flag),
];

/// What the matrix is filtered by.
const FILTER: &[(&str, Kind)] = &[
    ("task", Kind::Text),
    ("agency", Kind::Text),
    ("role", Kind::Choice(ROLES)),
    ("stage", Kind::Choice(STAGES)),
    ("contested", Kind::Flag),
];

type Rows = Vec<Found<ResponsibilityRow>>;

/// By task, then leads first, then by agency.
fn by_place() -> Order<ResponsibilityRow> {
    Order { column: "place", value: |row| row.columns.place.clone() }
}

impl TasksDoor {
    /// NOT_FOUND unless the task was known at a moment; nothing at all was, at position 0.
    pub(super) async fn task_is_known(
        &self,
        call: &Call,
        moment: Moment,
        task: &TaskId,
    ) -> Result<(), Error> {
        let mut snapshot = call.ask_at::<Of<Tasks>>(&self.views, moment).await?;
        let asked = [task.to_string().into(), moment.position.into()];
        let known =
            snapshot.query::<Of<Tasks>>("key", "key = $1 AND known_from <= $2 LIMIT 1", &asked).await?;
        if known.is_empty() && moment.position > 0 {
            return Err(not_found(Reason::TaskNotFound, task));
        }
        Ok(())
    }

    async fn agency_is_known(&self, call: &Call, moment: Moment, agency: &AgencyId) -> Result<(), Error> {
        let mut snapshot = call.ask_at::<ResponsibilityNames>(&self.views, moment).await?;
        let asked = [agency.to_string().into(), moment.position.into()];
        let known =
            snapshot.select::<ResponsibilityNames>("key = $1 AND known_from <= $2 LIMIT 1", &asked).await?;
        if known.is_empty() && moment.position > 0 {
            return Err(not_found(Reason::AgencyNotFound, agency));
        }
        Ok(())
    }

    /// The rows as the wire shows them, with titles and names as they were at the moment.
    async fn responsibilities(
        &self,
        call: &Call,
        moment: Moment,
        rows: Rows,
        fallen: &BTreeSet<ReadingId>,
    ) -> Result<Vec<pb::Responsibility>, Error> {
        let titles = self.titles(call, moment, &rows).await?;
        let names = self.full_names(call, moment, &rows).await?;
        let shown = rows.into_iter().map(|row| {
            let contested = rests_on(&row.columns.readings, fallen);
            let ResponsibilityRow { task, assignment, agency, role, stage, readings, place: _ } = row.columns;
            let (task_title, task_label) = titles.get(&task).cloned().unwrap_or_default();
            pb::Responsibility {
                task_title,
                task_label,
                agency_full_name: names.get(&agency).cloned().unwrap_or_default(),
                task,
                assignment,
                agency,
                role: render::role(role).into(),
                stage: render::stage_of_assignment(stage).into(),
                period: Some(values::period(Period::new(row.valid.from, row.valid.until))),
                readings: readings.iter().map(ToString::to_string).collect(),
                contested,
                because: row.because,
            }
        });
        Ok(shown.collect())
    }

    /// The titles and labels of the tasks of these rows.
    async fn titles(
        &self,
        call: &Call,
        moment: Moment,
        rows: &Rows,
    ) -> Result<BTreeMap<String, (String, String)>, Error> {
        let keys: BTreeSet<&String> = rows.iter().map(|row| &row.columns.task).collect();
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut snapshot = call.ask_at::<Of<Tasks>>(&self.views, moment).await?;
        // Of whatever day: a corrected assignment may hold days on which the task was not proposed yet.
        let named: Vec<String> = (2..).take(keys.len()).map(|number| format!("${number}")).collect();
        let known = format!("known_from <= $1 AND $1 < known_to AND key IN ({})", named.join(", "));
        let position = std::iter::once(moment.position.into());
        let asked: Vec<Cell> = position.chain(keys.into_iter().map(|key| key.as_str().into())).collect();
        let found = snapshot.query::<Of<Tasks>>("key, title, label", &known, &asked).await?;
        let text = |row: &Record, column| row.text(column).unwrap_or_default().to_owned();
        let titles = found.iter().map(|row| (text(row, "key"), (text(row, "title"), text(row, "label"))));
        Ok(titles.collect())
    }

    async fn full_names(
        &self,
        call: &Call,
        moment: Moment,
        rows: &Rows,
    ) -> Result<BTreeMap<String, String>, Error> {
        let keys: BTreeSet<&String> = rows.iter().map(|row| &row.columns.agency).collect();
        let mut snapshot = call.ask_at::<ResponsibilityNames>(&self.views, moment).await?;
        let found = at::<ResponsibilityNames>(&mut snapshot, moment, one_of(keys), "").await?;
        Ok(found.into_iter().map(|row| (row.key, row.columns.full_name)).collect())
    }

    async fn page_of(
        &self,
        call: &Call,
        moment: Moment,
        page: &Page,
        conditions: Conditions,
    ) -> Result<(Rows, String), Error> {
        let mut snapshot = call.ask_at::<Responsibility>(&self.views, moment).await?;
        let listed = page_at::<Responsibility>(&mut snapshot, moment, page, conditions, by_place()).await?;
        Ok((listed.rows, listed.next_page_token))
    }
}

/// The keys are these.
fn one_of(keys: BTreeSet<&String>) -> Conditions {
    if keys.is_empty() {
        return Conditions::none().and("1 = 0", []);
    }
    let marks = vec!["$?"; keys.len()].join(", ");
    Conditions::none().and(&format!("key IN ({marks})"), keys.into_iter().map(|key| key.as_str().into()))
}

#[tonic::async_trait]
impl ResponsibilityService for TasksDoor {
    async fn get_task_responsibility(
        &self,
        request: Request<pb::GetTaskResponsibilityRequest>,
    ) -> Result<Response<pb::GetTaskResponsibilityResponse>, Status> {
        let call = Call::of(&request)?;
        let pb::GetTaskResponsibilityRequest { task, as_of, consistency } = request.into_inner();
        let (task, as_of) = Fields::read(|f| {
            let task = f.one("task", task, name::<TaskId>);
            let as_of = f.as_of(as_of, consistency);
            Ok((task?, as_of?))
        })?;
        let (moment, fallen) = self.moment(&call, as_of, None).await?;
        self.task_is_known(&call, moment, &task).await?;
        let mut snapshot = call.ask_at::<Responsibility>(&self.views, moment).await?;
        let of_task = Conditions::none().equal("task", task.to_string());
        let rows = at::<Responsibility>(&mut snapshot, moment, of_task, "ORDER BY place").await?;
        drop(snapshot);
        Ok(Response::new(pb::GetTaskResponsibilityResponse {
            responsibilities: self.responsibilities(&call, moment, rows, &fallen).await?,
            answer: self.answer(moment).await?,
        }))
    }

    async fn get_agency_responsibility(
        &self,
        request: Request<pb::GetAgencyResponsibilityRequest>,
    ) -> Result<Response<pb::GetAgencyResponsibilityResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let query =
            pb::GetAgencyResponsibilityRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        let pb::GetAgencyResponsibilityRequest { agency, page_size, page_token, filter, as_of, consistency } =
            request;
        let (agency, page, filter, as_of) = Fields::read(|f| {
            let agency = f.one("agency", agency, name::<AgencyId>);
            let page = f.page(page_size, &page_token, &query, &self.scope(&call));
            let filter = f.filter(&filter, FILTER_OF_AGENCY);
            let as_of = f.as_of(as_of, consistency);
            Ok((agency?, page?, filter?, as_of?))
        })?;
        let (moment, fallen) = self.moment(&call, as_of, page.place.as_ref()).await?;
        self.agency_is_known(&call, moment, &agency).await?;
        let conditions = conditions(&filter, &fallen).equal("agency", agency.to_string());
        let (rows, next_page_token) = self.page_of(&call, moment, &page, conditions).await?;
        Ok(Response::new(pb::GetAgencyResponsibilityResponse {
            responsibilities: self.responsibilities(&call, moment, rows, &fallen).await?,
            next_page_token,
            answer: self.answer(moment).await?,
        }))
    }

    async fn get_matrix(
        &self,
        request: Request<pb::GetMatrixRequest>,
    ) -> Result<Response<pb::GetMatrixResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let query = pb::GetMatrixRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        let pb::GetMatrixRequest { page_size, page_token, filter, as_of, consistency } = request;
        let (page, filter, as_of) = Fields::read(|f| {
            let page = f.page(page_size, &page_token, &query, &self.scope(&call));
            let filter = f.filter(&filter, FILTER);
            let as_of = f.as_of(as_of, consistency);
            Ok((page?, filter?, as_of?))
        })?;
        let (moment, fallen) = self.moment(&call, as_of, page.place.as_ref()).await?;
        let conditions = conditions(&filter, &fallen);
        let (rows, next_page_token) = self.page_of(&call, moment, &page, conditions).await?;
        Ok(Response::new(pb::GetMatrixResponse {
            responsibilities: self.responsibilities(&call, moment, rows, &fallen).await?,
            next_page_token,
            answer: self.answer(moment).await?,
        }))
    }
}
