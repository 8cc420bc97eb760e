//! Tickets, their encrypted part, and the authorization data in it, through every container.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tessera_common::wire::{AdAndOr, AdKdcIssued, AuthorizationData, Cammac, EncTicketPart, Ticket, ad_type, encode};
use tessera_fuzz::round_trip;

fuzz_target!(|octets: &[u8]| {
    round_trip::<Ticket>(octets);
    if let Some(data) = round_trip::<EncTicketPart>(octets).and_then(|part| part.authorization_data) {
        unpack(&encode(&data), 0);
    }
    unpack(octets, 0);
});

fn unpack(octets: &[u8], depth: usize) {
    let Some(elements) = round_trip::<AuthorizationData>(octets) else {
        return;
    };
    for element in elements.iter().filter(|_| depth < 8) {
        let data = &element.ad_data;
        match element.ad_type {
            ad_type::IF_RELEVANT => unpack(data, depth + 1),
            ad_type::CAMMAC => drop(round_trip::<Cammac>(data)),
            ad_type::KDC_ISSUED => drop(round_trip::<AdKdcIssued>(data)),
            ad_type::AND_OR => drop(round_trip::<AdAndOr>(data)),
            _ => {}
        }
    }
}
