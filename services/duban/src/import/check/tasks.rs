//! Tasks against the text: titles, agencies, and what the readings say of either.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::problem::{Place, Problems};
use super::super::seed::{CLAUSES, Citation, READINGS};
use super::super::table::Take;
use super::order::no_longer_standing;
use super::{Checked, Play, text_at};

pub(super) fn check(checked: &Checked<'_>, problems: &mut Problems) {
    let names = names(checked);
    for play in &checked.plays {
        let found = match play.method.name() {
            "RegisterDocument" => titled(checked, play),
            "ProposeTask" => proposed(checked, play),
            "DispatchTask" => dispatched(checked, play, &names),
            _ => continue,
        };
        if let Err(reason) = found {
            problems.add(&play.command.place(), reason);
        }
    }
    let gone = no_longer_standing(checked);
    for entry in &checked.seed.table(READINGS).entries {
        let reading = format!("{}/readings/{}", checked.seed.manifest.document, entry.text("reading_id"));
        for take in entry.takes.iter().filter(|_| !gone.contains(&reading)) {
            if let Err(reason) = taken(checked, take) {
                problems.add(&Place::new(READINGS, take.at), reason);
            }
        }
    }
}

/// The names of each agency at its registration: the full one and the aliases.
fn names<'c>(checked: &'c Checked<'_>) -> BTreeMap<String, Vec<&'c str>> {
    let registered = checked.plays.iter().filter(|play| play.is("RegisterAgency"));
    registered
        .map(|play| {
            let names = std::iter::once(play.text("full_name")).chain(play.list("aliases")).collect();
            (format!("agencies/{}", play.text("agency_id")), names)
        })
        .collect()
}

fn titled(checked: &Checked<'_>, play: &Play<'_>) -> Result<(), String> {
    let title = &checked.seed.manifest.title;
    if play.text("title") == title { Ok(()) } else { Err(format!("seed.toml has the title {title}")) }
}

/// The title is that of each clause, and cited where the task's source is.
fn proposed(checked: &Checked<'_>, play: &Play<'_>) -> Result<(), String> {
    let title = play.text("title");
    for name in play.list("clauses") {
        let id = name.rsplit('/').next().unwrap_or_default();
        let clauses = &checked.seed.table(CLAUSES).entries;
        let clause = clauses.iter().find(|entry| entry.text("clause_id") == id);
        let printed = clause.ok_or_else(|| format!("{CLAUSES} has no {id}"))?.text("title");
        if printed != title {
            return Err(format!("the title of {id} is {printed}"));
        }
    }
    let source = &play.request["source"];
    let there = |citation: &&Citation| is_at(citation, source) && citation.text.ends_with(title);
    let cited = play.command.cites.iter().find(there);
    cited.map(|_| ()).ok_or_else(|| "no citation at the place of source ends with the title".to_owned())
}

/// Citations and assignments are the same agencies in the same order, and none of the cell's is left out.
fn dispatched(
    checked: &Checked<'_>,
    play: &Play<'_>,
    names: &BTreeMap<String, Vec<&str>>,
) -> Result<(), String> {
    let (cites, assignments) = (&play.command.cites, play.objects("assignments"));
    if cites.len() != assignments.len() {
        return Err(format!("{} agencies are cited and {} assigned", cites.len(), assignments.len()));
    }
    for (citation, assignment) in cites.iter().zip(&assignments) {
        let agency = assignment["agency"].as_str().unwrap_or_default();
        let known = names.get(agency).ok_or_else(|| format!("{agency} is not registered by the seed"))?;
        if !known.contains(&citation.text.as_str()) {
            return Err(format!("{} is no name of {agency}", citation.text));
        }
        if !is_at(citation, &assignment["source"]) {
            return Err(format!("{} is cited elsewhere than its assignment's source", citation.text));
        }
    }
    let separator = &checked.seed.manifest.text.separator;
    for group in cites.chunk_by(|one, next| one.line == next.line && one.cell == next.cell) {
        let names = group.iter().map(|citation| citation.text.as_str()).collect::<Vec<_>>().join(separator);
        let text = text_at(checked.seed, group[0].line, group[0].cell.as_deref())?;
        if !text.ends_with(&names) {
            return Err(format!("line {} has other agencies than those cited: {text}", group[0].line));
        }
    }
    Ok(())
}

/// A task's title or agencies come from where a reading that stands takes them.
fn taken(checked: &Checked<'_>, take: &Take) -> Result<(), String> {
    let id = take.task.strip_prefix("tasks/").unwrap_or_default();
    let find = |method: &str, field: &str, value: &str| {
        checked.plays.iter().find(|play| play.is(method) && play.text(field) == value)
    };
    let place = |line: usize, cell: Option<&str>| line == take.line && cell.unwrap_or_default() == take.cell;
    match take.part.as_str() {
        "title" => {
            let play =
                find("ProposeTask", "task_id", id).ok_or_else(|| format!("{} is not proposed", take.task))?;
            let source = &play.request["source"];
            let line = source["first_line"].as_u64().and_then(|line| usize::try_from(line).ok());
            let there = place(line.unwrap_or_default(), source["cell"].as_str());
            if there && take.text.ends_with(play.text("title")) {
                return Ok(());
            }
        }
        "agencies" => {
            let play = find("DispatchTask", "task", &take.task)
                .ok_or_else(|| format!("{} is not dispatched", take.task))?;
            let cites = &play.command.cites;
            let there = cites.iter().all(|citation| place(citation.line, citation.cell.as_deref()));
            let names: Vec<&str> = cites.iter().map(|citation| citation.text.as_str()).collect();
            if there && names.join(&checked.seed.manifest.text.separator) == take.text {
                return Ok(());
            }
        }
        other => return Err(format!("there is no part {other}: title or agencies is expected")),
    }
    Err(format!("the {} of {} are not what is taken here", take.part, take.task))
}

/// Whether a citation stands at an anchor's place.
fn is_at(citation: &Citation, source: &Value) -> bool {
    let line = |key: &str| source[key].as_u64().and_then(|line| usize::try_from(line).ok());
    let lines = line("first_line") <= Some(citation.line) && Some(citation.line) <= line("last_line");
    lines && source["cell"].as_str() == citation.cell.as_deref()
}
