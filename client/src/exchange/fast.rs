use tessera_common::Random;
use tessera_common::ap::Initiator;
use tessera_common::credential::Credential;
use tessera_common::crypto::{EncType, Key};
use tessera_common::fast::{ArmorKey, FastError};
use tessera_common::flags::FastOptions;
use tessera_common::name::Principal;
use tessera_common::time::Timestamp;
use tessera_common::wire::{
    self, Any, KdcRep, KrbError, KrbFastArmor, KrbFastReq, KrbFastResponse, MethodData, PaData, armor_type, pa_type,
};

use super::kdc_reply::{decode_error, principal};
use super::{ClockOffset, ExchangeError, ReplyFault};

/// What protects an AS exchange from those on the path (RFC 6113 §5.4.1.1): somebody's ticket for the ticket-granting service
/// of the realm that is asked, most often the machine's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Armor {
    /// The ticket.
    pub credential: Credential,
    /// What the exchange that gave it said of the KDC's clock.
    pub offset: ClockOffset,
}

/// The armor of one conversation: made once, sent with each of its requests.
#[derive(Debug)]
pub(super) struct Armored {
    pub(super) key: ArmorKey,
    /// Whose ticket it is.
    pub(super) by: Principal,
    ap_req: KrbFastArmor,
}

impl Armored {
    pub(super) fn new(armor: &Armor, now: Timestamp, random: &mut dyn Random) -> Self {
        let Armor { credential, offset } = armor;
        let subkey = Key::random(credential.key.etype(), random);
        let ap_req = Initiator::new(credential)
            .with_subkey(subkey.clone())
            .request(offset.apply(now), random);
        Self {
            key: ArmorKey::new(&subkey, &credential.key),
            by: credential.client.clone(),
            ap_req: KrbFastArmor {
                armor_type: armor_type::AP_REQUEST,
                armor_value: ap_req.octets().into(),
            },
        }
    }

    /// The padata of an AS-REQ whose outer body is `outer`.
    pub(super) fn seal(&self, outer: &[u8], inner: Vec<u8>, padata: Vec<PaData>, random: &mut dyn Random) -> PaData {
        let request = KrbFastReq {
            // What the outer body hides, the reply shall not tell.
            fast_options: FastOptions::HIDE_CLIENT_NAMES,
            padata,
            req_body: Any::new(inner),
        };
        self.key
            .seal_request(Some(self.ap_req.clone()), outer, &request, random)
    }
}

/// What a reply says under the armor key.
#[derive(Debug)]
pub(super) struct Inside {
    /// In place of the reply's own.
    pub(super) padata: Vec<PaData>,
    /// Whose ticket it is.
    pub(super) client: Principal,
    /// The KDC's time.
    pub(super) time: Timestamp,
    strengthen_key: Option<Key>,
}

impl Inside {
    /// Opens what FAST protects of a reply, and compares nonce and ticket (RFC 6113 §5.4.3).
    pub(super) fn of_reply(key: &ArmorKey, rep: &KdcRep, nonce: u32) -> Result<Self, ExchangeError> {
        let padata = rep.padata.as_deref().unwrap_or_default();
        let response = open(key, find(padata, pa_type::FX_FAST).ok_or(ReplyFault::NoFast)?)?;
        if response.nonce.0 != nonce {
            return Err(ReplyFault::Nonce.into());
        }
        let finished = response.finished.ok_or(ReplyFault::NotFinished)?;
        key.verify_ticket(rep.ticket.as_bytes(), &finished.ticket_checksum)
            .map_err(|_| ReplyFault::TicketChecksum)?;
        let strengthen_key = response.strengthen_key.map(|key| {
            let etype = EncType::from_number(key.keytype).ok_or(ReplyFault::EncType(key.keytype))?;
            Key::new(etype, &key.keyvalue).map_err(ReplyFault::Key)
        });
        Ok(Self {
            padata: response.padata,
            client: principal(&finished.cname, &finished.crealm)?,
            time: Timestamp::new(finished.timestamp, finished.usec.0),
            strengthen_key: strengthen_key.transpose()?,
        })
    }

    /// The reply key, with the KDC's share where it gave one.
    pub(super) fn strengthened(&self, reply_key: &Key) -> Key {
        match &self.strengthen_key {
            Some(share) => tessera_common::fast::strengthen(share, reply_key),
            None => reply_key.clone(),
        }
    }

    /// The reply key, where the KDC has to give its share.
    pub(super) fn must_strengthen(&self, reply_key: &Key) -> Result<Key, ReplyFault> {
        let share = self.strengthen_key.as_ref().ok_or(ReplyFault::NoStrengthenKey)?;
        Ok(tessera_common::fast::strengthen(share, reply_key))
    }
}

/// An error to go by, and the padata beside it.
pub(super) type Believed = (Box<KrbError>, MethodData);

/// The error that FAST protects, and the padata beside it (RFC 6113 §5.4.4); `None` when there is none: then nobody vouches for
/// what the KRB-ERROR says.
pub(super) fn open_error(key: &ArmorKey, error: &KrbError, nonce: u32) -> Result<Option<Believed>, ExchangeError> {
    let outside: MethodData = error
        .e_data
        .as_ref()
        .and_then(|data| wire::decode(data).ok())
        .unwrap_or_default();
    let Some(Ok(response)) = find(&outside, pa_type::FX_FAST).map(|value| open(key, value)) else {
        return Ok(None);
    };
    if response.nonce.0 != nonce {
        return Err(ReplyFault::Nonce.into());
    }
    let inner = find(&response.padata, pa_type::FX_ERROR).ok_or(ReplyFault::NoFast)?;
    Ok(Some((decode_error(inner)?, response.padata)))
}

/// The value of the first element of this type.
pub(super) fn find(padata: &[PaData], wanted: i32) -> Option<&[u8]> {
    let found = padata.iter().find(|pa| pa.padata_type == wanted);
    found.map(|pa| &*pa.padata_value)
}

fn open(key: &ArmorKey, value: &[u8]) -> Result<KrbFastResponse, ExchangeError> {
    key.open_response(value).map_err(|why| match why {
        FastError::Malformed(why) => why.into(),
        _ => ReplyFault::FastIntegrity.into(),
    })
}
