//! The names by which agencies are found: full names, other names, credit codes, each with its days.

use std::collections::BTreeMap;

use duban_domain::agency::{AgencyEvent, Change};
use duban_domain::text::Line;
use duban_domain::{Date, Event, Period, Position, Recorded, Span, Timeline};
use duban_log::{Column, Poison, Row, Snapshot, View};
use duban_rpc::rows::{Conditions, at};
use duban_rpc::{Error, Moment};
use serde::{Deserialize, Serialize};

/// `agency_names(kind, text)`, by agency: a row for each stretch of days on which a text means it.
#[derive(Debug)]
pub struct AgencyNames;

/// What a name is to its agency, the plainest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NameKind {
    /// 全称: one at a time.
    FullName,
    /// 别名、简称: any number at a time.
    Alias,
    /// 统一社会信用代码: one at a time.
    CreditCode,
}

/// The columns of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// What it is to its agency.
    pub kind: NameKind,
    /// The name, or the code.
    pub text: String,
}

impl View for AgencyNames {
    const NAME: &'static str = "agency_names";
    const VERSION: i64 = 1;
    const COLUMNS: &'static [Column] = &[Column::text("kind"), Column::text("text")];
    const INDEXES: &'static [&'static [&'static str]] = &[&["text"]];
    type Columns = Columns;

    fn keys(recorded: &Recorded) -> Vec<String> {
        match &recorded.event {
            Event::Agency(event) => vec![event.agency().to_string()],
            Event::Document(_)
            | Event::Task(_)
            | Event::Assignment(_)
            | Event::Cycle(_)
            | Event::Report(_)
            | Event::Log(_) => vec![],
        }
    }

    fn project(_: &str, open: Vec<Row<Columns>>, recorded: &Recorded) -> Result<Vec<Row<Columns>>, Poison> {
        let Event::Agency(event) = &recorded.event else { return Ok(open) };
        let mut names = Names::of(open);
        names.take(event, recorded.effective_on, recorded.position);
        Ok(names.rows())
    }
}

/// What is held one after the other, never two on a day: the full name, the code, and each other name.
type Slot = (NameKind, Option<String>);

/// The names of one agency.
struct Names(BTreeMap<Slot, Timeline<String>>);

impl Names {
    fn of(open: Vec<Row<Columns>>) -> Self {
        let mut spans: BTreeMap<Slot, Vec<Span<String>>> = BTreeMap::new();
        for Row { valid, because, columns: Columns { kind, text } } in open {
            let slot = slot(kind, &text);
            spans.entry(slot).or_default().push(Span { period: valid, value: text, because });
        }
        Self(spans.into_iter().map(|(slot, spans)| (slot, Timeline::from_spans(spans))).collect())
    }

    /// Listed, never `_`: a new event doesn't compile until its effect on names is chosen here.
    fn take(&mut self, event: &AgencyEvent, on: Date, at: Position) {
        let rest = Period::since(on);
        match event {
            AgencyEvent::Registered {
                agency: _,
                full_name,
                kind: _,
                division_code: _,
                superior: _,
                credit_code,
                aliases,
            } => {
                self.give(NameKind::FullName, full_name.as_str(), rest, at);
                for alias in aliases {
                    self.give(NameKind::Alias, alias.as_str(), rest, at);
                }
                if let Some(code) = credit_code {
                    self.give(NameKind::CreditCode, code.as_str(), rest, at);
                }
            }
            AgencyEvent::Renamed { agency: _, full_name, former: _, until } => {
                self.give(NameKind::FullName, full_name.as_str(), Period::new(on, *until), at);
            }
            AgencyEvent::AliasAdded { agency: _, alias, until } => {
                self.give(NameKind::Alias, alias.as_str(), Period::new(on, *until), at);
            }
            AgencyEvent::AliasEnded { agency: _, alias, until } => {
                let ended = slot(NameKind::Alias, alias.as_str());
                self.take_away(|slot| *slot == ended, Period::new(on, *until), at);
            }
            AgencyEvent::Amended { agency: _, changes } => {
                for change in changes {
                    self.amend(change, on, at);
                }
            }
            AgencyEvent::Dissolved { agency: _, names: _ } => {
                self.take_away(|(kind, _)| *kind != NameKind::CreditCode, rest, at);
            }
        }
    }

    fn amend(&mut self, change: &Change, on: Date, at: Position) {
        match change {
            Change::CreditCode(code) => {
                let days = Period::new(on, code.until);
                match &code.to {
                    Some(code) => self.give(NameKind::CreditCode, code.as_str(), days, at),
                    None => self.take_away(|(kind, _)| *kind == NameKind::CreditCode, days, at),
                }
            }
            Change::Kind(_) | Change::DivisionCode(_) | Change::Superior(_) => {}
        }
    }

    fn give(&mut self, kind: NameKind, text: &str, days: Period, at: Position) {
        self.0.entry(slot(kind, text)).or_default().set(days, text.to_owned(), at);
    }

    fn take_away(&mut self, which: impl Fn(&Slot) -> bool, days: Period, at: Position) {
        let held = self.0.iter_mut().filter(|(slot, _)| which(slot));
        held.for_each(|(_, timeline)| timeline.clear(days, at));
    }

    fn rows(self) -> Vec<Row<Columns>> {
        let row = |kind, span: &Span<String>| Row {
            valid: span.period,
            because: span.because.clone(),
            columns: Columns { kind, text: span.value.clone() },
        };
        let rows = self.0.iter().flat_map(|((kind, _), held)| held.spans().iter().map(|s| row(*kind, s)));
        rows.collect()
    }
}

fn slot(kind: NameKind, text: &str) -> Slot {
    match kind {
        NameKind::FullName | NameKind::CreditCode => (kind, None),
        NameKind::Alias => (kind, Some(text.to_owned())),
    }
}

/// An agency that a text means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// Its resource name.
    pub(crate) agency: String,
    /// By which of its names; the plainest, if by several.
    pub(crate) kind: NameKind,
    /// The events that gave it that name.
    pub(crate) because: Vec<Position>,
}

/// The agencies that `text` means at a moment, in order of name.
pub(crate) async fn bearers(
    snapshot: &mut Snapshot,
    moment: Moment,
    text: &Line,
) -> Result<Vec<Bearer>, Error> {
    let meant = Conditions::none().equal("text", text.as_str());
    let rows = at::<AgencyNames>(snapshot, moment, meant, "ORDER BY key, number").await?;
    let mut found: BTreeMap<String, Bearer> = BTreeMap::new();
    for row in rows {
        let bearer = Bearer { agency: row.key.clone(), kind: row.columns.kind, because: row.because };
        match found.get(&row.key) {
            Some(plainer) if plainer.kind <= bearer.kind => {}
            Some(_) | None => {
                found.insert(row.key, bearer);
            }
        }
    }
    Ok(found.into_values().collect())
}
