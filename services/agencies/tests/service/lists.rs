//! Agencies in pages, by filter.

use duban_proto::agencies::v1 as pb;

use crate::support::{Service, auditor, context, registration, supervisor, told, valid_on};

fn page(size: i32, token: &str, filter: &str) -> pb::ListAgenciesRequest {
    pb::ListAgenciesRequest {
        page_size: size,
        page_token: token.into(),
        filter: filter.into(),
        ..Default::default()
    }
}

fn names(reply: &pb::ListAgenciesResponse) -> Vec<&str> {
    reply.agencies.iter().map(|agency| agency.name.as_str()).collect()
}

#[tokio::test]
async fn all_pages_show_one_state_while_others_write() {
    let service = Service::start().await;
    for n in 0..10 {
        service.register(registration(&format!("a{n}"), &format!("第{n}局"), "2020-01-01")).await;
    }
    let before = service.list(page(0, "", "")).await;
    assert_eq!((before.agencies.len(), before.next_page_token.as_str()), (10, ""));
    let (mut seen, mut token) = (Vec::new(), String::new());
    for n in 0.. {
        let reply = service.list(page(3, &token, "")).await;
        assert_eq!(reply.answer, before.answer);
        assert!(reply.agencies.len() <= 3);
        seen.extend(reply.agencies);
        // Before, among and behind what is still to be shown; and what is still to be shown changes.
        service.register(registration(&format!("a{n}x"), &format!("新{n}局"), "2020-01-01")).await;
        service.rename("agencies/a9", &format!("改{n}局"), "2021-01-01").await;
        service.on(&format!("2026-03-0{}", n + 2));
        token = reply.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, before.agencies);
    assert_eq!(service.list(page(0, "", "")).await.agencies.len(), 14);
    service.stop().await;
}

#[tokio::test]
async fn a_full_last_page_has_no_next() {
    let service = Service::start().await;
    for n in 0..4 {
        service.register(registration(&format!("a{n}"), &format!("第{n}局"), "2020-01-01")).await;
    }
    let first = service.list(page(2, "", "")).await;
    assert_eq!(names(&first), ["agencies/a0", "agencies/a1"]);
    let second = service.list(page(2, &first.next_page_token, "")).await;
    assert_eq!(names(&second), ["agencies/a2", "agencies/a3"]);
    assert_eq!(second.next_page_token, "");
    service.stop().await;
}

#[tokio::test]
async fn a_token_is_bound_to_its_query() {
    let service = Service::start().await;
    for n in 0..3 {
        service.register(registration(&format!("a{n}"), &format!("第{n}局"), "2020-01-01")).await;
    }
    let token = service.list(page(1, "", "")).await.next_page_token;
    for other in [page(1, &token, "status = ACTIVE"), page(1, "nonsense", "")] {
        let refused = service.client.clone().list_agencies(auditor(other)).await.unwrap_err();
        assert_eq!(told(&refused).1, "PAGE_TOKEN_INVALID");
    }
    assert_eq!(service.list(page(2, &token, "")).await.agencies.len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn filters_speak_of_the_day_that_is_asked_about() {
    let service = Service::start().await;
    service.register(registration("szf", "省政府", "2010-01-01")).await;
    let mut request = registration("xns", "西宁市政府", "2010-01-01");
    request.kind = pb::AgencyKind::LocalGovernment.into();
    request.division_code = Some("630100".into());
    request.superior = Some("agencies/szf".into());
    service.register(request).await;
    service.register(registration("old", "旧局", "2010-01-01")).await;
    let request =
        pb::DissolveAgencyRequest { context: Some(context("2020-01-01")), agency: "agencies/old".into() };
    service.client.clone().dissolve_agency(supervisor(request)).await.unwrap();
    service.register(registration("new", "新局", "2027-01-01")).await;
    let listed = async |filter: &str, day: &str| {
        let request = pb::ListAgenciesRequest { as_of: Some(valid_on(day)), ..page(0, "", filter) };
        let reply = service.list(request).await;
        names(&reply)
            .into_iter()
            .map(|name| name.trim_start_matches("agencies/").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("", "2026-03-01").await, ["new", "old", "szf", "xns"]);
    assert_eq!(listed("", "2019-12-31").await, ["old", "szf", "xns"]);
    assert_eq!(listed("status = ACTIVE", "2019-12-31").await, ["old", "szf", "xns"]);
    assert_eq!(listed("status = ACTIVE", "2020-01-01").await, ["szf", "xns"]);
    assert_eq!(listed("status != ACTIVE", "2026-12-31").await, ["new", "old"]);
    assert_eq!(listed("status = DISSOLVED", "2020-01-01").await, ["old"]);
    assert_eq!(listed("kind = LOCAL_GOVERNMENT AND division_code = 630100", "2020-01-01").await, ["xns"]);
    assert_eq!(listed("superior = agencies/szf", "2020-01-01").await, ["xns"]);
    assert_eq!(listed("superior != agencies/szf AND status = ACTIVE", "2020-01-01").await, ["szf"]);
    let nothing: Vec<String> = vec![];
    assert_eq!(listed("", "2009-12-31").await, nothing);
    service.stop().await;
}
