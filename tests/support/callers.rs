//! Callers: who they say they are in the metadata of every call.

use duban_proto::agencies::v1::agency_service_client::AgencyServiceClient;
use duban_proto::audit::v1::audit_service_client::AuditServiceClient;
use duban_proto::audit::v1::proof_service_client::ProofServiceClient;
use duban_proto::reports::v1::cycle_service_client::CycleServiceClient;
use duban_proto::reports::v1::report_service_client::ReportServiceClient;
use duban_proto::tasks::v1::assignment_service_client::AssignmentServiceClient;
use duban_proto::tasks::v1::document_service_client::DocumentServiceClient;
use duban_proto::tasks::v1::responsibility_service_client::ResponsibilityServiceClient;
use duban_proto::tasks::v1::task_service_client::TaskServiceClient;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::Office;

/// Somebody with a connection.
#[derive(Clone)]
pub struct As {
    channel: Channel,
    who: Who,
}

/// What the metadata say.
#[derive(Clone)]
pub struct Who {
    actor: String,
    role: &'static str,
    agency: Option<String>,
}

/// A client that says who calls.
pub type Client = InterceptedService<Channel, Who>;

impl Interceptor for Who {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = |text: &str| text.parse::<AsciiMetadataValue>().expect("plain text");
        let metadata = request.metadata_mut();
        metadata.insert("duban-actor", value(&self.actor));
        metadata.insert("duban-role", value(self.role));
        if let Some(agency) = &self.agency {
            metadata.insert("duban-agency", value(agency));
        }
        Ok(request)
    }
}

impl As {
    /// Somebody in a role, perhaps for `agencies/{id}`, on any connection.
    pub fn on(channel: Channel, actor: &str, role: &'static str, agency: Option<&str>) -> Self {
        Self { channel, who: Who { actor: actor.to_owned(), role, agency: agency.map(ToOwned::to_owned) } }
    }

    /// What any client is made of.
    pub fn service(&self) -> Client {
        Client::new(self.channel.clone(), self.who.clone())
    }
}

impl Office {
    fn caller(&self, actor: &str, role: &'static str, agency: Option<&str>) -> As {
        As::on(self.channel(), actor, role, agency)
    }

    /// 督查.
    pub fn supervisor(&self) -> As {
        self.caller("supervisor-1", "supervisor", None)
    }

    /// Another supervisor: who strikes off is not who completed.
    pub fn second_supervisor(&self) -> As {
        self.caller("supervisor-2", "supervisor", None)
    }

    /// 汇总, for `agencies/{agency}`.
    pub fn coordinator(&self, agency: &str) -> As {
        self.caller("coordinator-1", "coordinator", Some(&format!("agencies/{agency}")))
    }

    /// An officer of `agencies/{agency}`.
    pub fn agency(&self, agency: &str) -> As {
        self.caller(&format!("officer-{agency}"), "agency", Some(&format!("agencies/{agency}")))
    }

    /// 审计员.
    pub fn auditor(&self) -> As {
        self.caller("auditor-1", "auditor", None)
    }

    /// 系统管理员.
    pub fn sysadmin(&self) -> As {
        self.caller("sysadmin-1", "sysadmin", None)
    }
}

macro_rules! clients {
    ($($name:ident: $client:ident,)*) => { impl As { $(
        #[doc = concat!("Calls through a ", stringify!($client), ".")]
        pub fn $name(&self) -> $client<Client> {
            $client::with_interceptor(self.channel.clone(), self.who.clone())
        }
    )* } };
}

clients! {
    agencies: AgencyServiceClient,
    documents: DocumentServiceClient,
    tasks: TaskServiceClient,
    assignments: AssignmentServiceClient,
    responsibility: ResponsibilityServiceClient,
    cycles: CycleServiceClient,
    reports: ReportServiceClient,
    audit: AuditServiceClient,
    proofs: ProofServiceClient,
}
