//! What a name means on a date.

use duban_proto::agencies::v1 as pb;
use duban_proto::call::v1::AsOf;

use crate::support::{CODE, Service, context, known_at, registration, supervisor, valid_on};

/// 环境保护厅 until 2018-11-25, 生态环境厅 after; both it and 人环局 are called 环保.
async fn two_of_one_alias() -> Service {
    let service = Service::start().await;
    let mut request = registration("sthjt", "环境保护厅", "2010-01-01");
    request.aliases = vec!["环保".into()];
    request.credit_code = Some(CODE.into());
    service.register(request).await;
    let mut request = registration("rhj", "人环局", "2015-01-01");
    request.aliases = vec!["环保".into()];
    service.register(request).await;
    service.rename("agencies/sthjt", "生态环境厅", "2018-11-25").await;
    service
}

/// A candidate's agency, its match and its events.
type Candidate<'r> = (&'r str, pb::NameMatch, &'r [u64]);

/// The outcome, and each candidate.
fn summary(reply: &pb::ResolveNameResponse) -> (pb::NameOutcome, Vec<Candidate<'_>>) {
    let candidates = reply.candidates.iter().map(|candidate| {
        let agency = candidate.agency.as_ref().unwrap();
        (agency.name.as_str(), candidate.matched_by(), &candidate.because[..])
    });
    (reply.outcome(), candidates.collect())
}

#[tokio::test]
async fn a_full_name_means_its_agency_on_its_days_and_names_the_events() {
    let service = two_of_one_alias().await;
    let full = pb::NameMatch::FullName;
    let before = service.resolve("环境保护厅", valid_on("2018-11-24")).await;
    assert_eq!(summary(&before), (pb::NameOutcome::Resolved, vec![("agencies/sthjt", full, &[1, 3][..])]));
    assert_eq!(before.candidates[0].agency.as_ref().unwrap().full_name, "环境保护厅");
    let after = service.resolve("环境保护厅", valid_on("2018-11-25")).await;
    assert_eq!(summary(&after), (pb::NameOutcome::Unknown, vec![]));
    let new = service.resolve("生态环境厅", valid_on("2018-11-25")).await;
    assert_eq!(summary(&new), (pb::NameOutcome::Resolved, vec![("agencies/sthjt", full, &[3][..])]));
    let believed = service.resolve("环境保护厅", known_at("2018-11-25", 2)).await;
    assert_eq!(summary(&believed), (pb::NameOutcome::Resolved, vec![("agencies/sthjt", full, &[1][..])]));
    service.stop().await;
}

#[tokio::test]
async fn a_shared_alias_is_ambiguous_and_nothing_is_guessed() {
    let service = two_of_one_alias().await;
    let alias = pb::NameMatch::Alias;
    let one = service.resolve("环保", valid_on("2014-12-31")).await;
    assert_eq!(summary(&one), (pb::NameOutcome::Resolved, vec![("agencies/sthjt", alias, &[1][..])]));
    let both = service.resolve("环保", valid_on("2020-01-01")).await;
    let candidates = vec![("agencies/rhj", alias, &[2][..]), ("agencies/sthjt", alias, &[1][..])];
    assert_eq!(summary(&both), (pb::NameOutcome::Ambiguous, candidates));
    let request = pb::EndAliasRequest {
        context: Some(context("2019-01-01")),
        agency: "agencies/rhj".into(),
        alias: "环保".into(),
    };
    service.client.clone().end_alias(supervisor(request)).await.unwrap();
    let settled = service.resolve("环保", valid_on("2020-01-01")).await;
    assert_eq!(settled.outcome(), pb::NameOutcome::Resolved);
    let then = service.resolve("环保", known_at("2020-01-01", 3)).await;
    assert_eq!((then.outcome(), then.answer.unwrap().position), (pb::NameOutcome::Ambiguous, 3));
    service.stop().await;
}

#[tokio::test]
async fn a_credit_code_means_its_agency_also_after_it_is_gone() {
    let service = two_of_one_alias().await;
    let request =
        pb::DissolveAgencyRequest { context: Some(context("2025-01-01")), agency: "agencies/sthjt".into() };
    service.client.clone().dissolve_agency(supervisor(request)).await.unwrap();
    let by_code = service.resolve(CODE, AsOf::default()).await;
    let expected = ("agencies/sthjt", pb::NameMatch::CreditCode, &[1][..]);
    assert_eq!(summary(&by_code), (pb::NameOutcome::Resolved, vec![expected]));
    let agency = by_code.candidates[0].agency.as_ref().unwrap();
    assert_eq!(agency.status(), pb::AgencyStatus::Dissolved);
    assert_eq!(service.resolve("生态环境厅", AsOf::default()).await.outcome(), pb::NameOutcome::Unknown);
    service.stop().await;
}

#[tokio::test]
async fn a_name_by_which_an_agency_is_found_twice_is_its_full_name() {
    let service = two_of_one_alias().await;
    service.rename("agencies/rhj", "环保", "2022-01-01").await;
    let reply = service.resolve("环保", valid_on("2022-01-01")).await;
    let matched: Vec<_> = reply.candidates.iter().map(pb::NameCandidate::matched_by).collect();
    assert_eq!(matched, [pb::NameMatch::FullName, pb::NameMatch::Alias]);
    service.stop().await;
}

#[tokio::test]
async fn names_are_compared_after_normalisation_and_exactly() {
    let service = Service::start().await;
    service.register(registration("cafe", "Caf\u{e9} 局", "2020-01-01")).await;
    let outcome = async |text: &str| service.resolve(text, AsOf::default()).await.outcome();
    assert_eq!(outcome("Cafe\u{301} 局").await, pb::NameOutcome::Resolved);
    assert_eq!(outcome("Café").await, pb::NameOutcome::Unknown);
    assert_eq!(outcome("café 局").await, pb::NameOutcome::Unknown);
    assert_eq!(outcome("Café 局' OR '1'='1").await, pb::NameOutcome::Unknown);
    service.stop().await;
}
