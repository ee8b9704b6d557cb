//! The log's streams: events listed, shown and followed as they come.

use std::time::Duration;

use serde_json::{Value, json};
use tonic::Code;

use super::Session;
use crate::args::{Follow, Listing};
use crate::client::Stream;
use crate::failure::Failure;
use crate::i18n::messages;
use crate::output::{List, Printer};

const READ: &str = "duban.audit.v1.AuditService/Read";
const SUBSCRIBE: &str = "duban.audit.v1.AuditService/Subscribe";
const HEAD: &str = "duban.audit.v1.AuditService/GetHead";
/// How often a broken subscription is taken up again without progress in between.
const RESUMED_MAX: u32 = 5;
/// How long to wait for a server that is away.
const RESUME_PAUSE: Duration = Duration::from_secs(2);

/// Why a subscription's stream ended.
enum Ended {
    /// As much was shown as was asked for.
    Done,
    /// The server ended it, or reading it was too slow: it goes on after the cursor.
    Resume,
}

impl Session {
    /// Every event of a listing, shown as the pages come.
    pub(super) async fn list_events(&self, listing: &Listing, printer: &mut Printer) -> Result<(), Failure> {
        let mut stream = self.read(listing).await?;
        let mut list = printer.list("events");
        while let Some(mut page) = stream.next().await? {
            for event in events(&mut page) {
                list.push(event)?;
            }
        }
        list.end()
    }

    /// The whole log at once.
    pub(crate) async fn all_events(&self) -> Result<Vec<Value>, Failure> {
        let mut stream = self.read(&Listing::default()).await?;
        let mut all = Vec::new();
        while let Some(mut page) = stream.next().await? {
            all.extend(events(&mut page));
        }
        Ok(all)
    }

    /// The one event of a listing, in full.
    pub(super) async fn show_event(&self, listing: &Listing, printer: &mut Printer) -> Result<(), Failure> {
        let mut stream = self.read(listing).await?;
        while let Some(mut page) = stream.next().await? {
            if let Some(event) = events(&mut page).into_iter().next() {
                return printer.reply(&json!({ "event": event }));
            }
        }
        Err(Failure::other("the server sent no event"))
    }

    async fn read(&self, listing: &Listing) -> Result<Stream, Failure> {
        let mut request = json!({ "limit": listing.limit, "filter": listing.which });
        if listing.after > 0 {
            request["after"] = self.cursor(Some(listing.after)).await?;
        }
        if let Some(up_to) = listing.up_to {
            request["up_to"] = Value::from(up_to);
        }
        self.open(READ, &request).await
    }

    /// Events as they are recorded, until as many were shown as were asked for.
    pub(super) async fn follow(&self, follow: &Follow, printer: &mut Printer) -> Result<(), Failure> {
        let mut cursor = self.cursor(follow.after).await?;
        let mut list = printer.live("events");
        let mut resumed = 0;
        let failure = loop {
            let before = cursor.clone();
            let ended = self.follow_once(follow, &mut cursor, &mut list).await;
            resumed = if before == cursor { resumed + 1 } else { 0 };
            match ended {
                Ok(Ended::Done) => return list.end(),
                Ok(Ended::Resume) if resumed <= RESUMED_MAX => {}
                Ok(Ended::Resume) => {
                    break Failure::other("the server ends the subscription again and again");
                }
                Err(failure) if resumed <= RESUMED_MAX && is_passing(&failure) => {
                    tokio::time::sleep(RESUME_PAUSE).await;
                }
                Err(failure) => break failure,
            }
        };
        list.end()?;
        let position = cursor["position"].as_str().unwrap_or_default();
        printer.note(&messages::FOLLOWED_TO.with(printer.lang(), &[&position, &position]))?;
        Err(failure)
    }

    async fn follow_once(
        &self,
        follow: &Follow,
        cursor: &mut Value,
        list: &mut List<'_>,
    ) -> Result<Ended, Failure> {
        let request = json!({ "after": cursor, "filter": follow.which });
        let mut stream = self.open(SUBSCRIBE, &request).await?;
        while let Some(mut frame) = stream.next().await? {
            let Some((kind, said)) = frame.as_object_mut().and_then(|fields| fields.iter_mut().next()) else {
                continue;
            };
            for event in events(said) {
                list.push(event)?;
                if Some(list.len()) == follow.limit {
                    return Ok(Ended::Done);
                }
            }
            if !said["cursor"].is_null() {
                *cursor = said["cursor"].take();
            }
            match kind.as_str() {
                "caughtUp" if follow.until_caught_up => return Ok(Ended::Done),
                "fellBehind" => return Ok(Ended::Resume),
                _ => {}
            }
        }
        Ok(Ended::Resume)
    }

    /// A place in the log that the server has: after `position`, or after its head.
    async fn cursor(&self, position: Option<u64>) -> Result<Value, Failure> {
        let head = self.call(HEAD, &json!({})).await?;
        let after =
            position.map_or_else(|| head["position"].clone(), |position| Value::from(position.to_string()));
        Ok(json!({ "log": head["log"], "position": after }))
    }
}

fn events(said: &mut Value) -> Vec<Value> {
    said.get_mut("events").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default()
}

/// Whether the server is only away for a while, say because it is started anew.
fn is_passing(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(refusal) if refusal.status.code() == Code::Unavailable)
}
