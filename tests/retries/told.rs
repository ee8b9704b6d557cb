//! What was said to a server and what came back, byte for byte.

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

use crate::support::{As, Office, Rpc, rpc};

/// Who gives a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Who {
    actor: &'static str,
    role: &'static str,
    agency: Option<&'static str>,
}

impl Who {
    /// Calling the server as it runs now.
    pub(crate) fn calls(self, office: &Office) -> As {
        As::on(office.channel(), self.actor, self.role, self.agency)
    }

    /// Somebody else in the same role.
    pub(crate) fn another(self) -> Self {
        Self { actor: "another", ..self }
    }
}

/// Somebody of this name, in this role, perhaps for an agency.
pub(crate) const fn who(actor: &'static str, role: &'static str, agency: Option<&'static str>) -> Who {
    Who { actor, role, agency }
}

/// A command that was given.
pub(crate) struct Told {
    pub(crate) who: Who,
    pub(crate) rpc: Rpc,
    pub(crate) request: Bytes,
    pub(crate) reply: Bytes,
}

/// A server and what it was told.
pub(crate) struct Story {
    pub(crate) office: Office,
    pub(crate) told: Vec<Told>,
}

/// A command's message with another context.
pub(crate) fn changed(rpc: &Rpc, request: &Bytes, field: &str, value: Value) -> Vec<u8> {
    let mut message = DynamicMessage::decode(rpc.input.clone(), request.clone()).expect("a request");
    let context = message.get_field_by_name_mut("context").expect("a command");
    context.as_message_mut().expect("a context").set_field_by_name(field, value);
    message.encode_to_vec()
}

/// The request id of a command's message.
pub(crate) fn request_id(rpc: &Rpc, request: &Bytes) -> Value {
    let message = DynamicMessage::decode(rpc.input.clone(), request.clone()).expect("a request");
    let context = message.get_field_by_name("context").expect("a command").into_owned();
    let context = context.as_message().expect("a context");
    context.get_field_by_name("request_id").expect("a request id").into_owned()
}

/// A reply, and its receipt taken out of it.
pub(crate) fn parted(rpc: &Rpc, reply: &Bytes) -> (DynamicMessage, Option<Value>) {
    let mut message = DynamicMessage::decode(rpc.output.clone(), reply.clone()).expect("a reply");
    let receipt = message.has_field_by_name("receipt").then(|| {
        let receipt = message.get_field_by_name("receipt").expect("a receipt").into_owned();
        message.clear_field_by_name("receipt");
        receipt
    });
    (message, receipt)
}

/// Whether the message leaves no id to the server.
fn ids_are_chosen(message: &DynamicMessage) -> bool {
    message.descriptor().fields().all(|field| {
        if field.supports_presence() && field.name().ends_with("_id") {
            return message.has_field(&field);
        }
        match message.get_field(&field).as_ref() {
            Value::Message(inner) if message.has_field(&field) => ids_are_chosen(inner),
            Value::List(entries) => entries.iter().filter_map(Value::as_message).all(ids_are_chosen),
            _ => true,
        }
    })
}

impl Story {
    /// A new log, and nothing told.
    pub(crate) async fn begin() -> Self {
        Self { office: Office::open().await, told: Vec::new() }
    }

    /// Asks first what would come of it, which writes nothing and uses the request id for nothing; then gives
    /// the command.
    pub(crate) async fn tell(&mut self, who: Who, name: &str, request: impl Message) -> DynamicMessage {
        let (rpc, request) = (rpc(name), Bytes::from(request.encode_to_vec()));
        let caller = who.calls(&self.office);
        let before = self.office.head().await;
        let asked = changed(&rpc, &request, "validate_only", Value::Bool(true));
        let shown = caller.raw(&rpc.path, asked).await.unwrap_or_else(|status| panic!("{name}: {status:?}"));
        assert!(parted(&rpc, &shown[0]).1.is_none(), "{name}: no receipt for a question");
        assert_eq!(self.office.head().await, before, "{name}: a question writes nothing");
        let reply = caller
            .raw(&rpc.path, request.clone())
            .await
            .unwrap_or_else(|status| panic!("{name}: {status:?}"));
        let [reply] = reply.try_into().expect("one reply");
        let (resource, receipt) = parted(&rpc, &reply);
        assert!(receipt.is_some(), "{name}: a receipt");
        let message = DynamicMessage::decode(rpc.input.clone(), request.clone()).expect("a request");
        if ids_are_chosen(&message) {
            assert_eq!(parted(&rpc, &shown[0]).0, resource, "{name}: it comes as it was shown");
        }
        self.told.push(Told { who, rpc, request, reply });
        resource
    }

    /// Where the last command's events end.
    pub(crate) fn last_position(&self) -> u64 {
        let last = self.told.last().expect("one at least");
        let receipt = parted(&last.rpc, &last.reply).1.expect("a receipt");
        let position = receipt.as_message().expect("a receipt").get_field_by_name("last_position");
        position.expect("a position").as_u64().expect("a number")
    }
}
