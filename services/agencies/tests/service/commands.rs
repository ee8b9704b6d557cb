//! What each command answers, the first time and again.

use duban_proto::agencies::v1 as pb;
use duban_proto::call::v1::Period;

use crate::support::{
    CODE, OTHER_CODE, Service, TODAY, context, registration, seen, supervisor, told, valid_on,
};

const FGW: &str = "agencies/fgw";

fn period(from: &str, until: Option<&str>) -> Period {
    Period { from: from.to_owned(), until: until.map(ToOwned::to_owned) }
}

async fn with_fgw() -> Service {
    let service = Service::start().await;
    let mut request = registration("fgw", "省发展改革委", "2020-01-01");
    request.aliases = vec!["发改委".to_owned()];
    service.register(request).await;
    service
}

#[tokio::test]
async fn a_registration_is_answered_with_all_that_was_said() {
    let service = Service::start().await;
    service.register(registration("szf", "省政府", "2020-01-01")).await;
    let request = pb::RegisterAgencyRequest {
        division_code: Some("630000".into()),
        superior: Some("agencies/szf".into()),
        credit_code: Some(CODE.into()),
        aliases: vec!["发改委".into(), "省发改委".into()],
        ..registration("fgw", "省发展改革委", "2021-01-01")
    };
    let reply = service.register(request).await;
    let receipt = reply.receipt.unwrap();
    let days = Some(period("2021-01-01", None));
    let alias = |alias: &str| pb::AgencyAlias { alias: alias.into(), period: days.clone(), because: vec![2] };
    let expected = pb::Agency {
        name: FGW.into(),
        full_name: "省发展改革委".into(),
        kind: pb::AgencyKind::ConstituentDepartment.into(),
        division_code: Some("630000".into()),
        superior: Some("agencies/szf".into()),
        credit_code: Some(CODE.into()),
        aliases: vec![alias("发改委"), alias("省发改委")],
        full_names: vec![pb::AgencyFullName {
            full_name: "省发展改革委".into(),
            period: days.clone(),
            because: vec![2],
        }],
        status: pb::AgencyStatus::Active.into(),
        active: days,
        etag: "\"2\"".into(),
        because: vec![2],
    };
    assert_eq!((receipt.first_position, receipt.last_position), (2, 2));
    assert_eq!(reply.agency.as_ref(), Some(&expected));
    assert_eq!(service.get(FGW, valid_on(TODAY)).await.unwrap().agency, Some(expected));
    service.stop().await;
}

#[tokio::test]
async fn an_agency_without_an_id_gets_one_and_a_retry_the_same() {
    let service = Service::start().await;
    let request = pb::RegisterAgencyRequest { agency_id: None, ..registration("", "省统计局", "") };
    let first = service.register(request.clone()).await;
    let name = first.agency.as_ref().unwrap().name.clone();
    assert!(name.starts_with("agencies/"));
    assert_eq!(service.register(request).await, first);
    assert_eq!(service.get(&name, valid_on(TODAY)).await.unwrap().agency, first.agency);
    assert_eq!(service.head().await, 1);
    service.stop().await;
}

#[tokio::test]
async fn a_new_name_holds_from_its_day_on() {
    let service = with_fgw().await;
    let renamed = service.rename(FGW, "省发展和改革委员会", "2023-07-20").await;
    assert_eq!(seen(renamed.agency.as_ref().unwrap()), ("省发展和改革委员会", pb::AgencyStatus::Active));
    let names = renamed.agency.unwrap().full_names;
    assert_eq!(names[0].period, Some(period("2020-01-01", Some("2023-07-20"))));
    assert_eq!(names[1].period, Some(period("2023-07-20", None)));
    let before = service.get(FGW, valid_on("2023-07-19")).await.unwrap().agency.unwrap();
    assert_eq!(before.full_name, "省发展改革委");
    service.stop().await;
}

#[tokio::test]
async fn an_alias_is_added_and_ended() {
    let service = with_fgw().await;
    let request = |alias: &str, on: &str| pb::AddAliasRequest {
        context: Some(context(on)),
        agency: FGW.into(),
        alias: alias.into(),
    };
    let added = service.client.clone().add_alias(supervisor(request("改革委", "2022-01-01"))).await.unwrap();
    let aliases = added.into_inner().agency.unwrap().aliases;
    assert_eq!(aliases.iter().map(|a| a.alias.as_str()).collect::<Vec<_>>(), ["发改委", "改革委"]);
    let request = pb::EndAliasRequest {
        context: Some(context("2024-01-01")),
        agency: FGW.into(),
        alias: "改革委".into(),
    };
    let ended = service.client.clone().end_alias(supervisor(request.clone())).await.unwrap().into_inner();
    let alias = &ended.agency.unwrap().aliases[1];
    assert_eq!(alias.period, Some(period("2022-01-01", Some("2024-01-01"))));
    assert_eq!(alias.because, [2, 3]);
    let absent = pb::EndAliasRequest { context: Some(context("")), alias: "无此".into(), ..request };
    let refused = service.client.clone().end_alias(supervisor(absent)).await.unwrap_err();
    assert_eq!(told(&refused).1, "ALIAS_NOT_FOUND");
    service.stop().await;
}

#[tokio::test]
async fn an_amendment_changes_and_clears_what_its_mask_names() {
    let service = with_fgw().await;
    service.register(registration("szf", "省政府", "2020-01-01")).await;
    let amend = async |on: &str, agency: pb::Agency, paths: &[&str]| {
        let request = pb::AmendAgencyRequest {
            context: Some(context(on)),
            agency: Some(pb::Agency { name: FGW.into(), ..agency }),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.iter().map(ToString::to_string).collect(),
            }),
        };
        service.client.clone().amend_agency(supervisor(request)).await.unwrap().into_inner().agency.unwrap()
    };
    let all = pb::Agency {
        kind: pb::AgencyKind::DirectlyAffiliated.into(),
        division_code: Some("630000".into()),
        superior: Some("agencies/szf".into()),
        credit_code: Some(OTHER_CODE.into()),
        full_name: "passed over".into(),
        ..Default::default()
    };
    let mask = ["kind", "division_code", "superior", "credit_code"];
    let amended = amend("2022-01-01", all, &mask).await;
    assert_eq!(amended.kind(), pb::AgencyKind::DirectlyAffiliated);
    assert_eq!(amended.division_code.as_deref(), Some("630000"));
    assert_eq!(amended.superior.as_deref(), Some("agencies/szf"));
    assert_eq!(amended.credit_code.as_deref(), Some(OTHER_CODE));
    assert_eq!(amended.full_name, "省发展改革委");
    let cleared = amend("2023-01-01", pb::Agency::default(), &["superior", "credit_code"]).await;
    assert_eq!((cleared.superior, cleared.credit_code), (None, None));
    assert_eq!(cleared.division_code.as_deref(), Some("630000"));
    let between = service.get(FGW, valid_on("2022-12-31")).await.unwrap().agency.unwrap();
    assert_eq!(between.credit_code.as_deref(), Some(OTHER_CODE));
    service.stop().await;
}

#[tokio::test]
async fn a_dissolved_agency_keeps_its_past() {
    let service = with_fgw().await;
    let request = pb::DissolveAgencyRequest { context: Some(context("2025-01-01")), agency: FGW.into() };
    let reply = service.client.clone().dissolve_agency(supervisor(request)).await.unwrap().into_inner();
    let dissolved = reply.agency.unwrap();
    assert_eq!(dissolved.status(), pb::AgencyStatus::Dissolved);
    assert_eq!(dissolved.active, Some(period("2020-01-01", Some("2025-01-01"))));
    let before = service.get(FGW, valid_on("2024-12-31")).await.unwrap().agency.unwrap();
    assert_eq!(before.status(), pb::AgencyStatus::Active);
    service.stop().await;
}

#[tokio::test]
async fn a_retry_is_answered_as_the_first_time_whatever_happened_since() {
    let service = Service::start().await;
    let registered = registration("fgw", "省发展改革委", "");
    let first = service.register(registered.clone()).await;
    service.on("2026-04-01");
    let renaming = crate::support::rename(FGW, "省发展和改革委员会", "");
    let client = service.client.clone();
    let renamed = client.clone().rename_agency(supervisor(renaming.clone())).await.unwrap().into_inner();
    service.on("2026-05-01");
    service.rename(FGW, "又一名", "").await;
    assert_eq!(service.register(registered).await, first);
    let again = client.clone().rename_agency(supervisor(renaming)).await.unwrap().into_inner();
    assert_eq!(again, renamed);
    assert_eq!(seen(again.agency.as_ref().unwrap()).0, "省发展和改革委员会");
    assert_eq!(service.head().await, 3);
    service.stop().await;
}

#[tokio::test]
async fn what_is_only_asked_is_shown_and_not_written() {
    let service = with_fgw().await;
    let mut request = crate::support::rename(FGW, "又一名", "");
    request.context.as_mut().unwrap().validate_only = true;
    let reply = service.client.clone().rename_agency(supervisor(request)).await.unwrap().into_inner();
    assert_eq!((reply.agency.unwrap().full_name.as_str(), reply.receipt), ("又一名", None));
    assert_eq!(service.head().await, 1);
    service.stop().await;
}

#[tokio::test]
async fn a_command_that_changes_nothing_writes_nothing_and_says_where_it_looked() {
    let service = with_fgw().await;
    let reply = service.rename(FGW, "省发展改革委", "2021-01-01").await;
    let receipt = reply.receipt.unwrap();
    assert_eq!((receipt.first_position, receipt.last_position), (2, 1));
    assert_eq!(service.head().await, 1);
    service.stop().await;
}
