//! Alice as an administrator from afar.

use std::cell::RefCell;

use tessera_common::admin::{MessageSink as _, Sealed};
use tessera_common::credential::Credential;
use tessera_common::gss::{AwaitingReply, Context, Initiator};
use tessera_common::time::KerberosTime;
use tessera_kdc::kerberos::Opening;

use crate::realm::{Counter, NOON, principal, with_realm};

thread_local! {
    static TICKET: RefCell<Option<Credential>> = const { RefCell::new(None) };
}

/// What the daemon makes of a first token. Nobody is let in but Alice, and whoever is gets an answer.
pub fn opening(token: &[u8]) -> Opening {
    let opening = with_realm(|realm| realm.open_administration(token));
    if let Some(conversation) = &opening.conversation {
        assert!(opening.token.is_some());
        if let Ok(administrator) = &conversation.admitted {
            assert_eq!(administrator.name, principal("alice"));
        }
    }
    let mut line = String::new();
    opening.event.put_into(&mut line);
    assert!(line.starts_with("administration ") && !line.contains('\n'));
    opening
}

/// The time of every exchange.
pub fn noon() -> KerberosTime {
    NOON.time
}

/// Alice's first token, and what waits for the answer.
pub fn first_token() -> (Vec<u8>, AwaitingReply) {
    let known = TICKET.with_borrow(Clone::clone);
    let ticket = known.unwrap_or_else(|| {
        let ticket = with_realm(|realm| realm.ticket_to_administer());
        TICKET.set(Some(ticket.clone()));
        ticket
    });
    Initiator::new(&ticket).start(NOON, &mut Counter::default())
}

/// Both ends of a conversation: Alice's, and the daemon's.
pub fn both_ends() -> (Context, Context) {
    let (token, awaiting) = first_token();
    let opening = opening(&token);
    let client = awaiting.finish(&opening.token.unwrap()).unwrap();
    let conversation = opening.conversation.unwrap();
    assert!(conversation.admitted.is_ok());
    (client, conversation.context)
}

/// A message that Alice sends.
pub fn sealed(client: Context, text: &[u8]) -> Vec<u8> {
    let mut sent = Vec::new();
    let mut client = Sealed::new(&mut sent, client, noon, Counter::default());
    client.put_message(text).unwrap();
    sent
}
