//! KDC-REQ: from the wire's types to checked ones.

use tessera_common::crypto::EncType;
use tessera_common::error_code::ErrorCode;
use tessera_common::flags::KdcOptions;
use tessera_common::name::{Name, NameError};
use tessera_common::wire::{self, Any, AsReq, KdcReq, KdcReqBody, PaData, PrincipalName, TgsReq, msg_type};

use super::refusal::Refusal;
use crate::realm::accounting::Event;

/// How many of the enctypes that a client offers go into the log.
const MAX_LOGGED_ETYPES: usize = 16;

/// A name as it was asked for, and checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedName<'r> {
    pub(super) name: &'r Name,
    pub(super) wire: &'r PrincipalName,
}

type Checked = Option<Result<Name, NameError>>;

/// A decoded request.
#[derive(Debug)]
pub(super) struct KdcRequest {
    pub(super) body: KdcReqBody,
    /// The body as received: what checksums cover.
    pub(super) body_octets: Vec<u8>,
    pub(super) padata: Vec<PaData>,
    etypes: Vec<EncType>,
    // The names in the body, where there are any.
    cname: Checked,
    sname: Checked,
}

impl KdcRequest {
    /// Decodes an AS-REQ.
    pub(super) fn decode_as(octets: &[u8]) -> Result<Self, Refusal> {
        let AsReq(request) = wire::decode(octets).map_err(|why| malformed(&why))?;
        Self::check(request, msg_type::AS_REQ)
    }

    /// Decodes a TGS-REQ.
    pub(super) fn decode_tgs(octets: &[u8]) -> Result<Self, Refusal> {
        let TgsReq(request) = wire::decode(octets).map_err(|why| malformed(&why))?;
        Self::check(request, msg_type::TGS_REQ)
    }

    fn check(request: KdcReq, msg_type: i32) -> Result<Self, Refusal> {
        if request.pvno != wire::PVNO {
            return Err(Refusal::new(ErrorCode::KDC_ERR_BAD_PVNO, "protocol-version"));
        }
        if request.msg_type != msg_type {
            return Err(Refusal::new(ErrorCode::KRB_AP_ERR_MSG_TYPE, "message-type"));
        }
        Self::new(request.padata.unwrap_or_default(), request.req_body)
    }

    /// A request from its parts: those of a KDC-REQ, or of what was inside FAST.
    pub(super) fn new(padata: Vec<PaData>, body: Any) -> Result<Self, Refusal> {
        let body_octets = body.into_bytes();
        let body: KdcReqBody = wire::decode(&body_octets).map_err(|why| malformed(&why))?;
        // Each enctype once: a client that names one a thousand times must not be told its salt a thousand times.
        let mut etypes = Vec::new();
        for etype in body.etype.iter().copied().filter_map(EncType::from_number) {
            if !etypes.contains(&etype) {
                etypes.push(etype);
            }
        }
        Ok(Self {
            cname: body.cname.as_ref().map(PrincipalName::to_name),
            sname: body.sname.as_ref().map(PrincipalName::to_name),
            body,
            body_octets,
            padata,
            etypes,
        })
    }

    /// The first element of this type.
    pub(super) fn pa(&self, padata_type: i32) -> Option<&PaData> {
        self.padata.iter().find(|pa| pa.padata_type == padata_type)
    }

    /// The client's name, which an AS-REQ must have.
    pub(super) fn cname(&self) -> Result<AskedName<'_>, Refusal> {
        let refusal = |reason| Refusal::new(ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN, reason);
        match (&self.cname, &self.body.cname) {
            (Some(Ok(name)), Some(wire)) => Ok(AskedName { name, wire }),
            (Some(Err(why)), _) => Err(refusal("client-name-bad").detail(why.to_string())),
            _ => Err(refusal("client-name-absent")),
        }
    }

    /// The service's name.
    pub(super) fn sname(&self) -> Result<AskedName<'_>, Refusal> {
        let refusal = |reason| Refusal::new(ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN, reason);
        match (&self.sname, &self.body.sname) {
            (Some(Ok(name)), Some(wire)) => Ok(AskedName { name, wire }),
            (Some(Err(why)), _) => Err(refusal("service-name-bad").detail(why.to_string())),
            _ => Err(refusal("service-name-absent")),
        }
    }

    /// The client's preferences, those that this realm knows, best first and each once.
    pub(super) fn etypes(&self) -> impl Iterator<Item = EncType> {
        self.etypes.iter().copied()
    }

    pub(super) fn asks(&self, option: KdcOptions) -> bool {
        self.body.kdc_options.contains(option)
    }

    /// Writes down what is known of the request so far.
    pub(super) fn describe(&self, event: &mut Event) {
        let text = |name: &Checked| name.as_ref()?.as_ref().ok().map(Name::to_string);
        event.client = text(&self.cname);
        event.service = text(&self.sname);
        event.offered = self.body.etype.iter().copied().take(MAX_LOGGED_ETYPES).collect();
    }

    /// Names in a KRB-ERROR the service that was asked for, if that is a name.
    pub(super) fn echo_service(&self, refusal: Refusal) -> Refusal {
        match self.sname() {
            Ok(sname) => refusal.naming_service(sname.wire.clone()),
            Err(_) => refusal,
        }
    }

    /// Names in a KRB-ERROR the client that an AS-REQ is from, if that is a name.
    pub(super) fn echo_client(&self, refusal: Refusal) -> Refusal {
        match self.cname() {
            Ok(cname) if self.body.realm.to_realm().is_ok() => {
                refusal.naming_client(self.body.realm.clone(), cname.wire.clone())
            }
            _ => refusal,
        }
    }
}

fn malformed(why: &wire::DecodeError) -> Refusal {
    Refusal::new(ErrorCode::KRB_ERR_GENERIC, "malformed")
        .detail(why.to_string())
        .text("the request cannot be decoded")
}
