//! What can't be taken is refused by its path and leaves the log as it was.

use duban_proto::agencies::v1 as pb;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::support::{Service, auditor, context, fields, registration, rename, supervisor, told};

#[tokio::test]
async fn each_field_of_a_registration_is_checked() {
    let service = Service::start().await;
    let refused = async |change: &dyn Fn(&mut pb::RegisterAgencyRequest)| {
        let mut request = registration("fgw", "省发展改革委", "2020-01-01");
        change(&mut request);
        let refused = service.client.clone().register_agency(supervisor(request)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused:?}");
        fields(&refused)
    };
    assert_eq!(refused(&|r| r.context = None).await, ["context"]);
    assert_eq!(refused(&|r| r.agency_id = Some("-a".into())).await, ["agency_id"]);
    assert_eq!(refused(&|r| r.agency_id = Some(String::new())).await, ["agency_id"]);
    assert_eq!(refused(&|r| r.full_name.clear()).await, ["full_name"]);
    assert_eq!(refused(&|r| r.full_name = "长".repeat(201)).await, ["full_name"]);
    assert_eq!(refused(&|r| r.full_name = "a\u{202e}b".into()).await, ["full_name"]);
    assert_eq!(refused(&|r| r.kind = 0).await, ["kind"]);
    assert_eq!(refused(&|r| r.kind = 99).await, ["kind"]);
    assert_eq!(refused(&|r| r.division_code = Some("6300".into())).await, ["division_code"]);
    assert_eq!(refused(&|r| r.superior = Some("szf".into())).await, ["superior"]);
    assert_eq!(refused(&|r| r.credit_code = Some("11630000015000000A".into())).await, ["credit_code"]);
    assert_eq!(refused(&|r| r.aliases = vec!["好".into(), "a\0".into()]).await, ["aliases[1]"]);
    assert_eq!(refused(&|r| r.aliases = vec!["好".into(); 17]).await, ["aliases"]);
    assert_eq!(refused(&|r| r.aliases = vec!["好".into(), "好".into()]).await, ["aliases[1]"]);
    let both = refused(&|r| {
        r.kind = 99;
        r.full_name.clear();
    });
    assert_eq!(both.await, ["full_name", "kind"]);
    assert_eq!(service.head().await, 0);
    service.stop().await;
}

#[tokio::test]
async fn an_amendment_needs_a_mask_of_its_own_fields() {
    let service = Service::start().await;
    service.register(registration("fgw", "省发展改革委", "2020-01-01")).await;
    let refused = async |paths: &[&str], agency: Option<pb::Agency>| {
        let request = pb::AmendAgencyRequest {
            context: Some(context("")),
            agency,
            update_mask: Some(prost_types::FieldMask {
                paths: paths.iter().map(ToString::to_string).collect(),
            }),
        };
        let refused = service.client.clone().amend_agency(supervisor(request)).await.unwrap_err();
        (told(&refused).1, fields(&refused))
    };
    let agency = || Some(pb::Agency { name: "agencies/fgw".into(), ..Default::default() });
    let mask = |fields: &[&str]| {
        ("MASK_INVALID".to_owned(), fields.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(refused(&[], agency()).await, mask(&["update_mask"]));
    assert_eq!(refused(&["full_name"], agency()).await, mask(&["update_mask"]));
    assert_eq!(refused(&["kind", "*"], agency()).await, mask(&["update_mask"]));
    assert_eq!(refused(&["kind"], agency()).await.1, ["agency.kind"]);
    assert_eq!(refused(&["kind"], None).await.1, ["agency"]);
    let bad = pb::Agency { name: "fgw".into(), superior: Some("x".into()), ..Default::default() };
    assert_eq!(refused(&["superior"], Some(bad)).await.1, ["agency.name", "agency.superior"]);
    assert_eq!(service.head().await, 1);
    service.stop().await;
}

#[tokio::test]
async fn rules_are_told_with_their_details() {
    let service = Service::start().await;
    service.register(registration("fgw", "省发展改革委", "2020-01-01")).await;
    let mut client = service.client.clone();
    let taken = client.register_agency(supervisor(registration("fgw", "另一名", ""))).await.unwrap_err();
    assert_eq!(told(&taken), (Code::AlreadyExists, "AGENCY_EXISTS".into()));
    assert_eq!(taken.get_error_details().resource_info().unwrap().resource_name, "agencies/fgw");
    let named =
        client.register_agency(supervisor(registration("gxt", "省发展改革委", ""))).await.unwrap_err();
    assert_eq!(told(&named), (Code::AlreadyExists, "NAME_TAKEN".into()));
    let early =
        client.rename_agency(supervisor(rename("agencies/fgw", "早", "2019-01-01"))).await.unwrap_err();
    assert_eq!(told(&early), (Code::FailedPrecondition, "AGENCY_NOT_ACTIVE".into()));
    let mut stale = rename("agencies/fgw", "新", "");
    stale.context.as_mut().unwrap().etag = "\"0\"".into();
    let stale = client.rename_agency(supervisor(stale)).await.unwrap_err();
    assert_eq!(told(&stale), (Code::Aborted, "ETAG_MISMATCH".into()));
    let mut silent = pb::DissolveAgencyRequest { context: Some(context("")), agency: "agencies/fgw".into() };
    silent.context.as_mut().unwrap().reason.clear();
    let silent = client.dissolve_agency(supervisor(silent)).await.unwrap_err();
    assert_eq!(told(&silent), (Code::InvalidArgument, "REASON_REQUIRED".into()));
    let absent = client.rename_agency(supervisor(rename("agencies/x", "新", ""))).await.unwrap_err();
    assert_eq!(told(&absent), (Code::NotFound, "AGENCY_NOT_FOUND".into()));
    let reader = client.rename_agency(auditor(rename("agencies/fgw", "新", ""))).await.unwrap_err();
    assert_eq!(told(&reader), (Code::PermissionDenied, "ROLE_NOT_ALLOWED".into()));
    assert_eq!(service.head().await, 1);
    service.stop().await;
}

#[tokio::test]
async fn questions_that_cannot_be_read_are_refused() {
    let service = Service::start().await;
    let mut client = service.client.clone();
    let bad = client.get_agency(auditor(pb::GetAgencyRequest::default())).await.unwrap_err();
    assert_eq!(fields(&bad), ["name"]);
    let bad = client.resolve_name(auditor(pb::ResolveNameRequest::default())).await.unwrap_err();
    assert_eq!(fields(&bad), ["text"]);
    let list = pb::ListAgenciesRequest { filter: "colour = red".into(), ..Default::default() };
    let bad = client.list_agencies(auditor(list)).await.unwrap_err();
    assert_eq!(told(&bad), (Code::InvalidArgument, "FILTER_INVALID".into()));
    let list = pb::ListAgenciesRequest { page_size: -1, ..Default::default() };
    let bad = client.list_agencies(auditor(list)).await.unwrap_err();
    assert_eq!(fields(&bad), ["page_size"]);
    service.stop().await;
}
