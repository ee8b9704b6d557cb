//! What differs between two leaves, field by field.

use duban_merkle::Leaf;

use super::finding::Fault;

/// In what a leaf of the log differs from what the tree has in its place.
pub(super) fn differing(log: &Leaf<&str>, tree: &[u8]) -> Fault {
    let Ok(tree) = Leaf::decode(tree) else { return Fault::NoLeaf };
    // Taken apart, so that a new field doesn't compile until it is compared.
    let Leaf {
        actor,
        agency,
        body,
        causation,
        command,
        correlation,
        effective_on,
        id,
        leaf,
        position,
        recorded_at,
        request_id,
        role,
        tags,
        trace_id,
        event_type,
    } = &tree;
    let fields = [
        ("actor", *actor == log.actor),
        ("agency", agency.as_deref() == log.agency),
        ("body", *body == log.body),
        ("causation", *causation == log.causation),
        ("command", *command == log.command),
        ("correlation", *correlation == log.correlation),
        ("effective_on", *effective_on == log.effective_on),
        ("id", *id == log.id),
        ("leaf", *leaf == log.leaf),
        ("position", *position == log.position),
        ("recorded_at", *recorded_at == log.recorded_at),
        ("request_id", *request_id == log.request_id),
        ("role", *role == log.role),
        ("tags", tags.iter().map(|(tag, at)| (tag.as_str(), *at)).eq(log.tags.iter().copied())),
        ("trace_id", trace_id.as_deref() == log.trace_id),
        ("type", *event_type == log.event_type),
    ];
    Fault::Changed { fields: fields.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect() }
}
