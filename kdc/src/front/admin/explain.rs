//! An explanation, as administrators read it.

use tessera_common::admin::{Entitlement, Explanation, Offer, Span};
use tessera_common::flags::TicketFlags;

use crate::kerberos::Explained;
use crate::realm::authorization::Grant;
use crate::realm::denied::Denied;

/// `explained` in the words of the protocol; `client` and `service` with the realm.
pub(super) fn explanation(client: String, service: String, explained: Explained<'_>) -> Explanation {
    Explanation {
        client,
        service,
        account: explained.account.as_ref().err().map(reason),
        proof_needed: explained.proof_needed,
        unarmored: offer(explained.open),
        armored: offer(explained.armored),
        by_login: entitlement(explained.by_login),
        by_ticket: entitlement(explained.by_ticket),
    }
}

fn reason(denied: &Denied) -> String {
    denied.name().to_owned()
}

fn offer(mechanisms: Result<Vec<&'static str>, Denied>) -> Offer {
    let (refused, mechanisms) = match mechanisms {
        Ok(mechanisms) => (None, mechanisms),
        Err(denied) => (Some(reason(&denied)), Vec::new()),
    };
    Offer {
        refused,
        mechanisms: mechanisms.into_iter().map(str::to_owned).collect(),
    }
}

fn entitlement(grant: Result<Grant<'_>, Denied>) -> Entitlement {
    let grant = match grant {
        Ok(grant) => grant,
        Err(denied) => {
            return Entitlement {
                refused: Some(reason(&denied)),
                max_life: None,
                max_renew: None,
                flags: Vec::new(),
            };
        }
    };
    let flags = grant
        .delegation
        .set(TicketFlags::MAY_POSTDATE, grant.postdateable)
        .set(TicketFlags::OK_AS_DELEGATE, grant.ok_as_delegate);
    let named = TicketFlags::NAMED.iter().filter(|(flag, _)| flags.contains(*flag));
    Entitlement {
        refused: None,
        max_life: Some(Span(grant.life)),
        max_renew: grant.renewable_life.map(Span),
        flags: named.map(|(_, name)| (*name).to_owned()).collect(),
    }
}
