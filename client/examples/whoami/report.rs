use serde::Serialize;
use tessera_client::service::Caller;
use tessera_common::flags::TicketFlags;

/// What there is to say of a caller.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Report {
    principal: String,
    /// In hexadecimal.
    id: Option<String>,
    roles: Vec<String>,
    service: String,
    ticket: Ticket,
    enctypes: Enctypes,
    factors: Factors,
    delegated: bool,
    channel_bound: bool,
}

// Times are of RFC 3339.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Ticket {
    authtime: String,
    starttime: String,
    endtime: String,
    renew_till: Option<String>,
    flags: Vec<&'static str>,
}

#[derive(Serialize)]
struct Enctypes {
    ticket: String,
    session: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Factors {
    pre_authenticated: bool,
    hardware: bool,
    initial: bool,
    indicators: Vec<String>,
}

impl Report {
    pub(crate) fn of(caller: &Caller) -> Self {
        let factors = caller.factors();
        let flags = TicketFlags::NAMED.iter();
        Self {
            principal: caller.principal().to_string(),
            id: caller
                .id()
                .map(|id| id.iter().map(|octet| format!("{octet:02x}")).collect()),
            roles: caller.roles().iter().map(ToString::to_string).collect(),
            service: caller.service().to_string(),
            ticket: Ticket {
                authtime: caller.authtime().to_string(),
                starttime: caller.starttime().to_string(),
                endtime: caller.endtime().to_string(),
                renew_till: caller.renew_till().map(|time| time.to_string()),
                flags: flags
                    .filter(|(flag, _)| caller.ticket_flags().contains(*flag))
                    .map(|(_, name)| *name)
                    .collect(),
            },
            enctypes: Enctypes {
                ticket: caller.ticket_enctype().to_string(),
                session: caller.session_enctype().to_string(),
            },
            factors: Factors {
                pre_authenticated: factors.pre_authenticated,
                hardware: factors.hardware,
                initial: factors.initial,
                indicators: factors.indicators.to_vec(),
            },
            delegated: caller.delegated().is_some(),
            channel_bound: caller.channel_bound(),
        }
    }
}
