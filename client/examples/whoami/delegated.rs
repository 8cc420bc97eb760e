use std::error::Error;
use std::sync::Arc;

use serde::Serialize;
use tessera_client::Client;
use tessera_client::service::Caller;
use tessera_common::ccache::{CredentialCache, Entry};
use tessera_common::credential::Credential;
use tessera_common::name::name_type;

/// Acts in the caller's name, with the ticket-granting ticket that it handed over.
#[derive(Clone)]
pub(crate) struct Delegate {
    service: Option<Arc<str>>,
}

/// What came of it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Answer {
    /// Whether there was a ticket to act with.
    delegated: bool,
    /// In whose name.
    client: Option<String>,
    /// What for.
    service: Option<String>,
    endtime: Option<String>,
    error: Option<String>,
}

impl Delegate {
    pub(crate) fn to(service: Option<String>) -> Self {
        Self {
            service: service.map(Into::into),
        }
    }

    pub(crate) async fn ticket_of(self, caller: Caller) -> Answer {
        // A client waits for its KDC.
        let ticket = tokio::task::spawn_blocking(move || {
            let (Some(tgt), Some(service)) = (caller.delegated(), self.service) else {
                return (caller.delegated().is_some(), None);
            };
            (true, Some(ticket(tgt, &service).map_err(|error| error.to_string())))
        });
        let (delegated, ticket) = ticket.await.unwrap_or((false, None));
        let (ticket, error) = match ticket {
            Some(Ok(ticket)) => (Some(ticket), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        Answer {
            delegated,
            client: ticket.as_ref().map(|ticket| ticket.client.to_string()),
            service: ticket.as_ref().map(|ticket| ticket.server.to_string()),
            endtime: ticket.as_ref().map(|ticket| ticket.times.endtime.to_string()),
            error,
        }
    }
}

fn ticket(tgt: &Credential, service: &str) -> Result<Credential, Box<dyn Error>> {
    let client = Client::from_environment()?;
    let mut cache = CredentialCache::new(tgt.client.clone(), name_type::PRINCIPAL);
    cache.entries.push(Entry::from_credential(tgt));
    let service = client.principal(service)?;
    Ok(client.service_ticket(&mut cache, &service)?)
}
