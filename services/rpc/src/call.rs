//! One call as a handler sees it: who, which RPC, until when. There is no other way to one than
//! [`Call::of`], which authorises: a handler that has a call may act.

use std::sync::{Arc, OnceLock};

use duban_domain::{Caller, Role};
use duban_log::LogIdentity;
use futures::{Stream, StreamExt as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Extensions, Request, Status};
use uuid::Uuid;

use crate::access::Rpc;
use crate::error::{Cause, Error};

/// What the layer knows of a call that it let in, handed on in the request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) rpc: &'static Rpc,
    pub(crate) caller: Caller,
    pub(crate) trace_id: Option<String>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) draining: CancellationToken,
    pub(crate) noted: Arc<Noted>,
}

/// What only the handler learns and the layer tells: on the failure, or in the log.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    /// The command's request id, once it has been read.
    pub(crate) request_id: OnceLock<Uuid>,
    /// Why a stream failed: its trailers don't carry that.
    pub(crate) cause: OnceLock<Cause>,
}

/// A call that its caller may make.
#[derive(Debug, Clone)]
pub struct Call(Admitted);

impl Call {
    /// The call that brought this request; PERMISSION_DENIED/ROLE_NOT_ALLOWED if it isn't the caller's.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Error> {
        Self::from_extensions(request.extensions())
    }

    fn from_extensions(extensions: &Extensions) -> Result<Self, Error> {
        // Without the layer in front nobody has been authenticated: a mistake of ours, not the caller's.
        let admitted = extensions.get::<Admitted>().ok_or_else(Error::internal)?;
        if !admitted.rpc.roles.contains(&admitted.caller.role) {
            return Err(Error::forbidden("ROLE_NOT_ALLOWED"));
        }
        Ok(Self(admitted.clone()))
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// In which role.
    pub fn role(&self) -> Role {
        self.0.caller.role
    }

    /// The RPC, as `/package.Service/Method`.
    pub fn rpc(&self) -> &'static str {
        self.0.rpc.path
    }

    /// What a page token is good for beside its query: this RPC on this log in this epoch.
    pub fn scope(&self, log: LogIdentity) -> String {
        format!("{} {} {}", self.rpc(), log.log, log.epoch)
    }

    /// The W3C trace id, 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<&str> {
        self.0.trace_id.as_deref()
    }

    /// When the caller stops waiting. The layer ends the call then; a handler need not.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// Cancelled when the server drains: a stream then ends by itself, with where to go on.
    pub fn draining(&self) -> &CancellationToken {
        &self.0.draining
    }

    /// The replies of a stream on the wire; the cause of a failure is kept for the log.
    pub fn replies<T, S: Stream<Item = Result<T, Error>>>(
        &self,
        replies: S,
    ) -> impl Stream<Item = Result<T, Status>> + use<T, S> {
        let noted = Arc::clone(&self.0.noted);
        replies.map(move |reply| {
            reply.map_err(|error| {
                if let Some(cause) = error.cause() {
                    // The first failure ends the stream: there is no second.
                    let _ = noted.cause.set(Arc::clone(cause));
                }
                error.into()
            })
        })
    }

    /// Keeps the request id for errors that follow.
    pub(crate) fn note_request_id(&self, id: Uuid) {
        // A call has one context; a second one would be the same.
        let _ = self.0.noted.request_id.set(id);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use duban_domain::PrincipalId;

    use super::*;

    /// A call of `role`'s to the RPC at `path`.
    pub(crate) fn admitted(path: &str, role: Role) -> Admitted {
        Admitted {
            rpc: crate::access::find(path).rpc().unwrap(),
            caller: Caller { principal: PrincipalId::parse("p1").unwrap(), role, agency: None },
            trace_id: None,
            deadline: None,
            draining: CancellationToken::new(),
            noted: Arc::default(),
        }
    }

    pub(crate) fn call(path: &str, role: Role) -> Result<Call, Error> {
        let mut request = Request::new(());
        request.extensions_mut().insert(admitted(path, role));
        Call::of(&request)
    }

    #[test]
    fn only_a_role_of_the_table_gets_a_call() {
        let rename = "/duban.agencies.v1.AgencyService/RenameAgency";
        assert!(call(rename, Role::Supervisor).is_ok());
        assert_eq!(call(rename, Role::Auditor).unwrap_err().reason(), "ROLE_NOT_ALLOWED");
    }

    #[test]
    fn without_the_layer_nobody_gets_a_call() {
        assert_eq!(Call::of(&Request::new(())).unwrap_err().reason(), "INTERNAL_ERROR");
    }
}
