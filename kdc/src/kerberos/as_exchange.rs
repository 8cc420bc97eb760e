//! The authentication service (RFC 4120 §3.1): from a name and a proof to an initial ticket.

use tessera_common::Random;
use tessera_common::ap::vouched;
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::{KdcOptions, TicketFlags};
use tessera_common::time::KerberosTime;
use tessera_common::wire::{
    EncTicketPart, EncryptionKey, KerberosString, MethodData, PrincipalName, TransitedEncoding,
};

use super::conversation::{Conversation, etype_info2};
use super::fast::{self, Armor, Strengthened};
use super::issue::{self, ReplyFacts, ReplyKey, SealingKey};
use super::mechanism::{self, AsContext, Sent, Step};
use super::refusal::Refusal;
use super::request::{AskedName, KdcRequest};
use super::{Exchange, binding, lookup, options, times};
use crate::realm::access::AccessPolicy;
use crate::realm::accounting::{Event, Issued, Result as EventResult};
use crate::realm::authentication::{Admitted, Authenticated, Disclosure, Verdict, admit};
use crate::realm::authorization::{Asked, Grant, Path, authorize_ticket};
use crate::realm::denied::Denied;
use crate::realm::lockout::{Attempt, Trips};
use crate::realm::principal::{Attributes, PrincipalRecord, StoredKey};
use crate::realm::settings::RealmSettings;

/// Answers an AS-REQ: the AS-REP, or why there is none.
pub(super) fn run(exchange: &Exchange<'_>, event: &mut Event, random: &mut dyn Random) -> Result<Vec<u8>, Refusal> {
    let outer = KdcRequest::decode_as(exchange.request.octets)?;
    if fast::is_armored(&outer) {
        // For the log, should the armor not come off.
        outer.describe(event);
    }
    let inner = fast::open_as(exchange, &outer, event)?;
    let (request, armor) = match &inner {
        Some((request, armor)) => (request, Some(armor)),
        None => (&outer, None),
    };
    request.describe(event);
    AsExchange {
        exchange,
        request,
        armor,
    }
    .run(event, random)
    .map_err(|refusal| {
        let refusal = request.echo_client(request.echo_service(refusal));
        armor.into_iter().fold(refusal, Refusal::armored)
    })
}

struct AsExchange<'a> {
    exchange: &'a Exchange<'a>,
    /// What was inside the armor, if there is one.
    request: &'a KdcRequest,
    armor: Option<&'a Armor>,
}

/// A client that may have a ticket, and the key that it can read the reply with.
struct Proved<'a> {
    client: Authenticated,
    reply_key: &'a StoredKey,
    /// Whether the KDC may have a share in that key.
    strengthens_reply: bool,
    /// What its mechanism tells it in the reply.
    padata: MethodData,
}

impl<'a> AsExchange<'a> {
    fn run(&self, event: &mut Event, random: &mut dyn Random) -> Result<Vec<u8>, Refusal> {
        let &Exchange { settings, view, .. } = self.exchange;
        let cname = self.request.cname()?;
        lookup::check_realm(
            &self.request.body.realm,
            &settings.name,
            ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN,
        )?;
        let sname = self.request.sname()?;
        options::check_initial(self.request.body.kdc_options)?;

        // The service before the proof, so that a mistyped name costs nobody a password; but where names are hidden, after
        // it: or a stranger could find out by asking for tickets to a name whether somebody has it.
        let mut service = lookup::service(view, sname);
        event.service_id = service.as_ref().ok().map(|service| service.id);
        let disclosure = if settings.hide_unknown_principals {
            Disclosure::AfterProof
        } else {
            service = Ok(service?);
            Disclosure::BeforeProof
        };
        let client = lookup::client(view, &settings.name, cname.wire, cname.name);
        event.client_id = client.map(|client| client.id);
        let cx = AsContext {
            exchange: self.exchange,
            request: self.request,
            client,
            armor: self.armor,
        };
        let attempt = self.exchange.attempt(client.map(AsRef::as_ref));
        let Some(client) = client else {
            return Err(self.unknown_client(&cx, cname, attempt, event, random));
        };
        let admitted = admit(client, attempt, self.exchange.request.now.time, disclosure)?
            .demanding_proof(service.as_ref().is_ok_and(|service| demands_proof(service)));
        let salts = || {
            cx.keys_of(client)
                .map(|key| (key.etype, salt(client, key, settings)))
                .collect()
        };
        let conversation = Conversation {
            cx: &cx,
            cname: cname.name,
            salts: &salts,
        };
        let proved = authenticate(&conversation, client, admitted, event, random)?;
        // The proof is used up: from here on, the same request gets the same answer, whatever that is.
        let is_proved = proved.client.factors().any();
        service
            .and_then(|service| self.answer(proved, cname, service, sname, event, random))
            .map_err(|refusal| refusal.remembered_if(is_proved))
    }

    fn answer(
        &self,
        proved: Proved<'_>,
        cname: AskedName<'_>,
        service: &PrincipalRecord,
        sname: AskedName<'_>,
        event: &mut Event,
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, Refusal> {
        let &Exchange { settings, view, .. } = self.exchange;
        let now = self.exchange.request.now.time;
        let client = proved.client.record();
        let grant = entitlement(
            self.exchange.policy(),
            &proved.client,
            service,
            &self.exchange.asked(Path::Initial),
        )?;
        event.rule = grant.rule.map(|rule| rule.name().clone());
        let times = times::new_ticket(&self.request.body, &grant, None, now, settings.clock_skew)?;
        let session_etype = issue::session_etype(self.request.etypes(), service)?;
        let sealing = issue::sealing_key(view, service)?;
        let long_term = issue::unseal(view, client, proved.reply_key)?;
        let armor = self.armor.filter(|_| proved.strengthens_reply);
        let Strengthened { key, share } = fast::reply_key(armor, long_term, random);
        let reply_key = ReplyKey {
            key,
            kvno: Some(proved.reply_key.kvno),
            usage: KeyUsage::AS_REP,
        };
        let key = issue::session_key(session_etype, random);
        let mut part = self.ticket_part(&proved.client, self.reply_cname(cname, client), key, &grant);
        issue::set_times(&mut part, &times);
        bind_to(self.exchange, &mut part, client, service, sealing.key)?;
        event.result = EventResult::Issued(issued(&part, &sealing, &reply_key));
        let mut padata = vec![etype_info2(&[(
            proved.reply_key.etype,
            salt(client, proved.reply_key, settings),
        )])];
        padata.extend(proved.padata);
        let facts = ReplyFacts {
            nonce: self.request.body.nonce,
            now: self.exchange.request.now,
            key_expiration: key_expiration(self.exchange.policy(), client),
            padata,
            encrypted_padata: issue::enc_pa_rep(self.exchange, self.request, &reply_key.key),
            armor: self.armor,
            share,
        };
        let srealm = KerberosString::from(&settings.name);
        let sname = self.reply_sname(sname, service);
        Ok(issue::reply(
            issue::Exchange::As,
            (srealm, sname),
            part,
            &sealing,
            &reply_key,
            facts,
            random,
        ))
    }

    // A name that nobody has says so, or plays the part of one that somebody has.
    fn unknown_client(
        &self,
        cx: &AsContext<'_>,
        cname: AskedName<'_>,
        attempt: Attempt<'_>,
        event: &mut Event,
        random: &mut dyn Random,
    ) -> Refusal {
        let settings = self.exchange.settings;
        if !settings.hide_unknown_principals {
            // Told before any proof; one that comes all the same is a guess as any other.
            let is_guess = matches!(mechanism::find(&cx.audience(), &self.request.padata), Sent::Proof(..));
            return if is_guess {
                counted(attempt, Denied::ClientUnknown.into()).remembered()
            } else {
                Denied::ClientUnknown.into()
            };
        }
        let salt = lookup::decoy(&settings.name, cname.wire, cname.name).default_salt(&settings.name);
        let salts: Vec<_> = self
            .request
            .etypes()
            .filter(|etype| settings.enctypes.contains(etype))
            .map(|etype| (etype, salt.clone()))
            .collect();
        if salts.is_empty() {
            return no_reply_key();
        }
        let conversation = Conversation {
            cx,
            cname: cname.name,
            salts: &|| salts.clone(),
        };
        let (sent, cookie) = match conversation.hear(random) {
            Ok(heard) => heard,
            Err(refusal) => return refusal,
        };
        let unknown = |code| Refusal::new(code, Denied::ClientUnknown.name());
        let Sent::Proof(mechanism, pa) = sent else {
            return conversation.again(unknown(ErrorCode::KDC_ERR_PREAUTH_REQUIRED), random);
        };
        event.mechanism = Some(mechanism.name());
        if let Err(denied) = attempt.network_may_try() {
            return denied.into();
        }
        mechanism.step(cx, pa, cookie.state(mechanism.pa_type()), random);
        // A wrong proof of somebody who exists is remembered, so this is, too: or the time in a second answer would tell.
        match counted(attempt, unknown(ErrorCode::KDC_ERR_PREAUTH_FAILED)) {
            refusal if refusal.code() == ErrorCode::KDC_ERR_PREAUTH_FAILED => {
                conversation.again(refusal.remembered(), random)
            }
            refusal => refusal.remembered(),
        }
    }

    fn ticket_part(
        &self,
        client: &Authenticated,
        cname: PrincipalName,
        key: EncryptionKey,
        grant: &Grant<'_>,
    ) -> EncTicketPart {
        let now = self.exchange.request.now.time;
        let given = |option, flag| TicketFlags::empty().set(flag, self.request.asks(option));
        let delegation = given(KdcOptions::FORWARDABLE, TicketFlags::FORWARDABLE)
            | given(KdcOptions::PROXIABLE, TicketFlags::PROXIABLE);
        let flags = TicketFlags(delegation.0 & grant.delegation.0)
            | given(KdcOptions::ALLOW_POSTDATE, TicketFlags::MAY_POSTDATE)
            | TicketFlags::INITIAL
            | TicketFlags::ENC_PA_REP;
        EncTicketPart {
            flags: flags.set(TicketFlags::PRE_AUTHENT, client.factors().any()),
            key,
            crealm: (&self.exchange.settings.name).into(),
            cname,
            transited: TransitedEncoding::local(),
            authtime: now,
            starttime: None,
            endtime: now,
            renew_till: None,
            caddr: self
                .request
                .body
                .addresses
                .clone()
                .filter(|addresses| !addresses.is_empty()),
            authorization_data: None,
        }
    }

    // RFC 6806 §6: names come back as they were asked for, unless the client lets the KDC put better ones in.
    fn reply_cname(&self, asked: AskedName<'_>, client: &PrincipalRecord) -> PrincipalName {
        let canonicalize = self.request.asks(KdcOptions::CANONICALIZE);
        if canonicalize && *asked.name != client.name {
            lookup::canonical(client)
        } else {
            asked.wire.clone()
        }
    }

    fn reply_sname(&self, asked: AskedName<'_>, service: &PrincipalRecord) -> PrincipalName {
        let canonicalize = self.request.asks(KdcOptions::CANONICALIZE) && service.name.tgs_realm().is_some();
        if canonicalize && *asked.name != service.name {
            lookup::canonical(service)
        } else {
            asked.wire.clone()
        }
    }
}

/// Whether tickets to this service are only for who proved who it is, whatever else the realm asks of it.
pub(super) fn demands_proof(service: &PrincipalRecord) -> bool {
    service.attributes.contains(Attributes::REQUIRE_PREAUTH)
}

/// What a client may have that has proved who it is, or did not have to. Only now is the password's age told: so that it tells
/// nothing to who does not know the password.
pub(super) fn entitlement<'p>(
    policy: AccessPolicy<'p>,
    client: &Authenticated,
    service: &PrincipalRecord,
    asked: &Asked,
) -> Result<Grant<'p>, Denied> {
    if !service.name.is(&["kadmin", "changepw"]) {
        client.password_is_current(policy, asked.now)?;
    }
    authorize_ticket(policy, client, service, asked)
}

fn salt(client: &PrincipalRecord, key: &StoredKey, settings: &RealmSettings) -> Vec<u8> {
    key.salt
        .clone()
        .unwrap_or_else(|| client.name.default_salt(&settings.name))
}

fn authenticate<'a>(
    conversation: &Conversation<'_, 'a>,
    client: &'a PrincipalRecord,
    admitted: Admitted<'_>,
    event: &mut Event,
    random: &mut dyn Random,
) -> Result<Proved<'a>, Refusal> {
    let cx = conversation.cx;
    // The first of the client's preferences that the client itself has a key for.
    let reply_key = cx.keys_of(client).next().ok_or_else(no_reply_key)?;
    let (sent, cookie) = conversation.hear(random)?;
    let (mechanism, pa) = match sent {
        Sent::Proof(mechanism, pa) => (mechanism, pa),
        Sent::Unfit(_) | Sent::Nothing => {
            let (concluded, _) = admitted.conclude(Verdict::Absent);
            let client = concluded.map_err(|denied| match (&denied, sent) {
                (Denied::ProofMissing, Sent::Unfit(reason)) => {
                    conversation.again(Refusal::new(ErrorCode::KDC_ERR_PREAUTH_REQUIRED, reason), random)
                }
                (Denied::ProofMissing, _) => conversation.again(denied.into(), random),
                _ => denied.into(),
            })?;
            return Ok(Proved {
                client,
                reply_key,
                strengthens_reply: true,
                padata: MethodData::new(),
            });
        }
    };
    event.mechanism = Some(mechanism.name());
    admitted.hear()?;
    let told = |(denied, trips), random: &mut dyn Random| told(conversation, denied, random).tripping(trips);
    match mechanism.step(cx, pa, cookie.state(mechanism.pa_type()), random) {
        Step::Done {
            factors,
            proof,
            key,
            padata,
        } => {
            if !cx.exchange.replays.use_proof(&proof, cx.exchange.request.now.time) {
                let denied = untimely(admitted);
                let repeat = || Refusal::new(ErrorCode::KRB_AP_ERR_REPEAT, "proof-replayed").remembered();
                return Err(denied.map_or_else(repeat, |denied| told(denied, random)));
            }
            event.factor = Some(factors.name());
            let (concluded, trips) = admitted.conclude(Verdict::Proved(factors));
            let client = concluded.map_err(|denied| told((denied, trips), random))?;
            // Of several keys of one enctype, staged ones among them, the client has the one that it proved.
            let reply_key = if key.etype == reply_key.etype { key } else { reply_key };
            Ok(Proved {
                client,
                reply_key,
                strengthens_reply: mechanism.strengthens_reply(),
                padata,
            })
        }
        Step::More { state, padata } => Err(conversation.more(mechanism.pa_type(), state, padata, random)),
        Step::Wrong { detail } => {
            let (concluded, trips) = admitted.conclude(Verdict::Wrong);
            match concluded.err() {
                None | Some(Denied::WrongProof) => {
                    let refusal = Refusal::from(Denied::WrongProof).detail(detail).remembered();
                    Err(conversation.again(refusal.tripping(trips), random))
                }
                Some(denied) => Err(told((denied, trips), random)),
            }
        }
        Step::Refused(refusal) => Err(match untimely(admitted) {
            Some(denied) => told(denied, random),
            // Within FAST, no more data would mean that it is over; the client may want to correct its clock.
            None if cx.armor.is_some() => conversation.again(refusal, random),
            None => refusal,
        }),
    }
}

// Whether the limit of wrong proofs was reached before one came that is not wrong and proves nothing: what is wrong with it
// would tell that the password is right.
fn untimely(admitted: Admitted<'_>) -> Option<(Denied, Trips)> {
    let (concluded, trips) = admitted.conclude(Verdict::Untimely);
    let reached = |denied: &Denied| matches!(denied, Denied::ClientShutOut | Denied::NetworkShutOut);
    concluded.err().filter(reached).map(|denied| (denied, trips))
}

// Where names are hidden, one that is shut out looks like one whose password was wrong, whatever is tried.
fn told(conversation: &Conversation<'_, '_>, denied: Denied, random: &mut dyn Random) -> Refusal {
    let hidden = conversation.cx.exchange.settings.hide_unknown_principals;
    if denied == Denied::ClientShutOut && hidden {
        let refusal = Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, denied.name());
        return conversation.again(refusal.remembered(), random);
    }
    Refusal::from(denied).remembered()
}

// A wrong proof of a name that nobody has counts for its network. `refusal` is what it is told if it counts.
fn counted(attempt: Attempt<'_>, refusal: Refusal) -> Refusal {
    match attempt.wrong() {
        Ok(trips) => refusal.tripping(trips),
        Err(denied) => denied.into(),
    }
}

/// Binds the ticket to the client. A service's ticket, sealed with another key than the realm's, has the client's roles besides,
/// as they are now, and MACs by both keys.
pub(super) fn bind_to(
    exchange: &Exchange<'_>,
    part: &mut EncTicketPart,
    client: &PrincipalRecord,
    service: &PrincipalRecord,
    sealing: &Key,
) -> Result<(), Refusal> {
    let realm = &exchange.settings.name;
    if service.name.tgs_realm() == Some(realm.as_str()) {
        binding::bind(part, binding::Bound::to(client.id), None);
        return Ok(());
    }
    let krbtgt = lookup::krbtgt(exchange.view, realm)?;
    let SealingKey { key, kvno } = issue::sealing_key(exchange.view, krbtgt)?;
    binding::bind(
        part,
        binding::Bound {
            id: client.id,
            roles: vouched::roles_element(exchange.policy().declared(&client.roles)),
        },
        Some(&binding::VerifierKeys {
            realm: binding::RealmKey {
                key,
                kvno: kvno.unwrap_or_default(),
            },
            service: sealing,
        }),
    );
    Ok(())
}

/// What the log says of a ticket.
pub(super) fn issued(part: &EncTicketPart, sealing: &SealingKey<'_>, reply: &ReplyKey<'_>) -> Issued {
    Issued {
        ticket_etype: sealing.key.etype(),
        session_etype: EncType::from_number(part.key.keytype).unwrap_or(sealing.key.etype()),
        reply_etype: reply.key.etype(),
        kvno: sealing.kvno,
        reply_kvno: reply.kvno,
        flags: part.flags,
        end: part.endtime,
        renew_till: part.renew_till,
    }
}

// RFC 4120 §5.4.2: the earlier of the two expirations.
fn key_expiration(policy: AccessPolicy<'_>, client: &PrincipalRecord) -> Option<KerberosTime> {
    [client.expires, policy.password_expires(client)]
        .into_iter()
        .flatten()
        .min()
}

fn no_reply_key() -> Refusal {
    Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, "no-common-reply-etype")
        .text("the client has no key of an encryption type that it asked for")
}
