//! The protos' own descriptors: which RPCs there are, and messages to and from proto JSON.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, MethodDescriptor, SerializeOptions,
};
use serde_json::Value;

use crate::failure::Failure;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    // Built into the binary by the same build that generated the types: unreadable only if that is broken.
    DescriptorPool::decode(duban_proto::FILE_DESCRIPTOR_SET)
        .unwrap_or_else(|error| unreachable!("the descriptors are compiled in: {error}"))
});

/// Every descriptor.
pub(crate) fn pool() -> &'static DescriptorPool {
    &POOL
}

/// The RPC `package.Service/Method`.
pub(crate) fn method(rpc: &str) -> Option<MethodDescriptor> {
    let (service, method) = rpc.split_once('/')?;
    pool().get_service_by_name(service)?.methods().find(|found| found.name() == method)
}

/// An enum by its full name.
pub(crate) fn enumeration(name: &str) -> Option<EnumDescriptor> {
    pool().get_enum_by_name(name)
}

/// An RPC with its request, from proto JSON; the error says what doesn't fit.
pub(crate) fn request(rpc: &str, json: &Value) -> Result<(MethodDescriptor, DynamicMessage), String> {
    let method = method(rpc).ok_or_else(|| format!("there is no RPC {rpc}"))?;
    let message = DynamicMessage::deserialize(method.input(), json).map_err(|error| error.to_string())?;
    Ok((method, message))
}

/// Whether an RPC's requests carry a command's context, and so write.
pub(crate) fn is_command(method: &MethodDescriptor) -> bool {
    method.input().get_field_by_name("context").is_some()
}

/// The list that an RPC answers with, when its reply is nothing but that list, its next page and as of when it
/// holds; none: the reply is a whole.
pub(crate) fn list_of(method: &MethodDescriptor) -> Option<String> {
    let reply = method.output();
    let (mut lists, rest): (Vec<_>, Vec<_>) = reply.fields().partition(FieldDescriptor::is_list);
    let plain = rest.iter().all(|field| matches!(field.name(), "next_page_token" | "answer"));
    (lists.len() == 1 && plain).then(|| lists.remove(0).json_name().to_owned())
}

/// The request id of a command; none of a query.
pub(crate) fn request_id(message: &DynamicMessage) -> Option<String> {
    let context = message.get_field_by_name("context")?;
    let id = context.as_message()?.get_field_by_name("request_id")?;
    id.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

/// As proto JSON in the fields' order, default values written out so that a program finds every field. An
/// event's body is JSON already and stands there as such, not as base64 of its bytes.
pub(crate) fn to_json(message: &DynamicMessage) -> Result<Value, Failure> {
    let options = SerializeOptions::new().skip_default_fields(false);
    let mut json = message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| Failure::other(format!("a reply can't be shown: {error}")))?;
    open_bodies(&mut json);
    Ok(json)
}

/// As the generated type, bytes as they are.
pub(crate) fn typed<M: Message + Default>(message: &DynamicMessage) -> Result<M, Failure> {
    message.transcode_to().map_err(|error| Failure::other(format!("a reply can't be read: {error}")))
}

/// A reply of this RPC as proto JSON, from the generated type.
pub(crate) fn from_typed<M: Message>(rpc: &str, reply: &M) -> Result<Value, Failure> {
    let method = method(rpc).ok_or_else(|| Failure::other(format!("there is no RPC {rpc}")))?;
    let mut message = DynamicMessage::new(method.output());
    message
        .transcode_from(reply)
        .map_err(|error| Failure::other(format!("a reply can't be shown: {error}")))?;
    to_json(&message)
}

/// Puts the JSON that an event's body is in place of its bytes; what is no JSON is left as it is.
fn open_bodies(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(open_bodies),
        Value::Object(fields) => {
            let body = fields.get("body").and_then(Value::as_str).filter(|_| fields.contains_key("nonce"));
            let bytes = body.and_then(|body| BASE64_STANDARD.decode(body).ok());
            if let Some(opened) = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
                fields.insert("body".to_owned(), opened);
            }
            fields.values_mut().for_each(open_bodies);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn proto_json_becomes_a_request_and_says_what_does_not_fit() {
        let rpc = "duban.tasks.v1.TaskService/RegisterTask";
        let (method, message) =
            request(rpc, &json!({ "task": "tasks/t", "context": { "request_id": "r" } })).unwrap();
        assert!(is_command(&method) && list_of(&method).is_none());
        assert_eq!(request_id(&message).as_deref(), Some("r"));
        assert!(request(rpc, &json!({ "tusk": "tasks/t" })).unwrap_err().contains("tusk"));
        assert!(request("duban.tasks.v1.TaskService/Fly", &json!({})).unwrap_err().contains("Fly"));
    }

    #[test]
    fn a_list_is_a_reply_that_is_nothing_else() {
        let list = |rpc: &str| list_of(&method(rpc).unwrap());
        assert_eq!(list("duban.tasks.v1.TaskService/ListTasks").as_deref(), Some("tasks"));
        let who = list("duban.tasks.v1.ResponsibilityService/GetTaskResponsibility");
        assert_eq!(who.as_deref(), Some("responsibilities"));
        assert_eq!(list("duban.agencies.v1.AgencyService/ResolveName"), None);
        assert_eq!(list("duban.tasks.v1.TaskService/GetTask"), None);
    }

    #[test]
    fn fields_are_shown_in_their_order_with_their_defaults() {
        let get = method("duban.tasks.v1.TaskService/GetTask").unwrap();
        let task = json!({ "task": { "title": "x", "name": "tasks/t" } });
        let reply = DynamicMessage::deserialize(get.output(), task).unwrap();
        let shown = to_json(&reply).unwrap().to_string();
        assert!(shown.starts_with(r#"{"task":{"name":"tasks/t","title":"x","label":"""#), "{shown}");
        assert!(shown.contains(r#""contested":false"#) && !shown.contains("dueOn"), "{shown}");
    }
}
