//! 6: a returned report can't be accepted unless resubmitted; an accepted one changes only by correction.
//! 7: one obligation per agency and cycle; exactly one of met, waived, missed, or still open.

use duban_proto::reports::v1::{ObligationState as State, ReportStage as Stage};
use tonic::Code;

use crate::support::{Office, because, context, events};

/// A cycle of 2026, due on 30 April, in which these agencies owe a report on one task; the first coordinates.
async fn cycle_of(agencies: &[&str]) -> Office {
    let office = Office::open().await;
    office.register_agencies(agencies).await;
    office.dispatch("t", "2026-01-01", agencies).await;
    office.cycle_opened(agencies[0], 2026, "2026-04-30", agencies.len() as u64).await;
    office
}

#[tokio::test]
async fn a_returned_report_is_not_accepted_unless_resubmitted() {
    let office = cycle_of(&["fgw", "czt"]).await;
    let (report, wrong) = ("reports/r", "REPORT_STAGE");
    office.submitted("czt", 2026, "r", &["t"]).await;
    let (coordinator, own) = (office.coordinator("fgw"), office.agency("czt"));
    let status = office.refuses(wrong, coordinator.accept(context(), report)).await;
    assert_eq!(status.code(), Code::FailedPrecondition, "not received yet");
    coordinator.receive(context(), report).await.expect("received");
    coordinator.return_report(because("数据不全"), report, "请补充佐证").await.expect("returned");

    office.refuses(wrong, coordinator.accept(context(), report)).await;
    office.refuses(wrong, coordinator.receive(context(), report)).await;
    office.refuses(wrong, own.submit(context(), report)).await;
    office.refuses(wrong, own.endorse(context(), report)).await;
    own.revise(context(), report, &[("t", "已补充佐证")]).await.expect("revised");
    office.refuses(wrong, coordinator.accept(context(), report)).await;
    own.endorse(context(), report).await.expect("endorsed");
    office.refuses(wrong, coordinator.accept(context(), report)).await;
    own.submit(context(), report).await.expect("submitted again");
    office.refuses(wrong, coordinator.accept(context(), report)).await;
    coordinator.receive(context(), report).await.expect("received again");
    let accepted = coordinator.accept(context(), report).await.expect("accepted").report.expect("a report");
    assert_eq!((accepted.stage(), accepted.round), (Stage::Accepted, 2));
    office.verify().await;
}

#[tokio::test]
async fn an_accepted_report_changes_only_by_correction() {
    let office = cycle_of(&["fgw", "czt"]).await;
    let (report, wrong) = ("reports/r", "REPORT_STAGE");
    office.submitted("czt", 2026, "r", &["t"]).await;
    let (coordinator, own) = (office.coordinator("fgw"), office.agency("czt"));
    office.refuses(wrong, own.correct(because("更正"), report, "c")).await;
    coordinator.receive(context(), report).await.expect("received");
    coordinator.accept(context(), report).await.expect("accepted");
    let accepted = own.get_report(report).await.expect("a report");

    office.refuses(wrong, own.revise(context(), report, &[("t", "改写")])).await;
    office.refuses(wrong, own.endorse(context(), report)).await;
    office.refuses(wrong, own.submit(context(), report)).await;
    office.refuses(wrong, coordinator.receive(context(), report)).await;
    office.refuses(wrong, coordinator.return_report(because("再看"), report, "退回")).await;
    office.refuses("OBLIGATION_STAGE", own.draft(context(), 2026, "another")).await;
    assert_eq!(own.get_report(report).await.expect("a report"), accepted, "as it was accepted");

    own.correct(because("数字有误"), report, "c").await.expect("a correction");
    let name = "reports/c";
    own.revise(context(), name, &[("t", "更正后的进展")]).await.expect("revised");
    own.endorse(context(), name).await.expect("endorsed");
    own.submit(context(), name).await.expect("submitted");
    assert_eq!(
        own.get_report(report).await.expect("a report").stage(),
        Stage::Accepted,
        "until it is accepted"
    );
    coordinator.receive(context(), name).await.expect("received");
    coordinator.accept(context(), name).await.expect("accepted");
    let old = own.get_report(report).await.expect("a report");
    assert_eq!((old.stage(), old.superseded_by.as_deref()), (Stage::Superseded, Some(name)));
    assert_eq!(old.items, accepted.items, "what it said stays said");
    office.refuses(wrong, own.correct(because("再更正"), report, "d")).await;
    office.verify().await;
}

#[tokio::test]
async fn nobody_accepts_their_own_agency_s_report() {
    let office = cycle_of(&["fgw", "czt"]).await;
    office.submitted("fgw", 2026, "own", &["t"]).await;
    let (coordinator, report) = (office.coordinator("fgw"), "reports/own");
    office.refuses("SEPARATION_OF_DUTY", coordinator.receive(context(), report)).await;
    office.refuses("ROLE_NOT_ALLOWED", office.agency("czt").receive(context(), report)).await;
    let supervisor = office.supervisor();
    supervisor.receive(context(), report).await.expect("received");
    office.refuses("SEPARATION_OF_DUTY", coordinator.accept(context(), report)).await;
    supervisor.accept(context(), report).await.expect("accepted");
    office.verify().await;
}

/// One of each: in time, waived, late, silent, and still open until the clock passes the due date.
#[tokio::test]
async fn an_obligation_is_met_or_waived_or_missed_or_open() {
    let agencies = ["fgw", "intime", "waived", "late", "silent"];
    let mut office = cycle_of(&agencies).await;
    office.refuses("CYCLE_EXISTS", office.coordinator("fgw").open_cycle(context(), 2026, None)).await;
    let coordinator = office.coordinator("fgw");
    let owed = |id: &str| format!("cycles/2026/obligations/{id}");
    office.submitted("intime", 2026, "r-intime", &["t"]).await;
    coordinator.waive(because("已并入他单位"), &owed("waived")).await.expect("waived");
    coordinator.return_report(because("缺佐证"), "reports/r-intime", "请补充").await.expect("returned");
    let states = async |office: &Office| {
        let mut states = Vec::new();
        for id in agencies {
            states.push(office.auditor().obligation(2026, id, None).await.expect("owed").state());
        }
        states
    };
    let (open, met, waived, missed) = (State::Open, State::Met, State::Waived, State::Missed);
    assert_eq!(states(&office).await, [open, met, waived, open, open], "a return doesn't unmeet it");

    let settled = "OBLIGATION_STAGE";
    office.refuses(settled, coordinator.waive(because("再免"), &owed("intime"))).await;
    office.refuses(settled, office.agency("waived").draft(context(), 2026, "r-waived")).await;
    office.agency("late").draft(context(), 2026, "r-late").await.expect("drafted in time");

    let head = office.head().await;
    office.on("2026-05-01");
    office.reached(head + 3).await;
    assert_eq!(states(&office).await, [missed, met, waived, missed, missed], "silence is recorded");
    office.refuses(settled, office.coordinator("fgw").waive(because("太晚"), &owed("silent"))).await;
    let (late, report) = (office.agency("late"), "reports/r-late");
    late.revise(context(), report, &[("t", "迟到的进展")]).await.expect("revised");
    late.endorse(context(), report).await.expect("endorsed");
    let submitted = late.submit(context(), report).await.expect("submitted").report.expect("a report");
    assert!(submitted.late, "and says so");
    assert_eq!(states(&office).await, [missed, met, waived, missed, missed], "a late report doesn't meet it");

    // Once and for good: the same after a restart and on a later day.
    let head = office.head().await;
    office.restart().await;
    office.on("2026-06-01");
    office.register_agencies(&["new"]).await;
    let all = events(&office.auditor()).await;
    assert_eq!(all.len() as u64, head + 1, "the clock has nothing to add");
    for id in agencies {
        let of = |kinds: &[&str]| {
            let tag = format!("obligation:2026/{id}");
            let filed = all.iter().filter(|event| event.tags.iter().any(|filed| filed.tag == tag));
            filed.filter(|event| kinds.contains(&event.r#type.as_str())).count()
        };
        assert_eq!(of(&["obligation.opened.v1"]), 1, "{id} owes one report");
        let settled = ["obligation.met.v1", "obligation.waived.v1", "obligation.missed.v1"];
        assert_eq!(of(&settled), 1, "{id} is settled once");
    }
    office.verify().await;
}
