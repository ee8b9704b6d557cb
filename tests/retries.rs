//! A retry of every kind of command: the first answer again, byte for byte, whatever happened since, and
//! nothing written. The same request id for anything else is refused, and to another principal it means nothing.

mod story;
mod told;

use std::collections::BTreeSet;

use prost_reflect::Value;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use tonic::Code;

use crate::support::{Rpc, reason_of, rpcs};
use told::{Story, changed, parted, request_id};

/// Every command of the story again, in another order: the first answers, and the log stays as it is.
async fn retried(story: &mut Story, seed: u64) {
    story.told.shuffle(&mut StdRng::seed_from_u64(seed));
    let before = story.office.head().await;
    for told in &story.told {
        let again = told.who.calls(&story.office).raw(&told.rpc.path, told.request.clone()).await;
        let again = again.unwrap_or_else(|status| panic!("{}: {status:?}", told.rpc.path));
        let same = again.len() == 1 && again[0] == told.reply;
        assert!(
            same,
            "{}: {:?}",
            told.rpc.path,
            (parted(&told.rpc, &told.reply), parted(&told.rpc, &again[0]))
        );
        assert_eq!(story.office.head().await, before, "{}: a retry writes nothing", told.rpc.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_any_command_gives_the_first_answer_whatever_happened_since() {
    let mut story = Story::told().await;
    let all: BTreeSet<String> = rpcs().into_iter().filter(Rpc::is_command).map(|rpc| rpc.path).collect();
    let given: BTreeSet<String> = story.told.iter().map(|told| told.rpc.path.clone()).collect();
    assert_eq!(given, all, "the story gives every command");
    retried(&mut story, 1).await;
    // Today is another day: what was meant by its absence stays what it was.
    story.office.on("2026-04-20");
    retried(&mut story, 2).await;
    story.office.restart().await;
    retried(&mut story, 3).await;
    story.office.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_means_one_command_of_one_principal() {
    let mut story = Story::told().await;
    let before = story.office.head().await;
    for told in &story.told {
        let path = &told.rpc.path;
        let who = told.who.calls(&story.office);
        let other = changed(&told.rpc, &told.request, "reason", Value::String("另有缘由".to_owned()));
        let status = who.raw(path, other).await.expect_err(path);
        assert_eq!(reason_of(&status), (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()), "{path}");
        // Of two commands of the same shape, the name alone tells which.
        let twin = story.told.iter().find(|twin| twin.rpc.path != *path && twin.who == told.who);
        if let Some(twin) = twin {
            let id = request_id(&told.rpc, &told.request);
            let twin_request = changed(&twin.rpc, &twin.request, "request_id", id);
            let status = who.raw(&twin.rpc.path, twin_request).await.expect_err(path);
            assert_eq!(reason_of(&status), (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()), "{path}");
        }
    }
    assert_eq!(story.office.head().await, before, "a refusal leaves the log as it was");
    for told in &story.told {
        // Who else says it decides anew: it is done already, or it is done again, but it is no retry.
        match told.who.another().calls(&story.office).raw(&told.rpc.path, told.request.clone()).await {
            Ok(reply) => assert_ne!(reply[0], told.reply, "{}: an answer of its own", told.rpc.path),
            Err(status) => assert_ne!(reason_of(&status).1, "REQUEST_ID_REUSED", "{}", told.rpc.path),
        }
    }
    retried(&mut story, 4).await;
    story.office.verify().await;
}
