//! What rests on a reading, and what becomes of it when the reading falls.

use duban_domain::Event;
use duban_domain::task::TaskEvent;
use duban_proto::call::v1::{AsOf, Knowledge};
use duban_proto::tasks::v1 as pb;
use tonic::Code;

use crate::support::{
    Service, TODAY, adoption, anomaly, auditor, known_at, now, resting_on, said, supervisor, told,
};

const FIRST: &str = "documents/opinion/readings/first";
const SECOND: &str = "documents/opinion/readings/second";

/// With a reading, at position 2.
async fn read() -> Service {
    let service = Service::with_opinion().await;
    service.adopt(adoption("first", &[], None)).await;
    service
}

fn page(size: i32, token: &str, filter: &str) -> pb::ListDependentsRequest {
    pb::ListDependentsRequest {
        reading: FIRST.into(),
        page_size: size,
        page_token: token.into(),
        filter: filter.into(),
        ..Default::default()
    }
}

impl Service {
    async fn dependents(&self, request: pb::ListDependentsRequest) -> pb::ListDependentsResponse {
        said(self.documents.clone().list_dependents(auditor(request)).await)
    }

    /// Whether what rests on the first reading is contested, each.
    async fn contested(&self, as_of: AsOf) -> Vec<bool> {
        let request = pb::ListDependentsRequest { as_of: Some(as_of), ..page(0, "", "") };
        self.dependents(request).await.dependents.iter().map(|dependent| dependent.contested).collect()
    }

    /// Whether a task is contested.
    async fn task_contested(&self, name: &str, as_of: AsOf) -> bool {
        let request = pb::GetTaskRequest { name: name.into(), as_of: Some(as_of), consistency: None };
        said(self.tasks.clone().get_task(auditor(request)).await).task.unwrap().contested
    }
}

#[tokio::test]
async fn whatever_rests_on_a_reading_is_listed_and_its_own_life_is_not() {
    let service = read().await;
    service.propose("t1", &[FIRST]).await;
    service.propose("t2", &[]).await;
    let mut other = adoption("second", &[], None);
    other.context = other.context.map(|context| resting_on(context, &[FIRST]));
    service.adopt(other).await;
    let mut damage = anomaly("a", pb::AnomalyKind::Other, 1);
    damage.context = damage.context.map(|context| resting_on(context, &[FIRST, SECOND]));
    service.record(damage).await;
    service.withdraw(FIRST).await;
    let dependent = |position, event: &str, subject: &str| pb::Dependent {
        position,
        r#type: event.to_owned(),
        subject: subject.to_owned(),
        effective_on: TODAY.to_owned(),
        contested: true,
    };
    let expected = [
        dependent(3, "task.proposed.v1", "tasks/t1"),
        dependent(5, "reading.adopted.v1", SECOND),
        dependent(6, "anomaly.recorded.v1", "documents/opinion/anomalies/a"),
    ];
    assert_eq!(service.dependents(page(0, "", "")).await.dependents, expected);
    let listed = async |filter: &str| -> Vec<u64> {
        let reply = service.dependents(page(0, "", filter)).await;
        reply.dependents.iter().map(|dependent| dependent.position).collect()
    };
    assert_eq!(listed("type = task.proposed.v1").await, [3]);
    assert_eq!(listed("type != task.proposed.v1").await, [5, 6]);
    assert_eq!(listed(&format!("subject = {SECOND}")).await, [5]);
    service.stop().await;
}

#[tokio::test]
async fn what_rests_on_a_fallen_reading_stays_and_is_contested_from_then_on() {
    let service = read().await;
    service.propose("t1", &[FIRST]).await;
    assert_eq!(service.contested(now()).await, [false]);
    assert!(!service.task_contested("tasks/t1", now()).await);
    service.withdraw(FIRST).await;
    assert_eq!(service.contested(now()).await, [true]);
    assert_eq!(service.contested(known_at(3)).await, [false]);
    assert!(service.task_contested("tasks/t1", now()).await);
    assert!(!service.task_contested("tasks/t1", known_at(3)).await);
    service.stop().await;
}

#[tokio::test]
async fn a_superseded_reading_contests_what_rested_on_it_and_bears_nothing_new() {
    let service = read().await;
    service.propose("t1", &[FIRST]).await;
    service.adopt(adoption("second", &[], Some("first"))).await;
    service.propose("t2", &[SECOND]).await;
    assert_eq!(service.contested(now()).await, [true]);
    assert_eq!(
        service.contested(known_at(4)).await,
        [false],
        "the second is adopted, the first not yet ended"
    );
    assert!(service.task_contested("tasks/t1", now()).await);
    assert!(!service.task_contested("tasks/t2", now()).await);
    let context = resting_on(crate::support::context(""), &[FIRST]);
    let request =
        pb::RecordAnomalyRequest { context: Some(context), ..anomaly("a", pb::AnomalyKind::Other, 1) };
    let refused = service.documents.clone().record_anomaly(supervisor(request)).await;
    assert_eq!(told(refused), (Code::FailedPrecondition, "READING_NOT_IN_FORCE".into()));
    service.stop().await;
}

#[tokio::test]
async fn all_pages_show_one_state_while_others_write() {
    let service = read().await;
    for n in 0..5 {
        service.propose(&format!("t{n}"), &[FIRST]).await;
        service.propose(&format!("u{n}"), &[]).await;
    }
    let whole = service.dependents(page(0, "", "")).await;
    let (mut seen, mut token) = (Vec::new(), String::new());
    for n in 0.. {
        let reply = service.dependents(page(2, &token, "")).await;
        assert_eq!(reply.answer, whole.answer);
        seen.extend(reply.dependents);
        if n == 0 {
            service.withdraw(FIRST).await;
        }
        service.propose(&format!("v{n}"), &[]).await;
        token = reply.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, whole.dependents);
    let full = service.dependents(page(5, "", "type = task.proposed.v1")).await;
    assert_eq!((full.dependents.len(), full.next_page_token.as_str()), (5, ""));
    service.stop().await;
}

#[tokio::test]
async fn a_filter_that_few_pass_gives_short_pages_and_loses_nothing() {
    let service = read().await;
    let task = |id: &str| Event::Task(TaskEvent::Registered { task: format!("tasks/{id}").parse().unwrap() });
    for n in 0..21 {
        let mut events = vec![task("many"); 500];
        events.push(task(&format!("few-{n}")));
        service.append(FIRST, events).await;
    }
    let mut last = page(0, "", "subject = tasks/few-20");
    let first = service.dependents(last.clone()).await;
    assert!(first.dependents.is_empty() && !first.next_page_token.is_empty());
    last.page_token = first.next_page_token;
    let second = service.dependents(last).await;
    assert_eq!((second.dependents.len(), second.next_page_token.as_str()), (1, ""));
    assert_eq!(second.dependents[0].position, service.head().await);
    service.stop().await;
}

#[tokio::test]
async fn an_unknown_reading_is_not_found() {
    let service = Service::start().await;
    let nothing = service.dependents(page(0, "", "")).await;
    assert_eq!((nothing.dependents.len(), nothing.answer.unwrap().knowledge()), (0, Knowledge::NothingKnown));
    service.register(crate::support::opinion()).await;
    let absent = service.documents.clone().list_dependents(auditor(page(0, "", ""))).await;
    assert_eq!(told(absent), (Code::NotFound, "READING_NOT_FOUND".into()));
    let bad = service.documents.clone().list_dependents(auditor(page(0, "", "position = 3"))).await;
    assert_eq!(told(bad), (Code::InvalidArgument, "FILTER_INVALID".into()));
    service.stop().await;
}
