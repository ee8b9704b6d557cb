//! Events as CloudEvents 1.0, JSON format, structured mode.
//!
//! `source` is the log and its epoch, so that `source` and `id` together name one event for ever; `sequence`
//! (the extension of that name) is the position, in twenty digits so that text sorts as numbers do. `data` is
//! the body as it was first written, byte for byte.

use duban_domain::Date;
use duban_log::{LogIdentity, StoredEvent};
use duban_rpc::Error;
use serde::Serialize;
use serde_json::value::RawValue;

/// In the order in which they are written. Names of extensions are lower-case letters and digits (§3.1).
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: String,
    datacontenttype: &'static str,
    sequence: String,
    effectiveon: Date,
    actor: &'a str,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agency: Option<&'a str>,
    requestid: String,
    correlationid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceid: Option<&'a str>,
    tags: String,
    data: &'a RawValue,
}

/// An event as a JSON document.
pub(crate) fn render(event: &StoredEvent, log: LogIdentity) -> Result<String, Error> {
    let damaged = || Error::data_loss("POSITION_GAP", "a body of the log is no JSON", event.position);
    let body = std::str::from_utf8(&event.body).map_err(|error| damaged().because(error))?;
    let data: &RawValue = serde_json::from_str(body).map_err(|error| damaged().because(error))?;
    // An event that this version can't understand is delivered all the same, without a subject.
    let subjects = event.decode().map(|recorded| recorded.event.subjects()).unwrap_or_default();
    let tags: Vec<&str> = event.tags.iter().map(|filed| filed.tag.as_str()).collect();
    let cloud_event = CloudEvent {
        specversion: "1.0",
        id: event.id.to_string(),
        source: format!("/logs/{}/epochs/{}", log.log, log.epoch),
        event_type: &event.event_type,
        subject: subjects.first().map(ToString::to_string),
        time: event.recorded_at.to_string(),
        datacontenttype: "application/json",
        sequence: sequence(event.position),
        effectiveon: event.effective_on,
        actor: &event.actor,
        role: &event.role,
        agency: event.agency.as_deref(),
        requestid: event.request_id.to_string(),
        correlationid: event.correlation.to_string(),
        causation: event.causation.map(sequence),
        traceid: event.trace_id.as_deref(),
        tags: tags.join(" "),
        data,
    };
    serde_json::to_string(&cloud_event).map_err(|error| Error::internal().because(error))
}

fn sequence(position: duban_domain::Position) -> String {
    format!("{position:020}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn a_cloud_event_has_all_that_the_log_has_and_the_body_untouched() {
        let fixture = testing::log().await;
        fixture.append(&[testing::registered("fgw")]).await;
        let event = fixture.log.event(1).await.unwrap().unwrap();
        let text = render(&event, fixture.log.identity()).unwrap();
        let body = std::str::from_utf8(&event.body).unwrap();
        assert!(text.ends_with(&format!("\"data\":{body}}}")), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["specversion"], "1.0");
        assert_eq!(read["type"], "agency.registered.v1");
        assert_eq!(read["subject"], "agencies/fgw");
        assert_eq!(read["sequence"], "00000000000000000001");
        assert_eq!(read["time"], event.recorded_at.to_string());
        assert_eq!(read["source"].as_str().unwrap().split('/').count(), 5);
        for name in read.as_object().unwrap().keys() {
            assert!(name.len() <= 20 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        }
    }

    #[tokio::test]
    async fn a_body_that_is_no_json_is_damage_at_its_position() {
        let fixture = testing::log().await;
        fixture.append(&[testing::registered("fgw")]).await;
        let mut event = fixture.log.event(1).await.unwrap().unwrap();
        event.body = br"{".as_slice().into();
        let error = render(&event, fixture.log.identity()).unwrap_err();
        assert_eq!(error.code(), tonic::Code::DataLoss);
    }
}
