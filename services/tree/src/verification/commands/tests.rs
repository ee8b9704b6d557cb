use duban_log::append::StoredReceipt;
use proptest::prelude::*;

use super::*;
use crate::verification::finding::Finding;

const KEY: [u8; 16] = [3; 16];

/// A log of commands with so many events each, and their receipts.
fn log(lengths: &[u64]) -> (Vec<Command>, Vec<StoredRequest>) {
    let mut next = 1;
    let commands: Vec<Command> = lengths
        .iter()
        .map(|length| {
            let (first, last) = (next, next + length - 1);
            next += length;
            Command {
                request_id: Uuid::from_u128(u128::from(first).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
                principal: format!("clerk-{}", first % 3),
                first,
                last,
                recorded_at: Timestamp::from_second(i64::try_from(first).unwrap()).unwrap(),
                fingerprint: (first % 5 > 0).then_some([u8::try_from(first % 250).unwrap(); 32]),
            }
        })
        .collect();
    let receipt = |command: &Command| StoredRequest {
        request_id: command.request_id,
        principal: command.principal.clone(),
        stored: StoredReceipt {
            fingerprint: command.fingerprint.unwrap_or([9; 32]),
            receipt: Receipt { first: command.first, last: command.last, recorded_at: command.recorded_at },
        },
    };
    let mut receipts: Vec<StoredRequest> = commands.iter().map(receipt).collect();
    receipts.sort_by_key(|receipt| receipt.request_id);
    (commands, receipts)
}

/// What is found wrong.
fn found(commands: &[Command], receipts: &[StoredRequest]) -> Vec<Finding> {
    let head = commands.last().map_or(0, |command| command.last);
    let mut books = Books::new(&KEY, head);
    for command in commands {
        books.command(command);
    }
    for receipt in receipts {
        books.receipt(receipt);
    }
    let mut findings = Findings::default();
    if let Some(mut wrong) = books.wrong() {
        wrong.commands(commands.to_vec());
        for receipt in receipts {
            books.recall(&mut wrong, receipt);
        }
        wrong.tell(&mut findings);
        assert!(!findings.kept.is_empty(), "what is wrong has a name");
    }
    findings.kept
}

#[test]
fn a_receipt_of_what_changed_nothing_is_counted_and_not_looked_for() {
    let (commands, mut receipts) = log(&[1, 2]);
    let mut empty = receipts[0].clone();
    empty.request_id = Uuid::from_u128(7);
    (empty.stored.receipt.first, empty.stored.receipt.last) = (3, 2);
    receipts.push(empty);
    assert_eq!(found(&commands, &receipts), []);
}

#[test]
fn a_command_without_a_fingerprint_has_any() {
    let (commands, mut receipts) = log(&[4, 1, 1]);
    let untold = receipts.iter_mut().find(|receipt| receipt.stored.receipt.first == 5).unwrap();
    untold.stored.fingerprint = [1; 32];
    assert_eq!(found(&commands, &receipts), []);
    untold_but_moved(&commands, receipts);
}

/// Its place is compared nevertheless.
fn untold_but_moved(commands: &[Command], mut receipts: Vec<StoredRequest>) {
    let untold = receipts.iter_mut().find(|receipt| receipt.stored.receipt.first == 5).unwrap();
    untold.stored.receipt.last = 6;
    assert_eq!(found(commands, &receipts)[0].position, Some(5));
}

proptest! {
    #[test]
    fn receipts_in_any_order_fit_and_any_change_is_named(
        lengths in prop::collection::vec(1..4_u64, 1..60), which in any::<prop::sample::Index>(), change in 0..6_u8
    ) {
        let (commands, mut receipts) = log(&lengths);
        prop_assert_eq!(found(&commands, &receipts), []);
        let which = which.index(receipts.len());
        let receipt = &mut receipts[which];
        let first = receipt.stored.receipt.first;
        let told = first % 5 > 0;
        match change {
            0 => receipt.principal.push('x'),
            1 => receipt.stored.receipt.last += 1,
            2 => receipt.stored.receipt.recorded_at += jiff::SignedDuration::from_micros(1),
            3 if told => receipt.stored.fingerprint[31] ^= 1,
            3 => receipt.request_id = Uuid::from_u128(1),
            4 => drop(receipts.remove(which)),
            _ => {
                let mut twice = receipt.clone();
                twice.request_id = Uuid::from_u128(1);
                receipts.push(twice);
            }
        }
        let found = found(&commands, &receipts);
        prop_assert_eq!(found.first().and_then(|finding| finding.position), Some(first));
    }
}
