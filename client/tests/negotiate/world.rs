//! A service's keytab, tickets for it, and a web server that has only the layer.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{Request, Response, StatusCode};
use tempfile::TempDir;
use tessera_client::cache::replace_file;
use tessera_client::keytab_file::KeytabFile;
use tessera_client::service::negotiate::NegotiateLayer;
use tessera_client::service::{Caller, Connection, Service, ServiceBuilder};
use tessera_client::system::{self, SystemRandom};
use tessera_common::ap::vouched;
use tessera_common::credential::{Credential, TicketTimes};
use tessera_common::crypto::{EncType, Key, KeyUsage};
use tessera_common::flags::TicketFlags;
use tessera_common::gss;
use tessera_common::keytab::{Keytab, KeytabEntry};
use tessera_common::name::{Principal, name_type};
use tessera_common::role::RoleName;
use tessera_common::spnego;
use tessera_common::time::{KerberosTime, Timestamp};
use tessera_common::wire::{
    self, AuthorizationDataElement, Cammac, EncTicketPart, EncryptedData, KerberosString, Kvno, PrincipalName, Ticket,
    TransitedEncoding, ad_type,
};
use tower::{Layer as _, ServiceExt as _, service_fn};

pub(crate) const SERVICE: &str = "HTTP/www.example.com@EXAMPLE.COM";
pub(crate) const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 4711);

pub(crate) struct World {
    pub(crate) directory: TempDir,
    pub(crate) key: Key,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
}

/// What a ticket is made of, to be changed by who wants another one.
pub(crate) struct Draft {
    pub(crate) service: String,
    pub(crate) kvno: u32,
    pub(crate) key: Key,
    pub(crate) part: EncTicketPart,
    session: Key,
}

impl World {
    /// With a keytab that has the service's key, version 3.
    pub(crate) fn new() -> Self {
        let world = Self {
            directory: TempDir::new().unwrap(),
            key: Key::random(EncType::Aes256CtsHmacSha1_96, &mut SystemRandom),
            log: Arc::default(),
        };
        world.write_keytab(&keytab(SERVICE, 3, &world.key));
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write_keytab(&self, octets: &[u8]) {
        replace_file(&self.path("keytab"), octets).unwrap();
    }

    pub(crate) fn builder(&self) -> ServiceBuilder {
        let log = Arc::clone(&self.log);
        let keytab = KeytabFile::named(self.path("keytab").to_str().unwrap()).unwrap();
        ServiceBuilder::new(keytab).with_log(move |event| log.lock().unwrap().push(event.to_string()))
    }

    pub(crate) fn service(&self) -> Arc<Service> {
        Arc::new(self.builder().open().unwrap())
    }

    /// What was logged since it was asked last.
    pub(crate) fn logged(&self) -> Vec<String> {
        core::mem::take(&mut self.log.lock().unwrap())
    }

    pub(crate) fn ticket(&self) -> Credential {
        self.ticket_with(|_| ())
    }

    pub(crate) fn ticket_with(&self, change: impl FnOnce(&mut Draft)) -> Credential {
        let client: Principal = "alice@EXAMPLE.COM".parse().unwrap();
        let session = Key::random(EncType::Aes128CtsHmacSha256_128, &mut SystemRandom);
        let now = system::now().time;
        let mut draft = Draft {
            service: SERVICE.to_owned(),
            kvno: 3,
            key: self.key.clone(),
            part: EncTicketPart {
                flags: TicketFlags::PRE_AUTHENT | TicketFlags::FORWARDABLE,
                key: (&session).into(),
                crealm: KerberosString::from(&client.realm),
                cname: PrincipalName::new(name_type::PRINCIPAL, &client.name),
                transited: TransitedEncoding::local(),
                authtime: KerberosTime(now.0 - 60),
                starttime: None,
                endtime: KerberosTime(now.0 + 3600),
                renew_till: None,
                caddr: None,
                authorization_data: None,
            },
            session,
        };
        change(&mut draft);
        draft.seal(client)
    }

    /// A ticket whose CAMMAC says that alice has these roles, under a MAC by `key`.
    pub(crate) fn ticket_with_roles(&self, roles: &[&str], key: &Key) -> Credential {
        let roles: Vec<RoleName> = roles.iter().map(|role| RoleName::new(role).unwrap()).collect();
        let mut elements = vec![vouched::principal_id_element(&[7; 16])];
        elements.extend(vouched::roles_element(roles.iter()));
        let cammac = wire::encode(&Cammac {
            svc_verifier: Some(vouched::svc_verifier(key, &elements)),
            elements,
            kdc_verifier: None,
            other_verifiers: None,
        });
        let element = |ad_type, octets: Vec<u8>| AuthorizationDataElement {
            ad_type,
            ad_data: octets.into(),
        };
        let inside = wire::encode(&vec![element(ad_type::CAMMAC, cammac)]);
        self.ticket_with(|draft| draft.part.authorization_data = Some(vec![element(ad_type::IF_RELEVANT, inside)]))
    }
}

impl Draft {
    fn seal(self, client: Principal) -> Credential {
        let server: Principal = self.service.parse().unwrap();
        let plain = wire::encode(&self.part);
        let ticket = wire::encode(&Ticket {
            tkt_vno: wire::PVNO,
            realm: KerberosString::from(&server.realm),
            sname: PrincipalName::new(name_type::SRV_INST, &server.name),
            enc_part: EncryptedData {
                etype: self.key.etype().number(),
                kvno: Some(Kvno(self.kvno)),
                cipher: self.key.encrypt(KeyUsage::TICKET, &plain, &mut SystemRandom).into(),
            },
        });
        Credential {
            client,
            server,
            key: self.session,
            times: TicketTimes {
                authtime: self.part.authtime,
                starttime: self.part.authtime,
                endtime: self.part.endtime,
                renew_till: None,
            },
            flags: self.part.flags,
            addresses: Vec::new(),
            authorization_data: Vec::new(),
            ticket,
            second_ticket: Vec::new(),
        }
    }
}

/// A keytab of one key.
pub(crate) fn keytab(service: &str, kvno: u32, key: &Key) -> Vec<u8> {
    let mut keytab = Keytab::default();
    keytab.append(KeytabEntry {
        principal: service.parse().unwrap(),
        name_type: name_type::SRV_INST,
        timestamp: system::now().time,
        kvno,
        key: key.clone().into(),
    });
    keytab.to_bytes().to_vec()
}

/// The header with SPNEGO's first token, and what waits for the answer.
pub(crate) fn offer(ticket: &Credential) -> (String, spnego::Negotiating) {
    offer_of(gss::Initiator::new(ticket), system::now())
}

pub(crate) fn offer_of(initiator: gss::Initiator<'_>, now: Timestamp) -> (String, spnego::Negotiating) {
    let (token, state) = spnego::Initiator::new(initiator).start(now, &mut SystemRandom);
    (header(&token), state)
}

pub(crate) fn header(token: &[u8]) -> String {
    format!("Negotiate {}", base64(token))
}

/// The answer of a server whose only page says who asked, whether it saw `Authorization`, and what the body was.
pub(crate) async fn ask(layer: &NegotiateLayer, authorization: &[&str]) -> Response<String> {
    ask_through(layer, &Connection::new(PEER), authorization).await
}

pub(crate) async fn ask_through(
    layer: &NegotiateLayer,
    connection: &Connection,
    authorization: &[&str],
) -> Response<String> {
    let mut request = Request::post("/").body("body".to_owned()).unwrap();
    request.extensions_mut().insert(connection.clone());
    for value in authorization {
        request.headers_mut().append(AUTHORIZATION, value.parse().unwrap());
    }
    layer.layer(service_fn(page)).oneshot(request).await.unwrap()
}

pub(crate) async fn page(request: Request<String>) -> Result<Response<String>, Infallible> {
    let caller = request.extensions().get::<Caller>();
    let caller = caller.map_or_else(|| "nobody".to_owned(), |caller| caller.principal().to_string());
    let authorization = request.headers().contains_key(AUTHORIZATION);
    Ok(Response::new(format!("{caller} {authorization} {}", request.body())))
}

/// The token of the one `WWW-Authenticate`, if it has one.
pub(crate) fn challenge(response: &Response<String>) -> Option<Vec<u8>> {
    let values: Vec<_> = response.headers().get_all(WWW_AUTHENTICATE).iter().collect();
    assert_eq!(values.len(), 1, "{response:?}");
    let value = values[0].to_str().unwrap();
    match value.strip_prefix("Negotiate ") {
        Some(token) => Some(unbase64(token)),
        None => {
            assert_eq!(value, "Negotiate");
            None
        }
    }
}

/// A refusal tells nothing: its status, that Negotiate is wanted, and no octet more.
#[track_caller]
pub(crate) fn assert_refused(response: &Response<String>, what: &str) {
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{what}");
    assert_eq!(challenge(response), None, "{what}");
    assert_eq!((response.headers().len(), response.body().as_str()), (1, ""), "{what}");
}

const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Not the one under test.
fn base64(octets: &[u8]) -> String {
    let bits: String = octets.iter().map(|octet| format!("{octet:08b}")).collect();
    let digits = bits.as_bytes().chunks(6).map(|chunk| {
        let chunk = format!("{:0<6}", core::str::from_utf8(chunk).unwrap());
        char::from(DIGITS.as_bytes()[usize::from_str_radix(&chunk, 2).unwrap()])
    });
    let text: String = digits.collect();
    format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4))
}

fn unbase64(text: &str) -> Vec<u8> {
    let digits = text.trim_end_matches('=').chars();
    let bits: String = digits
        .map(|digit| format!("{:06b}", DIGITS.find(digit).unwrap()))
        .collect();
    let octets = bits.as_bytes().chunks_exact(8);
    octets
        .map(|chunk| u8::from_str_radix(core::str::from_utf8(chunk).unwrap(), 2).unwrap())
        .collect()
}
