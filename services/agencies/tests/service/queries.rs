//! One agency on both clocks.

use duban_proto::agencies::v1 as pb;
use duban_proto::call::v1::{AsOf, Consistency, Knowledge, as_of, consistency};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Service, auditor, by, known_at, registration, seen, told, valid_on};

const PBC: &str = "agencies/pbc";

/// 人行西宁中心支行 became 中国人民银行青海省分行 on 2023-08-18, which was recorded later.
async fn renamed_late() -> Service {
    let service = Service::start().await;
    service.on("2022-01-10");
    service.register(registration("pbc", "人行西宁中心支行", "2022-01-01")).await;
    service.on("2023-11-01");
    service.rename(PBC, "中国人民银行青海省分行", "2023-08-18").await;
    service
}

#[tokio::test]
async fn what_was_believed_before_a_late_discovery_stays_answerable() {
    let service = renamed_late().await;
    let name = async |as_of| {
        let reply = service.get(PBC, as_of).await.unwrap();
        (reply.agency.unwrap().full_name, reply.answer.unwrap().position)
    };
    let known_on = |valid: &str, known: &str| AsOf {
        valid_on: Some(valid.into()),
        known: Some(as_of::Known::KnownOn(known.into())),
    };
    let (old, new) = ("人行西宁中心支行".to_owned(), "中国人民银行青海省分行".to_owned());
    assert_eq!(name(known_on("2023-09-01", "2023-10-01")).await, (old.clone(), 1));
    assert_eq!(name(known_at("2023-09-01", 1)).await, (old.clone(), 1));
    assert_eq!(name(valid_on("2023-09-01")).await, (new.clone(), 2));
    assert_eq!(name(known_on("2023-09-01", "2023-11-01")).await, (new, 2));
    assert_eq!(name(valid_on("2023-08-17")).await, (old, 2));
    service.stop().await;
}

#[tokio::test]
async fn an_answer_asks_itself_again() {
    let service = renamed_late().await;
    let first = service.get(PBC, AsOf::default()).await.unwrap();
    let answer = first.answer.clone().unwrap();
    assert_eq!((answer.valid_on.as_str(), answer.knowledge()), ("2023-11-01", Knowledge::Known));
    assert!(answer.recorded_at.is_some());
    service.on("2024-01-01");
    service.rename(PBC, "再改名", "2023-09-01").await;
    let again = service.get(PBC, known_at(&answer.valid_on, answer.position)).await.unwrap();
    assert_eq!(again, first);
    service.stop().await;
}

#[tokio::test]
async fn what_was_not_there_is_not_found() {
    let service = renamed_late().await;
    let absent = async |name: &str, as_of| {
        let refused = service.get(name, as_of).await.unwrap_err();
        assert_eq!(told(&refused), (Code::NotFound, "AGENCY_NOT_FOUND".to_owned()));
        let details = refused.get_error_details();
        let info = details.resource_info().unwrap();
        assert_eq!((info.resource_type.as_str(), info.resource_name.as_str()), ("agency", name));
    };
    absent("agencies/nobody", AsOf::default()).await;
    absent(PBC, known_at("2023-09-01", 0)).await;
    absent(PBC, valid_on("2021-12-31")).await;
    let registered = service.get(PBC, valid_on("2022-01-01")).await.unwrap().agency.unwrap();
    assert_eq!(seen(&registered), ("人行西宁中心支行", pb::AgencyStatus::Active));
    service.stop().await;
}

#[tokio::test]
async fn an_agency_known_before_its_first_day_is_registered() {
    let service = Service::start().await;
    service.register(registration("new", "新机构", "2026-06-01")).await;
    let status =
        async |day| service.get("agencies/new", valid_on(day)).await.unwrap().agency.unwrap().status();
    assert_eq!(status("2026-05-31").await, pb::AgencyStatus::Registered);
    assert_eq!(status("2026-06-01").await, pb::AgencyStatus::Active);
    service.stop().await;
}

#[tokio::test]
async fn an_empty_log_says_that_nothing_is_known() {
    let service = Service::start().await;
    let reply = service.list(pb::ListAgenciesRequest::default()).await;
    assert_eq!(reply.agencies, []);
    assert_eq!(reply.answer.unwrap().knowledge(), Knowledge::NothingKnown);
    let reply = service.resolve("发改委", AsOf::default()).await;
    assert_eq!(reply.outcome(), pb::NameOutcome::Unknown);
    assert_eq!(reply.answer.unwrap().knowledge(), Knowledge::NothingKnown);
    service.stop().await;
}

#[tokio::test]
async fn an_answer_is_as_fresh_as_is_asked() {
    let service = renamed_late().await;
    let ask = async |requirement| {
        let consistency = Some(Consistency { requirement: Some(requirement) });
        let request = pb::GetAgencyRequest { name: PBC.into(), as_of: None, consistency };
        service.client.clone().get_agency(auditor(request)).await
    };
    let fresh = ask(consistency::Requirement::AtLeastAsFresh(2)).await.unwrap().into_inner();
    assert_eq!(fresh.answer.unwrap().position, 2);
    ask(consistency::Requirement::MinimizeLatency(true)).await.unwrap();
    let beyond = ask(consistency::Requirement::AtLeastAsFresh(3)).await.unwrap_err();
    assert_eq!(told(&beyond), (Code::OutOfRange, "POSITION_BEYOND_HEAD".to_owned()));
    assert_eq!(beyond.get_error_details().error_info().unwrap().metadata["head"], "2");
    service.stop().await;
}

#[tokio::test]
async fn administrators_read_nothing() {
    let service = renamed_late().await;
    let request = pb::GetAgencyRequest { name: PBC.into(), ..Default::default() };
    let refused = service.client.clone().get_agency(by("sysadmin", request)).await.unwrap_err();
    assert_eq!(told(&refused), (Code::PermissionDenied, "ROLE_NOT_ALLOWED".to_owned()));
    service.stop().await;
}
