//! Seals a ticket and the reply that carries it.

use std::borrow::Cow;

use tessera_common::Random;
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::TicketFlags;
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{
    self, Any, AsRep, Checksum, EncAsRepPart, EncKdcRepPart, EncTgsRepPart, EncTicketPart, EncryptedData,
    EncryptionKey, KdcRep, KerberosString, Kvno, LastReqEntry, MethodData, Octets, PaData, PrincipalName, TgsRep,
    Ticket, UInt32, msg_type, pa_type,
};

use zeroize::Zeroizing;

use super::fast::{Armor, Finished};
use super::refusal::Refusal;
use super::request::KdcRequest;
use super::times::Times;
use crate::realm::principal::{PrincipalRecord, StoredKey};
use crate::store::View;

/// The key that a ticket is sealed with.
pub(super) struct SealingKey<'k> {
    pub(super) key: &'k Key,
    /// Its version; none for another user's session key.
    pub(super) kvno: Option<u32>,
}

/// The key that a reply is encrypted with.
pub(super) struct ReplyKey<'k> {
    pub(super) key: Cow<'k, Key>,
    /// Its version, if it is a long-term key.
    pub(super) kvno: Option<u32>,
    pub(super) usage: KeyUsage,
}

/// What a reply tells the client beside the ticket.
pub(super) struct ReplyFacts<'a> {
    pub(super) nonce: UInt32,
    pub(super) now: Timestamp,
    pub(super) key_expiration: Option<KerberosTime>,
    pub(super) padata: MethodData,
    pub(super) encrypted_padata: Option<MethodData>,
    /// What the reply is armored with.
    pub(super) armor: Option<&'a Armor>,
    /// The KDC's share in the reply key.
    pub(super) share: Option<Key>,
}

/// Which exchange a reply belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    As,
    Tgs,
}

/// The times and, if there is one, the renewable flag of a ticket's part.
pub(super) fn set_times(part: &mut EncTicketPart, times: &Times) {
    // A starttime is always sent: some client libraries do not survive its absence.
    part.starttime = Some(times.start);
    part.endtime = times.end;
    part.renew_till = times.renew_till;
    part.flags = part
        .flags
        .set(TicketFlags::RENEWABLE, times.renew_till.is_some())
        .set(TicketFlags::POSTDATED | TicketFlags::INVALID, times.postdated);
}

/// A session key and its form in a ticket.
pub(super) fn session_key(etype: EncType, random: &mut dyn Random) -> EncryptionKey {
    let mut octets = vec![0; etype.key_len()];
    random.fill(&mut octets);
    EncryptionKey {
        keytype: etype.number(),
        keyvalue: Octets(octets),
    }
}

/// Seals `part` for the service and wraps it for the client.
pub(super) fn reply(
    exchange: Exchange,
    service: (KerberosString, PrincipalName),
    part: EncTicketPart,
    sealing: &SealingKey<'_>,
    reply_key: &ReplyKey<'_>,
    facts: ReplyFacts<'_>,
    random: &mut dyn Random,
) -> Vec<u8> {
    let (realm, sname) = service;
    let ticket = Ticket {
        tkt_vno: wire::PVNO,
        realm,
        sname,
        enc_part: EncryptedData {
            etype: sealing.key.etype().number(),
            kvno: sealing.kvno.map(Kvno),
            cipher: Octets(
                sealing
                    .key
                    .encrypt(KeyUsage::TICKET, &Zeroizing::new(wire::encode(&part)), random),
            ),
        },
    };
    let sealed = wire::encode(&ticket);
    let enc_part = EncKdcRepPart {
        key: part.key,
        last_req: vec![LastReqEntry {
            lr_type: 0,
            lr_value: facts.now.time,
        }],
        nonce: facts.nonce,
        key_expiration: facts.key_expiration,
        flags: part.flags,
        authtime: part.authtime,
        starttime: part.starttime,
        endtime: part.endtime,
        renew_till: part.renew_till,
        srealm: ticket.realm,
        sname: ticket.sname,
        caddr: part.caddr,
        encrypted_pa_data: facts.encrypted_padata,
    };
    // RFC 4120 §5.4.2: MIT's KDC tags both as EncTGSRepPart, for the sake of clients of the last century; every client of
    // this one takes the tag that the RFC says.
    let plain = match exchange {
        Exchange::As => wire::encode(&EncAsRepPart(enc_part)),
        Exchange::Tgs => wire::encode(&EncTgsRepPart(enc_part)),
    };
    let plain = Zeroizing::new(plain);
    let (mut crealm, mut cname) = (part.crealm, part.cname);
    let mut padata = facts.padata;
    if let Some(armor) = facts.armor {
        let finished = Finished {
            now: facts.now,
            crealm: &crealm,
            cname: &cname,
            ticket: &sealed,
        };
        padata = vec![armor.reply(padata, facts.share.as_ref(), &finished, random)];
        if armor.hides_client() {
            (crealm, cname) = (KerberosString::anonymous_realm(), PrincipalName::anonymous());
        }
    }
    let rep = KdcRep {
        pvno: wire::PVNO,
        msg_type: match exchange {
            Exchange::As => msg_type::AS_REP,
            Exchange::Tgs => msg_type::TGS_REP,
        },
        padata: (!padata.is_empty()).then_some(padata),
        crealm,
        cname,
        ticket: Any::new(sealed),
        enc_part: EncryptedData {
            etype: reply_key.key.etype().number(),
            kvno: reply_key.kvno.map(Kvno),
            cipher: Octets(reply_key.key.encrypt(reply_key.usage, &plain, random)),
        },
    };
    match exchange {
        Exchange::As => wire::encode(&AsRep(rep)),
        Exchange::Tgs => wire::encode(&TgsRep(rep)),
    }
}

/// What a reply says inside its encrypted part of the request that it answers, if the client asks for it (RFC 6806 §11): a
/// checksum of the request as received, so that the client sees whether somebody changed it; and that there is FAST, so that
/// the client can insist on it the next time.
pub(super) fn enc_pa_rep(exchange: &super::Exchange<'_>, request: &KdcRequest, reply_key: &Key) -> Option<MethodData> {
    request.pa(pa_type::REQ_ENC_PA_REP)?;
    let checksum = Checksum::keyed(reply_key, KeyUsage::AS_REQ, exchange.request.octets);
    Some(vec![
        PaData::new(pa_type::REQ_ENC_PA_REP, wire::encode(&checksum)),
        PaData::new(pa_type::FX_FAST, Vec::new()),
    ])
}

/// The key that tickets to `service` are sealed with: its first current one, whatever the client asked for.
pub(super) fn sealing_key<'r>(view: &View, service: &'r PrincipalRecord) -> Result<SealingKey<'r>, Refusal> {
    let stored = service.current_keys().next().ok_or_else(|| {
        Refusal::new(ErrorCode::KDC_ERR_NULL_KEY, "service-without-keys").detail(service.name.to_string())
    })?;
    Ok(SealingKey {
        key: unseal(view, service, stored)?,
        kvno: Some(stored.kvno),
    })
}

/// The first of the client's preferences that the service has a key for.
pub(super) fn session_etype(
    mut preferences: impl Iterator<Item = EncType>,
    service: &PrincipalRecord,
) -> Result<EncType, Refusal> {
    preferences
        .find(|etype| service.current_keys().any(|key| key.etype == *etype))
        .ok_or_else(|| Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, "no-common-session-etype"))
}

/// Unseals a key. That it does not open is the realm's fault, not the peer's: the peer learns no more than that.
pub(super) fn unseal<'r>(view: &View, record: &PrincipalRecord, stored: &'r StoredKey) -> Result<&'r Key, Refusal> {
    view.key(record, stored).map_err(|why| {
        Refusal::new(ErrorCode::KRB_ERR_GENERIC, "key-does-not-open")
            .detail(why.to_string())
            .text("the KDC cannot serve this principal; its operator finds the reason in the log")
    })
}
