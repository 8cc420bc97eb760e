//! What goes to and fro until a client has proved who it is (RFC 4120 §5.2.7, RFC 6113 §5.2): what it brings, and what it is
//! told so that it can bring more.

use tessera_common::Random;
use tessera_common::crypto::EncType;
use tessera_common::error_code::ErrorCode;
use tessera_common::name::Name;
use tessera_common::wire::{self, EtypeInfo2Entry, KerberosString, MethodData, PaData, pa_type};

use super::cookie::{Cookie, bake};
use super::mechanism::{self, AsContext, Sent};
use super::refusal::Refusal;
use crate::realm::authentication::{Channel, channel_suffices};

/// One client's, of which this request is a part.
pub(super) struct Conversation<'c, 'a> {
    pub(super) cx: &'c AsContext<'a>,
    /// The client's name as it was asked for.
    pub(super) cname: &'c Name,
    /// Gives the enctypes that the client may prove itself with, and the salts of its keys.
    pub(super) salts: &'c dyn Fn() -> Vec<(EncType, Vec<u8>)>,
}

impl<'a> Conversation<'_, 'a> {
    /// What the request brings, if the client may say it over this channel at all.
    pub(super) fn hear(&self, random: &mut dyn Random) -> Result<(Sent<'a>, Cookie), Refusal> {
        let audience = self.cx.audience();
        channel_suffices(audience.settings, audience.client.map(AsRef::as_ref), audience.channel)
            .map_err(|denied| self.again(denied.into(), random))?;
        let cookie = Cookie::read(self.cx.exchange, &self.cx.request.padata, self.cname)?;
        Ok((mechanism::find(&audience, &self.cx.request.padata), cookie))
    }

    /// Lets the client try again: tells it the salts, the mechanisms, and, where it would not go on without one, a cookie.
    pub(super) fn again(&self, refusal: Refusal, random: &mut dyn Random) -> Refusal {
        let mut methods = vec![etype_info2(&(self.salts)())];
        methods.extend(mechanism::offers(&self.cx.audience()));
        // RFC 6113 §5.4.3: within FAST, no cookie means that it is over.
        if self.cx.channel() == Channel::Armored {
            methods.extend(self.bake(&MethodData::new(), random));
        }
        refusal.methods(methods)
    }

    /// Asks for a mechanism's next message.
    pub(super) fn more(
        &self,
        padata_type: i32,
        state: Vec<u8>,
        padata: Vec<PaData>,
        random: &mut dyn Random,
    ) -> Refusal {
        let mut methods = padata;
        methods.extend(self.bake(&vec![PaData::new(padata_type, state)], random));
        Refusal::new(ErrorCode::KDC_ERR_MORE_PREAUTH_DATA_REQUIRED, "proof-incomplete").methods(methods)
    }

    // Without the realm's key there is no cookie, and no ticket either: whoever asks for that is told why.
    fn bake(&self, states: &MethodData, random: &mut dyn Random) -> Option<PaData> {
        bake(self.cx.exchange, self.cname, states, random).ok()
    }
}

/// Always with the salt written out, so that aliases, renamed and imported principals work; first in METHOD-DATA.
pub(super) fn etype_info2(salts: &[(EncType, Vec<u8>)]) -> PaData {
    let info: Vec<EtypeInfo2Entry> = salts
        .iter()
        .map(|(etype, salt)| EtypeInfo2Entry {
            etype: etype.number(),
            salt: Some(KerberosString::from(salt.as_slice())),
            s2kparams: None,
        })
        .collect();
    PaData::new(pa_type::ETYPE_INFO2, wire::encode(&info))
}
