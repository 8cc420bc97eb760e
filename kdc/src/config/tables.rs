//! The tables of realm.toml that are numbers, switches, times and lists, each with its bounds.

use core::time::Duration;
use std::net::SocketAddr;

use tessera_common::crypto::EncType;
use tessera_common::duration;

use super::reader::{self, Fault, Placed, Table};
use super::{AuthenticationConfig, KeysConfig, LONGEST_LIFE, ListenConfig, StoreConfig, TicketConfig};
use crate::realm::keys::{self, MOST_FORMER_VERSIONS};
use crate::realm::lockout::NetworkLimit;
use crate::realm::policy::{DEFAULT_FAILURE_WINDOW, FailureLimit};

/// The smallest `max-udp-reply`: any reply that tells a client to come back over TCP fits.
const LEAST_UDP_REPLY: i64 = 512;
/// The largest: what a UDP datagram over IPv4 holds.
const MOST_UDP_REPLY: i64 = 65_507;
/// A network is shut out for no longer than this: nobody can unlock one.
const LONGEST_NETWORK_LOCKOUT: Duration = Duration::from_secs(86_400);
/// The most snapshots that are kept.
const MOST_SNAPSHOTS: i64 = 1000;
/// A clock that is off by more than a day is no clock.
const WIDEST_SKEW: Duration = Duration::from_secs(86_400);

pub(super) fn read_listen(mut table: Table<'_, '_>) -> ListenConfig {
    let mut addresses = |key| {
        let list = table.list(key, "address:port such as \"127.0.0.1:88\" or \"[::1]:88\"", |text| {
            text.parse::<SocketAddr>()
                .map_err(|_| Fault::new(format!("{text:?} is no address with a port")))
        });
        list.map_or_else(Vec::new, |list| list.value)
    };
    let kerberos = addresses("kerberos");
    let password = addresses("password");
    let admin = addresses("admin");
    let metrics = addresses("metrics");
    let max_udp_reply = table.value("max-udp-reply", "a number of octets from 512 to 65507", |v| {
        let octets = reader::integer(v)?;
        match usize::try_from(octets) {
            Ok(fits) if (LEAST_UDP_REPLY..=MOST_UDP_REPLY).contains(&octets) => Ok(fits),
            _ => Err(Fault::new(format!("{octets} is out of range"))),
        }
    });
    let mut taken: Vec<(&str, SocketAddr)> = Vec::new();
    for (key, address) in kerberos
        .iter()
        .map(|a| ("kerberos", a))
        .chain(password.iter().map(|a| ("password", a)))
        .chain(admin.iter().map(|a| ("admin", a)))
        .chain(metrics.iter().map(|a| ("metrics", a)))
    {
        match taken
            .iter()
            .find(|(_, other)| address.value.port() != 0 && *other == address.value)
        {
            Some((other, _)) => {
                table.wrong(
                    key,
                    address.at.clone(),
                    format!("{} is already in {other}", address.value),
                );
            }
            None => taken.push((key, address.value)),
        }
    }
    table.finish();
    let plain = |list: Vec<Placed<SocketAddr>>| list.into_iter().map(|address| address.value).collect();
    ListenConfig {
        kerberos: plain(kerberos),
        password: plain(password),
        admin: plain(admin),
        metrics: plain(metrics),
        max_udp_reply: max_udp_reply.map_or(4096, |octets| octets.value),
    }
}

/// What an operator should know of `[listen]`.
pub(super) fn listen_warnings(listen: &ListenConfig) -> Vec<String> {
    let exposed = listen
        .metrics
        .iter()
        .filter(|address| !address.ip().to_canonical().is_loopback());
    exposed
        .map(|address| {
            format!(
                "listen.metrics {address} is not on loopback: whoever reaches it reads, without a password and in the clear, how the \
                 realm does; see to it that only those who monitor it do"
            )
        })
        .collect()
}

pub(super) fn read_tickets(mut table: Table<'_, '_>) -> TicketConfig {
    let mut span = |key, default: u64, least: Duration, most: Duration| {
        let found = table.value(key, "a time such as \"10h\", \"7d\" or \"5m30s\"", |v| {
            let (text, span) = reader::span(v)?;
            if span < least || span > most {
                let (least, most) = (duration::format(least), duration::format(most));
                return Err(Fault::new(format!("{text} is not between {least} and {most}")));
            }
            Ok(span)
        });
        found.map_or(Duration::from_secs(default), |span| span.value)
    };
    let second = Duration::from_secs(1);
    let tickets = TicketConfig {
        lifetime: span("lifetime", 36_000, second, LONGEST_LIFE),
        renewable_lifetime: span("renewable-lifetime", 604_800, Duration::ZERO, LONGEST_LIFE),
        clock_skew: span("clock-skew", 300, second, WIDEST_SKEW),
    };
    table.finish();
    tickets
}

pub(super) fn read_authentication(mut table: Table<'_, '_>) -> AuthenticationConfig {
    let mut switch = |key, default| {
        let found = table.value(key, "true or false", reader::boolean);
        found.map_or(default, |found| found.value)
    };
    let require_fast = switch("require-fast", false);
    let unarmored_encrypted_timestamp = switch("unarmored-encrypted-timestamp", true);
    let mut number = |key, default: u32, most: u32| {
        let found = table.value(key, &format!("a number from 0 to {most}"), |v| {
            let number = reader::integer(v)?;
            match u32::try_from(number) {
                Ok(fits) if fits <= most => Ok(fits),
                _ => Err(Fault::new(format!("{number} is out of range"))),
            }
        });
        found.map_or(default, |found| found.value)
    };
    let failures = number("network-failures", 0, u16::MAX.into());
    let prefix_v4 = number("network-prefix-v4", 32, 32);
    let prefix_v6 = number("network-prefix-v6", 64, 128);
    let mut span = |key| {
        let found = table.value(key, "a time from 1s to 1d, such as \"15m\"", |v| {
            let (text, span) = reader::span(v)?;
            if span.is_zero() || span > LONGEST_NETWORK_LOCKOUT {
                return Err(Fault::new(format!("{text} is out of range")));
            }
            Ok(span)
        });
        found.map_or(DEFAULT_FAILURE_WINDOW, |found| found.value)
    };
    let (window, lockout) = (span("network-window"), Some(span("network-lockout")));
    let limit = |failures| NetworkLimit {
        limit: FailureLimit {
            failures,
            window,
            lockout,
        },
        prefix_v4,
        prefix_v6,
    };
    let authentication = AuthenticationConfig {
        require_fast,
        unarmored_encrypted_timestamp,
        network_limit: u16::try_from(failures).ok().filter(|failures| *failures > 0).map(limit),
    };
    table.finish();
    authentication
}

pub(super) fn read_store(mut table: Table<'_, '_>) -> StoreConfig {
    let keep = table.value("keep-snapshots", "a number from 2 to 1000", |v| {
        let count = reader::integer(v)?;
        match usize::try_from(count) {
            Ok(fits) if (2..=MOST_SNAPSHOTS).contains(&count) => Ok(fits),
            _ => Err(Fault::new(format!("{count} is out of range"))),
        }
    });
    let every = table.value("snapshot-every", "a time such as \"1d\" or \"6h\"", |v| {
        reader::span(v).map(|(_, span)| span)
    });
    table.finish();
    StoreConfig {
        keep_snapshots: keep.map_or(2, |keep| keep.value),
        snapshot_every: every.map_or(Duration::ZERO, |every| every.value),
    }
}

pub(super) fn read_keys(mut table: Table<'_, '_>, tickets: &TicketConfig) -> KeysConfig {
    let known = EncType::ALL.map(EncType::name).join(", ");
    let list = table.list("enctypes", &format!("one of {known}"), |text| {
        EncType::from_name(text).ok_or_else(|| Fault::new(format!("{text:?} is no enctype of this realm")))
    });
    let mut enctypes = Vec::new();
    if let Some(list) = &list {
        if list.value.is_empty() {
            table.wrong(
                "enctypes",
                list.at.clone(),
                format!("the list has none; expected some of {known}"),
            );
        }
        for enctype in &list.value {
            if enctypes.contains(&enctype.value) {
                table.wrong(
                    "enctypes",
                    enctype.at.clone(),
                    format!("{} is there twice", enctype.value),
                );
            }
            enctypes.push(enctype.value);
        }
    } else {
        enctypes.extend(EncType::ALL);
    }
    let every = table.value("krbtgt-every", "a time such as \"30d\", or \"0s\"", |v| {
        let (text, span) = reader::span(v)?;
        if span > LONGEST_LIFE {
            let most = duration::format(LONGEST_LIFE);
            return Err(Fault::new(format!("{text} is more than {most}")));
        }
        Ok(span)
    });
    let shortest = keys::shortest_rollover(tickets.lifetime, tickets.clock_skew);
    if let Some(Placed { value, at }) = &every
        && !value.is_zero()
        && *value < shortest
    {
        table.wrong(
            "krbtgt-every",
            at.clone(),
            format!(
                "{} is too often: each former key stays good for tickets.lifetime and the clock-skew, and at most \
                 {MOST_FORMER_VERSIONS} are kept beside each other; expected at least {}",
                duration::format(*value),
                duration::format(shortest)
            ),
        );
    }
    table.finish();
    KeysConfig {
        enctypes,
        krbtgt_every: every.map(|every| every.value).filter(|every| !every.is_zero()),
    }
}
