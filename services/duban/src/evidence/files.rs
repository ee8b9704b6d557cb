//! The files of the evidence, and the archive of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use duban_merkle::{KeyType, Note, Verifier};
use duban_proto::audit::v1 as pb;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::gather::Case;
use super::prov;
use crate::failure::{Exit, Failure};

const README: &str = include_str!("README.md");
const CHECK: &str = include_str!("check.py");
const HANDOVERS: &str = include_str!("handovers.py");
/// What stands before the 32 bytes of an Ed25519 key in its PEM form (RFC 8410).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Files by their names.
pub(super) struct Files(BTreeMap<String, Vec<u8>>);

/// All files of a case.
pub(super) fn of(case: &Case) -> Result<Files, Failure> {
    let mut files = BTreeMap::new();
    let mut put = |name: &str, contents: Vec<u8>| {
        files.insert(name.to_owned(), contents);
    };
    put("README.md", readme(case).into_bytes());
    put("check.py", CHECK.as_bytes().to_vec());
    put("handovers.py", HANDOVERS.as_bytes().to_vec());
    put("answer.json", pretty(&case.answer));
    put("task.json", pretty(&case.task));
    put("assignments.json", pretty(&Value::from(case.assignments.clone())));
    put("agencies.json", pretty(&Value::from(case.agencies.clone())));
    put("readings.json", pretty(&Value::from(case.readings.clone())));
    put("prov.json", pretty(&prov::of(case)));
    put("sources.txt", sources(case).into_bytes());
    for document in &case.documents {
        let id = document["name"].as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
        let text = document["text"].as_str().unwrap_or_default();
        put(&format!("documents/{id}.txt"), text.as_bytes().to_vec());
    }
    for (event_type, schema) in &case.schemas {
        put(&format!("schemas/{event_type}.json"), schema.as_bytes().to_vec());
    }
    let mut events = Vec::new();
    for (position, proven) in &case.proven {
        let (Some(event), Some(proof)) = (&proven.event, &proven.proof) else { continue };
        let (leaf, body) = (format!("events/{position:012}.leaf"), format!("events/{position:012}.body"));
        put(&leaf, proof.leaf.clone());
        put(&body, event.body.to_vec());
        events.push(json!({
            "position": position,
            "type": event.r#type,
            "leaf": leaf,
            "body": body,
            "nonce": hex::encode(&event.nonce),
            "path": path(proof),
        }));
    }
    if let Some(next) = &case.next {
        let leaf = format!("events/{:012}.leaf", next.position);
        put(&leaf, next.leaf.clone());
        events.push(json!({ "position": next.position, "leaf": leaf, "path": path(next) }));
    }
    put("handovers.json", pretty(&json!(case.handovers)));
    put("proofs.json", pretty(&json!({ "tags": case.tags, "events": events })));
    let (signed, signature) = signed(&case.checkpoint, &case.key)?;
    put("checkpoint", case.checkpoint.note.clone().into_bytes());
    put("checkpoint.signed", signed);
    put("checkpoint.sig", signature);
    put("key.vkey", format!("{}\n", case.key).into_bytes());
    put("key.pem", pem(&case.key).into_bytes());
    let sums = files.iter().fold(String::new(), |mut sums, (name, contents)| {
        // Into memory: it is always writable.
        writeln!(sums, "{}  {name}", hex::encode(Sha256::digest(contents))).ok();
        sums
    });
    files.insert("SHA256SUMS".to_owned(), sums.into_bytes());
    Ok(Files(files))
}

impl Files {
    /// The archive: the same files give the same bytes.
    pub(super) fn pack(&self) -> Result<Vec<u8>, Failure> {
        let fault =
            |error: zip::result::ZipError| Failure::other(format!("the archive can't be made: {error}"));
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644);
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, contents) in &self.0 {
            archive.start_file(name.as_str(), options).map_err(fault)?;
            archive.write_all(contents).map_err(|error| fault(error.into()))?;
        }
        Ok(archive.finish().map_err(fault)?.into_inner())
    }
}

fn path(proof: &pb::InclusionProof) -> Vec<String> {
    proof.path.iter().map(hex::encode).collect()
}

/// The text that is signed, and the bytes of this key's signature.
fn signed(checkpoint: &pb::SignedCheckpoint, key: &Verifier) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let unverified = || Failure::Other {
        exit: Exit::Unverified,
        message: "the checkpoint is not signed with an Ed25519 key that openssl could check".to_owned(),
    };
    let note = Note::parse(checkpoint.note.as_bytes()).map_err(|_| unverified())?;
    let ours = note.signatures().iter().find(|line| line.id() == key.id() && line.name() == key.name());
    let line = ours.filter(|_| key.key_type() == KeyType::Ed25519).ok_or_else(unverified)?.to_string();
    let encoded = line.rsplit(' ').next().unwrap_or_default();
    // The key's id stands before the signature.
    let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| unverified())?.split_off(4);
    Ok((note.text().as_bytes().to_vec(), bytes))
}

/// The key as openssl reads it.
fn pem(key: &Verifier) -> String {
    let der = [ED25519_SPKI.as_slice(), &key.public()].concat();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(der))
}

fn readme(case: &Case) -> String {
    let title = case.task["task"]["title"].as_str().unwrap_or_default();
    let (task, on, position) = (&case.task_name, &case.valid_on, case.position);
    let recorded = case.answer["answer"]["recordedAt"].as_str().unwrap_or_default();
    let question = format!(
        "问：{on} 谁负责「{title}」（{task}）？据日志第{position}号事件（{recorded}）为止所知。\n\n\
         Question: who was responsible for {task} on {on}, as known at position {position} of the log ({recorded})?"
    );
    let (closing, closing_en) = match &case.next {
        Some(next) => (
            format!("其后第一个事件是第{}号，其叶也在包内，故至答复所知之处也无遗漏。", next.position),
            format!(
                "The next one is event {}, whose leaf is in here too: up to what the answer knew nothing is left out either.",
                next.position
            ),
        ),
        None => (
            "检查点之内其后再无事件，这一点由整本日志的核对证明。".to_owned(),
            "There is none after it within the checkpoint; that is shown by a check of the whole log."
                .to_owned(),
        ),
    };
    README
        .replace("{question}", &question)
        .replace("{closing_en}", &closing_en)
        .replace("{closing}", &closing)
}

/// The lines of the documents' texts that the task, its assignments and the readings rest on, each with its number.
fn sources(case: &Case) -> String {
    let mut said = String::new();
    let anchored = [&case.task["task"]].into_iter().chain(&case.assignments);
    let anchored = anchored.map(|resource| (&resource["source"], &resource["name"]));
    let readings = case.readings.iter().map(|reading| (reading, &reading["name"]));
    for (lines, whose) in anchored.chain(readings) {
        let whose = whose.as_str().unwrap_or_default();
        let of_reading = whose.split_once("/readings/").map(|(document, _)| document);
        let document = lines["document"].as_str().or(of_reading);
        let found = case.documents.iter().find(|found| found["name"].as_str() == document);
        let (Some(found), Some(first), Some(last)) =
            (found, lines["firstLine"].as_u64(), lines["lastLine"].as_u64())
        else {
            continue;
        };
        writeln!(said, "{whose}: {} 第{first}至{last}行", found["name"].as_str().unwrap_or_default()).ok();
        let text = found["text"].as_str().unwrap_or_default();
        for (number, line) in (1..).zip(text.lines()).filter(|(number, _)| (first..=last).contains(number)) {
            writeln!(said, "{number:6}  {line}").ok();
        }
        said.push('\n');
    }
    said
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
