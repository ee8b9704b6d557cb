//! 8: completed is not struck off; requesting closure, completing and striking off are three different
//! principals, the last two from no agency assigned to the task.

use duban_proto::tasks::v1::TaskStage as Stage;
use tonic::Code;

use crate::support::{As, Office, because, context};

/// A supervisor who belongs to an agency.
fn supervisor_of(office: &Office, id: &str) -> As {
    As::on(office.channel(), &format!("supervisor-{id}"), "supervisor", Some(&format!("agencies/{id}")))
}

/// One person in two roles: a supervisor under the actor's name.
fn supervisor_called(office: &Office, actor: &str) -> As {
    As::on(office.channel(), actor, "supervisor", None)
}

async fn stage(office: &Office, id: &str) -> Stage {
    office.auditor().get_task(id, None).await.expect("a task").task.expect("a task").stage()
}

/// A task whose closure the officer of `fgw` has asked for.
async fn closing() -> Office {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt", "jtt"]).await;
    office.dispatch("t", "2026-01-01", &["fgw", "czt"]).await;
    office.acknowledge("t", "fgw").await;
    office.agency("fgw").request_closure(context(), "t").await.expect("asked");
    office
}

#[tokio::test]
async fn completed_is_not_struck_off() {
    let office = closing().await;
    let (name, wrong) = ("tasks/t", "TASK_STAGE");
    let (one, two) = (office.supervisor(), office.second_supervisor());
    office.refuses(wrong, two.strike_off(context(), name)).await;
    office.refuses(wrong, one.archive(context(), name)).await;
    one.complete(context(), "t").await.expect("completed");
    assert_eq!(stage(&office, "t").await, Stage::Completed);
    office.refuses(wrong, one.archive(context(), name)).await;
    let done = two.strike_off(context(), name).await.expect("struck off").task.expect("a task");
    assert_eq!(done.stage(), Stage::StruckOff);
    assert!(done.completion.expect("its completion").struck_off_on.is_some());
    one.archive(context(), name).await.expect("archived");
    office.refuses(wrong, two.strike_off(context(), name)).await;
    office.verify().await;
}

#[tokio::test]
async fn asking_completing_and_striking_off_are_three_principals() {
    let office = closing().await;
    let (name, duty) = ("tasks/t", "SEPARATION_OF_DUTY");
    let asked = supervisor_called(&office, "officer-fgw");
    let status = office.refuses(duty, asked.complete(context(), "t")).await;
    assert_eq!(status.code(), Code::FailedPrecondition);
    let one = office.supervisor();
    one.complete(context(), "t").await.expect("completed");
    office.refuses(duty, one.strike_off(context(), name)).await;
    office.refuses(duty, asked.strike_off(context(), name)).await;
    assert_eq!(stage(&office, "t").await, Stage::Completed);
    office.second_supervisor().strike_off(context(), name).await.expect("a third");
    office.verify().await;
}

#[tokio::test]
async fn nobody_of_an_assigned_agency_completes_or_strikes_off() {
    let office = closing().await;
    let (name, duty) = ("tasks/t", "SEPARATION_OF_DUTY");
    office.reassign("t", "czt", "jtt", "2026-03-01").await;
    // Who has handed its part over has had a part all the same.
    for party in ["fgw", "czt", "jtt"] {
        let theirs = supervisor_of(&office, party);
        office.refuses(duty, theirs.complete(context(), "t")).await;
    }
    office.supervisor().complete(context(), "t").await.expect("completed");
    for party in ["fgw", "czt", "jtt"] {
        let theirs = supervisor_of(&office, party);
        office.refuses(duty, theirs.strike_off(context(), name)).await;
    }
    office.refuses("ROLE_NOT_ALLOWED", office.agency("fgw").complete(context(), "t")).await;
    office.register_agencies(&["gxt"]).await;
    supervisor_of(&office, "gxt").strike_off(context(), name).await.expect("no party to it");
    office.verify().await;
}

/// Who asked counts per request: after a return and a second request, it is the second one's.
#[tokio::test]
async fn a_returned_task_is_asked_for_anew() {
    let office = closing().await;
    let one = office.supervisor();
    one.give_back(because("证据不足"), "tasks/t").await.expect("returned");
    office.refuses("TASK_STAGE", one.complete(context(), "t")).await;
    assert_eq!(stage(&office, "t").await, Stage::InProgress);
    let again = As::on(office.channel(), "another-officer", "agency", Some("agencies/fgw"));
    again.request_closure(context(), "t").await.expect("asked again");
    let asked = supervisor_called(&office, "another-officer");
    office.refuses("SEPARATION_OF_DUTY", asked.complete(context(), "t")).await;
    one.complete(context(), "t").await.expect("completed");
    office.verify().await;
}
