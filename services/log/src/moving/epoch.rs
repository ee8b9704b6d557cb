//! The event that opens an epoch, where a log goes on from a copy of itself.

use std::error::Error;

use duban_domain::Position;
use duban_domain::caller::{Caller, PrincipalId, Role};
use duban_domain::command::Context;
use duban_domain::event::{Event, type_of};
use duban_domain::log::{LogEvent, Origin};
use duban_domain::name::LogId;
use duban_domain::time::civil_date;
use duban_merkle::Note;
use sha2::{Digest as _, Sha256};

use super::MoveError;
use crate::append::{self, Append, Condition, LogIdentity};
use crate::clock::{Clock, Ids};
use crate::event::NewEvent;

/// Who acts.
const PRINCIPAL: &str = "system:log";

/// The opening of an epoch, ready to be recorded together with its identity.
pub(crate) struct Opening {
    pub(crate) identity: LogIdentity,
    pub(crate) append: Append,
}

impl Opening {
    /// The epoch after that of `previous`, which ends at `head`, and of which `checkpoint` was signed last.
    pub(crate) fn of(
        previous: LogIdentity,
        head: Position,
        origin: Origin,
        checkpoint: Option<String>,
        clock: &dyn Clock,
        ids: &dyn Ids,
    ) -> Self {
        let identity = LogIdentity { epoch: ids.identity(), ..previous };
        let event = Event::from(LogEvent::EpochOpened {
            // A UUID is a well-formed id.
            log: LogId::from_id(&identity.log.to_string())
                .unwrap_or_else(|| unreachable!("{}", identity.log)),
            epoch: identity.epoch,
            origin,
            previous_epoch: previous.epoch,
            previous_position: head,
            previous_checkpoint: checkpoint,
        });
        let context = Context::default();
        let body = event.encode(&context);
        let request_id = ids.identity();
        // The literal is a principal id.
        let principal = PrincipalId::parse(PRINCIPAL).unwrap_or_else(|| unreachable!("{PRINCIPAL}"));
        let append = Append {
            origin: append::Origin {
                caller: Caller { principal, role: Role::System, agency: None },
                request_id,
                correlation: request_id,
                causation: None,
                trace_id: None,
            },
            fingerprint: Sha256::digest(&body).into(),
            events: vec![NewEvent {
                id: ids.event(),
                nonce: ids.nonce(),
                event_type: type_of(&body).unwrap_or_default().to_owned(),
                effective_on: civil_date(clock.now()),
                tags: event.tags(&context),
                body: body.into(),
            }],
            condition: Condition::default(),
            read_at: head,
        };
        Self { identity, append }
    }
}

/// Looks up what was signed last of an epoch's audit tree, wherever trees are kept; `None` if there is nothing. Whose
/// signature it is nobody says here: whoever verifies has the keys.
pub type LastCheckpoint =
    Box<dyn Fn(LogIdentity) -> Result<Option<Note>, Box<dyn Error + Send + Sync>> + Send + Sync>;

/// The newest checkpoint of this epoch's tree, if it is known where its tree is.
pub(super) fn last_checkpoint(
    trees: Option<&LastCheckpoint>,
    of: LogIdentity,
) -> Result<Option<String>, MoveError> {
    let Some(look_up) = trees else { return Ok(None) };
    let found = look_up(of).map_err(MoveError::Tree)?;
    Ok(found.map(|note| note.to_string()))
}
