//! Documents: what each command answers, and what is found afterwards.

use duban_log::Wanted;
use duban_log::views::Of;
use duban_proto::call::v1::{AsOf, CommandContext, Consistency, Knowledge, as_of, consistency};
use duban_proto::tasks::v1 as pb;
use duban_tasks::views::{Anomalies, Documents, Readings};
use tonic::Code;

use crate::support::{
    OPINION, Service, TEXT, TODAY, adoption, anomaly, auditor, by, context, fields, known_at, known_on, now,
    opinion, said, supervisor, told, withdrawal, written,
};

fn page(size: i32, token: &str, filter: &str) -> pb::ListDocumentsRequest {
    pb::ListDocumentsRequest {
        page_size: size,
        page_token: token.into(),
        filter: filter.into(),
        ..Default::default()
    }
}

fn identification(number: Option<&str>, issued_on: Option<&str>) -> pb::IdentifyDocumentRequest {
    pb::IdentifyDocumentRequest {
        context: Some(context("")),
        document: OPINION.into(),
        number: number.map(Into::into),
        issued_on: issued_on.map(Into::into),
    }
}

impl Service {
    async fn listed(&self, request: pb::ListDocumentsRequest) -> pb::ListDocumentsResponse {
        said(self.documents.clone().list_documents(auditor(request)).await)
    }

    async fn identify(&self, request: pb::IdentifyDocumentRequest) -> pb::IdentifyDocumentResponse {
        said(self.documents.clone().identify_document(supervisor(request)).await)
    }
}

#[tokio::test]
async fn a_document_is_answered_as_it_came() {
    let service = Service::start().await;
    let sent = opinion();
    let reply = service.register(sent.clone()).await;
    let clause =
        pb::Clause { name: format!("{OPINION}/clauses/article-1"), ..sent.clauses.first().cloned().unwrap() };
    let expected = pb::Document {
        name: OPINION.into(),
        title: "实施意见".into(),
        issuer: "青海省人民政府".into(),
        text: TEXT.into(),
        text_sha256: duban_domain::text::SourceText::parse(TEXT).unwrap().sha256(),
        line_count: 5,
        clauses: vec![clause],
        rows: sent.rows.clone(),
        targets: sent.targets.iter().rev().cloned().collect(),
        number: None,
        issued_on: None,
        repealed_on: None,
        etag: "\"1\"".into(),
        because: vec![1],
    };
    assert_eq!(reply.document.as_ref(), Some(&expected));
    assert_eq!(written(reply.receipt), (1, 1));
    assert_eq!(service.get(OPINION, now()).await.document, Some(expected.clone()));
    let listed = service.listed(page(0, "", "")).await.documents;
    let (text, clauses, rows, targets) = Default::default();
    assert_eq!(listed, [pb::Document { text, clauses, rows, targets, ..expected }]);
    service.stop().await;
}

#[tokio::test]
async fn a_retry_is_answered_the_same_and_an_id_is_taken_once() {
    let service = Service::start().await;
    let request = pb::RegisterDocumentRequest { document_id: None, ..opinion() };
    let first = service.register(request.clone()).await;
    assert!(first.document.as_ref().unwrap().name.starts_with("documents/"));
    assert_eq!(service.register(request.clone()).await, first);
    assert_eq!(service.head().await, 1);
    let other = pb::RegisterDocumentRequest { title: "另一意见".into(), ..request };
    let reused = service.documents.clone().register_document(supervisor(other)).await;
    assert_eq!(told(reused), (Code::AlreadyExists, "REQUEST_ID_REUSED".into()));
    service.register(opinion()).await;
    let taken = service.documents.clone().register_document(supervisor(opinion())).await;
    assert_eq!(told(taken), (Code::AlreadyExists, "DOCUMENT_EXISTS".into()));
    service.stop().await;
}

#[tokio::test]
async fn what_is_only_asked_is_answered_and_not_written() {
    let service = Service::start().await;
    let tried = CommandContext { validate_only: true, ..context("") };
    let reply = service.register(pb::RegisterDocumentRequest { context: Some(tried), ..opinion() }).await;
    assert_eq!((reply.document.unwrap().name.as_str(), reply.receipt), (OPINION, None));
    assert_eq!(service.head().await, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_number_is_unknown_until_it_is_supplied() {
    let service = Service::with_opinion().await;
    service.on("2026-03-02");
    let reply = service.identify(identification(Some("青政〔2021〕1号"), None)).await;
    let identified = reply.document.unwrap();
    assert_eq!(
        (identified.number.as_deref(), &identified.because[..]),
        (Some("青政〔2021〕1号"), &[1, 2][..])
    );
    let reply = service.identify(identification(Some("青政〔2021〕1号"), Some("2021-12-01"))).await;
    assert_eq!(written(reply.receipt), (3, 3));
    let again = service.identify(identification(None, Some("2021-12-01"))).await;
    assert_eq!(written(again.receipt), (4, 3), "what is known already writes nothing");
    let other = identification(Some("青政〔2021〕2号"), None);
    let other = service.documents.clone().identify_document(supervisor(other)).await;
    assert_eq!(told(other), (Code::FailedPrecondition, "DOCUMENT_IDENTIFIED".into()));

    let number = async |as_of| service.get(OPINION, as_of).await.document.unwrap().number;
    assert_eq!(number(known_on(TODAY)).await, None);
    assert_eq!(number(known_at(1)).await, None);
    assert_eq!(number(known_at(2)).await.as_deref(), Some("青政〔2021〕1号"));
    let known = service.get(OPINION, now()).await;
    assert_eq!(known.document.unwrap().issued_on.as_deref(), Some("2021-12-01"));
    assert_eq!(known.answer.unwrap().position, 3);
    service.stop().await;
}

#[tokio::test]
async fn a_repealed_document_says_from_when_and_takes_nothing_new() {
    let service = Service::with_opinion().await;
    let repeal = |context| pb::RepealDocumentRequest { context: Some(context), document: OPINION.into() };
    let client = || service.documents.clone();
    let unfounded = CommandContext { reason: String::new(), ..context("") };
    let refused = client().repeal_document(supervisor(repeal(unfounded))).await;
    assert_eq!(told(refused), (Code::InvalidArgument, "REASON_REQUIRED".into()));
    let reply = said(client().repeal_document(supervisor(repeal(context("2026-02-01")))).await);
    assert_eq!(reply.document.unwrap().repealed_on.as_deref(), Some("2026-02-01"));
    let refused = client().record_anomaly(supervisor(anomaly("a", pb::AnomalyKind::Other, 1))).await;
    assert_eq!(told(refused), (Code::FailedPrecondition, "DOCUMENT_REPEALED".into()));
    assert_eq!(service.get(OPINION, known_at(1)).await.document.unwrap().repealed_on, None);
    service.stop().await;
}

#[tokio::test]
async fn an_etag_is_stale_after_any_change_of_the_document_or_its_parts() {
    let service = Service::with_opinion().await;
    let seen = service.get(OPINION, now()).await.document.unwrap().etag;
    let recorded = service.record(anomaly("a", pb::AnomalyKind::Other, 1)).await.anomaly.unwrap();
    let adopted = service.adopt(adoption("r", &["a"], None)).await.reading.unwrap();
    let etags = [seen, recorded.etag, adopted.etag.clone()];
    assert_eq!(etags, ["\"1\"", "\"2\"", "\"3\""]);
    assert_eq!(service.get(OPINION, now()).await.document.unwrap().etag, adopted.etag);
    assert_eq!(service.anomalies(now(), "").await[0].etag, adopted.etag);
    assert_eq!(service.readings(now(), "").await[0].etag, adopted.etag);
    let withdraw = async |etag: &str| {
        let request = withdrawal(&adopted.name);
        let context = request.context.map(|context| CommandContext { etag: etag.into(), ..context });
        let request = pb::WithdrawReadingRequest { context, ..request };
        service.documents.clone().withdraw_reading(supervisor(request)).await
    };
    assert_eq!(told(withdraw(&etags[1]).await), (Code::Aborted, "ETAG_MISMATCH".into()));
    assert_eq!(said(withdraw(&etags[2]).await).reading.unwrap().etag, "\"4\"");
    service.stop().await;
}

#[tokio::test]
async fn all_pages_show_one_state_while_others_write() {
    let service = Service::start().await;
    let document = |id: &str| pb::RegisterDocumentRequest { document_id: Some(id.to_owned()), ..opinion() };
    for n in 0..5 {
        service.register(document(&format!("d{n}"))).await;
    }
    let before = service.listed(page(0, "", "")).await;
    let (mut seen, mut token) = (Vec::new(), String::new());
    for n in 0.. {
        let reply = service.listed(page(2, &token, "")).await;
        assert_eq!(reply.answer, before.answer);
        seen.extend(reply.documents);
        service.register(document(&format!("d{n}x"))).await;
        let mut change = identification(Some(&format!("〔{n}〕")), None);
        change.document = format!("documents/d{}", 4 - n);
        service.identify(change).await;
        service.on(&format!("2026-03-0{}", n + 2));
        token = reply.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, before.documents);
    assert_eq!(service.listed(page(0, "", "")).await.documents.len(), 8);
    let first = service.listed(page(1, "", "")).await.next_page_token;
    let other = service.documents.clone().list_documents(auditor(page(1, &first, "issuer = x"))).await;
    assert_eq!(told(other), (Code::InvalidArgument, "PAGE_TOKEN_INVALID".into()));
    service.stop().await;
}

#[tokio::test]
async fn documents_are_filtered_by_issuer_and_number() {
    let service = Service::with_opinion().await;
    let other = pb::RegisterDocumentRequest {
        document_id: Some("notice".into()),
        issuer: String::new(),
        number: Some("青发改〔2022〕7号".into()),
        ..opinion()
    };
    service.register(other).await;
    let names = async |filter: &str, as_of: AsOf| -> Vec<String> {
        let request = pb::ListDocumentsRequest { as_of: Some(as_of), ..page(0, "", filter) };
        service.listed(request).await.documents.into_iter().map(|document| document.name).collect()
    };
    assert_eq!(names("", now()).await, ["documents/notice", OPINION]);
    assert_eq!(names("issuer = \"青海省人民政府\"", now()).await, [OPINION]);
    assert_eq!(names("issuer != \"青海省人民政府\"", now()).await, ["documents/notice"]);
    assert_eq!(names("number = \"青发改〔2022〕7号\"", now()).await, ["documents/notice"]);
    assert_eq!(names("", known_at(1)).await, [OPINION]);
    let early = AsOf { valid_on: Some("1999-01-01".into()), known: Some(as_of::Known::Position(1)) };
    assert_eq!(names("", early).await, [OPINION], "a document is the same on all days");
    let bad = service.documents.clone().list_documents(auditor(page(0, "", "title = x"))).await;
    assert_eq!(told(bad), (Code::InvalidArgument, "FILTER_INVALID".into()));
    service.stop().await;
}

#[tokio::test]
async fn every_field_that_cannot_be_taken_is_named() {
    let service = Service::with_opinion().await;
    let mut request = opinion();
    request.document_id = Some("Opinion".into());
    request.title = String::new();
    request.text = "a\u{202e}b".into();
    request.clauses[0].first_line = 0;
    request.clauses[0].clause_id = "article 1".into();
    request.targets[1].year = 1948;
    request.rows[0].row_id = String::new();
    request.issued_on = Some("2021-13-01".into());
    let refused = service.documents.clone().register_document(supervisor(request)).await;
    let expected = [
        "document_id",
        "title",
        "text",
        "clauses[0].clause_id",
        "clauses[0].first_line",
        "rows[0].row_id",
        "targets[1].year",
        "issued_on",
    ];
    assert_eq!(fields(refused), expected);
    let nothing = service.documents.clone().identify_document(supervisor(identification(None, None))).await;
    assert_eq!(fields(nothing), ["number"]);
    let mut beyond = opinion();
    (beyond.document_id, beyond.clauses[0].last_line) = (None, 6);
    let refused = service.documents.clone().register_document(supervisor(beyond)).await;
    assert_eq!(fields(refused), ["clauses[0].last_line"]);
    service.stop().await;
}

#[tokio::test]
async fn what_is_absent_is_said_to_be() {
    let service = Service::start().await;
    let listed = service.listed(page(0, "", "")).await;
    assert_eq!((listed.documents.len(), listed.answer.unwrap().knowledge()), (0, Knowledge::NothingKnown));
    let request = pb::GetDocumentRequest { name: OPINION.into(), ..Default::default() };
    let absent = service.documents.clone().get_document(auditor(request)).await;
    assert_eq!(told(absent), (Code::NotFound, "DOCUMENT_NOT_FOUND".into()));
    service.register(opinion()).await;
    let request = pb::GetDocumentRequest { name: "documents/other".into(), ..Default::default() };
    let absent = service.documents.clone().get_document(auditor(request)).await;
    assert_eq!(told(absent), (Code::NotFound, "DOCUMENT_NOT_FOUND".into()));
    let beyond = Consistency { requirement: Some(consistency::Requirement::AtLeastAsFresh(2)) };
    let request =
        pb::GetDocumentRequest { name: OPINION.into(), consistency: Some(beyond), ..Default::default() };
    let beyond = service.documents.clone().get_document(auditor(request)).await;
    assert_eq!(told(beyond), (Code::OutOfRange, "POSITION_BEYOND_HEAD".into()));
    service.stop().await;
}

#[tokio::test]
async fn the_supervisor_alone_writes_and_administrators_do_not_read() {
    let service = Service::with_opinion().await;
    let get = || pb::GetDocumentRequest { name: OPINION.into(), ..Default::default() };
    for role in ["auditor", "sysadmin", "secadmin"] {
        let refused = service.documents.clone().register_document(by(role, opinion())).await;
        assert_eq!(told(refused), (Code::PermissionDenied, "ROLE_NOT_ALLOWED".into()));
    }
    said(service.documents.clone().get_document(auditor(get())).await);
    let refused = service.documents.clone().get_document(by("sysadmin", get())).await;
    assert_eq!(told(refused), (Code::PermissionDenied, "ROLE_NOT_ALLOWED".into()));
    service.stop().await;
}

#[tokio::test]
async fn no_view_keeps_the_text_and_a_replay_gives_the_same_rows() {
    let service = Service::start().await;
    let text = format!("{TEXT}{}", "青海省\n".repeat(5_000));
    service.register(pb::RegisterDocumentRequest { text: text.clone(), ..opinion() }).await;
    service.record(anomaly("a", pb::AnomalyKind::Other, 1)).await;
    service.adopt(adoption("r", &["a"], None)).await;
    service.adopt(adoption("s", &["a"], Some("r"))).await;
    service.withdraw(&format!("{OPINION}/readings/s")).await;
    assert_eq!(service.get(OPINION, now()).await.document.unwrap().text, text);
    let patience = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    let mut snapshot = service.views.read::<Of<Documents>>(Wanted::Head, patience).await.unwrap();
    let counts = "COUNT(*) AS rows, MAX(LENGTH(state)) AS longest";
    let found = snapshot.query::<Of<Documents>>(counts, "1 = 1", &[]).await.unwrap();
    assert_eq!(found[0].integer("rows"), Some(6));
    assert!(found[0].integer("longest").unwrap() < 1_000);
    drop(snapshot);
    assert!(service.views.rebuild::<Of<Documents>>().await.unwrap().is_same());
    assert!(service.views.rebuild::<Of<Anomalies>>().await.unwrap().is_same());
    assert!(service.views.rebuild::<Of<Readings>>().await.unwrap().is_same());
    service.stop().await;
}
