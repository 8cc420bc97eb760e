//! kvno: gets tickets for services and shows the version of the key that each is under.

use std::process::ExitCode;

use clap::Parser as _;
use tessera_client::cache::{self, CacheError};
use tessera_client::command_line::kvno::Arguments;
use tessera_client::exchange::TgsRequest;
use tessera_client::keytab_file::KeytabFile;
use tessera_client::program::complain;
use tessera_client::{Client, Error, user_to_user, with_session_enctype};
use tessera_common::ccache::{CredentialCache, Entry};
use tessera_common::credential::Credential;
use tessera_common::crypto::KeyUsage;
use tessera_common::keytab::Keytab;
use tessera_common::name::{Principal, name_type};
use tessera_common::wire::{self, Ticket};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(status) => status,
        Err(why) => {
            complain("kvno", why);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let client = Client::from_environment()?;
    let file = match &arguments.cache {
        Some(name) => cache::open(&name.parse().map_err(CacheError::Name)?)?,
        None => cache::open(&client.settings().default_cache()?)?,
    };
    let keytab = match &arguments.keytab {
        Some(name) => Some(KeytabFile::named(name)?.load()?),
        None => None,
    };
    let second_ticket = arguments.u2u.as_deref().map(ticket_granting_ticket).transpose()?;
    let mut content = file.load()?;
    let mut got = Vec::new();
    let mut failed = false;
    for name in &arguments.names {
        let before = content.entries.len();
        let outcome = request(&client, arguments, name, second_ticket.as_deref())
            .and_then(|request| credential(&client, arguments, &mut content, request))
            .and_then(|credential| {
                if !arguments.no_store && arguments.out_cache.is_none() {
                    content
                        .entries
                        .get(before..)
                        .unwrap_or_default()
                        .iter()
                        .try_for_each(|new| file.append(new))?;
                }
                Ok(credential)
            });
        match outcome {
            Ok(credential) => {
                failed |= !show(arguments, keytab.as_ref(), &credential);
                got.push(credential);
            }
            Err(why) => {
                complain("kvno", why);
                failed = true;
            }
        }
    }
    if let Some(name) = arguments.out_cache.as_ref().filter(|_| !failed) {
        let fresh = CredentialCache {
            header: content.header.clone(),
            entries: got.iter().map(Entry::from_credential).collect(),
            ..CredentialCache::new(content.principal.clone(), content.name_type)
        };
        cache::open(&name.parse().map_err(CacheError::Name)?)?.store(&fresh)?;
    }
    Ok(ExitCode::from(u8::from(failed)))
}

fn request(
    client: &Client,
    arguments: &Arguments,
    name: &str,
    second_ticket: Option<&[u8]>,
) -> Result<TgsRequest, Error> {
    let service = match &arguments.service {
        Some(service) => client.service_on_host(service, name)?,
        None => client.principal(name)?,
    };
    let mut request = client.ticket_request(&service);
    if arguments.service.is_some() {
        request.service_name_type = name_type::SRV_HST;
    } else if arguments.unknown_type {
        request.service_name_type = name_type::UNKNOWN;
    }
    if let Some(etype) = arguments.enctype {
        request = with_session_enctype(request, etype);
    }
    Ok(match second_ticket {
        Some(second_ticket) => user_to_user(request, second_ticket.to_vec()),
        None => request,
    })
}

fn credential(
    client: &Client,
    arguments: &Arguments,
    content: &mut CredentialCache,
    request: TgsRequest,
) -> Result<Credential, Error> {
    match client.cached_ticket(content, &request) {
        Some(cached) => Ok(cached),
        None if arguments.cached_only => {
            let (wanted, client) = (request.service, content.principal.clone());
            Err(Error::NoTicket {
                wanted,
                client,
                expired: false,
            })
        }
        None => client.new_ticket(content, request),
    }
}

// The ticket-granting ticket in another cache: whom user-to-user tickets are encrypted for.
fn ticket_granting_ticket(name: &str) -> Result<Vec<u8>, Error> {
    let content = cache::open(&name.parse().map_err(CacheError::Name)?)?.load()?;
    let tgs = Principal::krbtgt(&content.principal.realm);
    let entry = content.entries.iter().find(|entry| entry.server == tgs);
    let missing = || Error::NoTicket {
        wanted: tgs.clone(),
        client: content.principal.clone(),
        expired: false,
    };
    entry.map(|entry| entry.ticket.clone()).ok_or_else(missing)
}

// Gives whether the ticket opens with the keytab, where there is one.
fn show(arguments: &Arguments, keytab: Option<&Keytab>, credential: &Credential) -> bool {
    let server = &credential.server;
    let Ok(ticket) = wire::decode::<Ticket>(&credential.ticket) else {
        complain("kvno", format!("the KDC's ticket for {server} is none"));
        return false;
    };
    let kvno = ticket.enc_part.kvno.unwrap_or_default().0.cast_signed();
    let valid = keytab.map(|keytab| opens(keytab, server, &ticket));
    match valid {
        Some(false) => {
            if !arguments.quiet {
                eprintln!("{server}: kvno = {kvno}, keytab entry invalid");
            }
            complain(
                "kvno",
                format!("the keytab has no key of {server} that opens the ticket"),
            );
        }
        Some(true) if !arguments.quiet => println!("{server}: kvno = {kvno}, keytab entry valid"),
        None if !arguments.quiet => println!("{server}: kvno = {kvno}"),
        _ => {}
    }
    valid != Some(false)
}

fn opens(keytab: &Keytab, server: &Principal, ticket: &Ticket) -> bool {
    let keys = keytab.keys_for(server).filter_map(|entry| entry.key.known());
    let mut keys = keys.filter(|key| key.etype().number() == ticket.enc_part.etype);
    keys.any(|key| key.decrypt(KeyUsage::TICKET, &ticket.enc_part.cipher).is_ok())
}
