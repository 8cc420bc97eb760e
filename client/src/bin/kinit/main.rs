//! kinit: logs in and keeps the ticket-granting ticket in a credential cache.

mod expiry;
mod target;

use std::process::ExitCode;

use clap::Parser as _;
use expiry::warn_of_expiry;
use target::Target;
use tessera_client::cache::CacheError;
use tessera_client::command_line::kinit::{Arguments, Start};
use tessera_client::exchange::{Armor, AsRequest, When};
use tessera_client::keytab_file::KeytabFile;
use tessera_client::program::finish;
use tessera_client::{Client, Error, Secret, StandardInput, cache, renewable_for, system};
use tessera_common::flags::KdcOptions;
use tessera_common::name::{Principal, name_type};

fn main() -> ExitCode {
    finish("kinit", run(&Arguments::parse()))
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    let client = Client::from_environment()?;
    let target = Target::choose(&client, arguments)?;
    let told = |text: &str| {
        if arguments.verbose {
            eprintln!("{text}");
        }
    };
    told(&target.how);
    told(&format!("Using principal: {}", target.principal));
    if arguments.renew || arguments.validate {
        exchange_cached(&client, arguments, &target)?;
        told("Stored credentials");
    } else {
        log_in(&client, arguments, &target, told)?;
    }
    if target.make_primary {
        cache::make_primary(&target.cache)?;
    }
    told("Authenticated to Kerberos v5");
    Ok(())
}

fn log_in(client: &Client, arguments: &Arguments, target: &Target, told: impl Fn(&str)) -> Result<(), Error> {
    let mut request = request(client, arguments, target)?;
    request.armor = armor(client, arguments, &target.principal)?;
    if let Some(armor) = &request.armor {
        told(&format!("Using FAST armor of: {}", armor.credential.client));
    }
    if !arguments.uses_keytab() {
        let login = client.login_for(request, Secret::ask(&mut StandardInput))?;
        warn_of_expiry(&login.reply, system::now().time, &mut StandardInput);
        return Ok(target.cache.store(&login.cache)?);
    }
    let file = match &arguments.keytab {
        Some(name) => KeytabFile::named(name)?,
        None if arguments.client_keytab => client.settings().client_keytab()?,
        None => client.settings().default_keytab()?,
    };
    if arguments.keytab.is_some() {
        told(&format!("Using keytab: {}", file.path().display()));
    }
    let login = client.login_for(request, Secret::Keytab(&file.load()?))?;
    Ok(target.cache.store(&login.cache)?)
}

fn request(client: &Client, arguments: &Arguments, target: &Target) -> Result<AsRequest, Error> {
    let mut request = client.login_request(&target.principal)?;
    request.service = service(arguments, &target.principal)?.map(|service| service.name);
    if let Some(lifetime) = arguments.lifetime {
        request.times.till = When::After(lifetime);
    }
    if let Some(lifetime) = arguments.renewable_lifetime {
        request = renewable_for(request, lifetime);
    }
    if let Some(start) = arguments.start {
        request.times.from = Some(match start {
            Start::In(span) => When::After(span),
            Start::At(time) => When::At(time),
        });
        request.options = request.options | KdcOptions::ALLOW_POSTDATE | KdcOptions::POSTDATED;
    }
    for (asked, refused, option) in [
        (
            arguments.forwardable,
            arguments.not_forwardable,
            KdcOptions::FORWARDABLE,
        ),
        (arguments.proxiable, arguments.not_proxiable, KdcOptions::PROXIABLE),
        (arguments.canonicalize, false, KdcOptions::CANONICALIZE),
    ] {
        request.options = request.options.with(if asked { option } else { KdcOptions::empty() });
        request.options = request
            .options
            .without(if refused { option } else { KdcOptions::empty() });
    }
    if arguments.addresses {
        request.addresses =
            system::local_addresses().map_err(|e| Error::from(tessera_client::SettingsError::Addresses(e)))?;
    } else if arguments.no_addresses {
        request.addresses = Vec::new();
    }
    if arguments.enterprise {
        request.client_name_type = name_type::ENTERPRISE;
    }
    Ok(request)
}

fn armor(client: &Client, arguments: &Arguments, principal: &Principal) -> Result<Option<Armor>, Error> {
    let armor = match (&arguments.armor_cache, &arguments.armor_keytab) {
        (Some(name), _) => {
            let cache = cache::open(&name.parse().map_err(CacheError::Name)?)?;
            client.armor_from_cache(&cache, &principal.realm)?
        }
        (None, Some(name)) => client.armor_from_keytab(&KeytabFile::named(name)?, &principal.realm)?,
        (None, None) => return Ok(None),
    };
    Ok(Some(armor))
}

fn exchange_cached(client: &Client, arguments: &Arguments, target: &Target) -> Result<(), Error> {
    let mut old = target.cache.load()?;
    old.principal = target.principal.clone();
    let service = service(arguments, &target.principal)?;
    let fresh = if arguments.renew {
        client.renew(&old, service.as_ref())?
    } else {
        client.validate(&old, service.as_ref())?
    };
    Ok(target.cache.store(&fresh)?)
}

// The service is always one of the client's own realm.
fn service(arguments: &Arguments, principal: &Principal) -> Result<Option<Principal>, Error> {
    let Some(text) = &arguments.service else {
        return Ok(None);
    };
    let service = Principal::parse(text, Some(&principal.realm));
    let service = service.map_err(|why| Error::Name {
        text: text.clone(),
        why,
    })?;
    Ok(Some(Principal::new(service.name, principal.realm.clone())))
}
