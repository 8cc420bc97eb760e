//! What may be typed about what happened.

use clap::Args;
use clap::builder::TypedValueParser;
use tessera_common::accounting::{EventKind, EventResult};
use tessera_common::admin::{EventQuery, Moment, Request, WhichSessions};
use tessera_common::network::Network;

use super::cli::named;

#[derive(Debug, Args)]
pub(super) struct LogArgs {
    /// Only what is about these: as client, as service, or as what was changed. A principal is found under every name that it
    /// has had, and a name that nobody has is found as it was typed then
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Go on with what happens from now on, until Ctrl-C
    #[arg(long, conflicts_with = "until")]
    follow: bool,
    /// Only what came from this address or network, as in 192.0.2.0/24; as often as there are networks
    #[arg(long = "from", value_name = "NETWORK")]
    networks: Vec<Network>,
    /// Only what is about this; as often as there are kinds
    #[arg(long = "kind", value_name = "KIND", value_parser = kinds())]
    kinds: Vec<EventKind>,
    /// Only what came out like this; as often as there are results
    #[arg(long = "result", value_name = "RESULT", value_parser = results())]
    results: Vec<EventResult>,
    /// Only what was refused or dropped for this reason, as in wrong-proof; as often as there are reasons
    #[arg(long = "reason", value_name = "REASON")]
    reasons: Vec<String>,
    /// Only from then on: RFC 3339, or how long ago, as in 1h or 7d
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only before then
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only so many, the last ones; with --follow, before what happens from now on
    #[arg(long, value_name = "NUMBER")]
    last: Option<u64>,
    /// Print the lines of the log, each a JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct SessionsArgs {
    /// Only this principal's
    name: Option<String>,
    /// Those that have ended, instead of those that are open
    #[arg(long)]
    ended: bool,
    /// With --ended: only those that ended from then on: RFC 3339, or how long ago, as in 1h or 7d
    #[arg(long, value_name = "TIME", requires = "ended")]
    since: Option<Moment>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct UsageArgs {
    /// Its name, or an alias
    name: String,
    /// Only what happened from then on: RFC 3339, or how long ago, as in 1h or 7d. Without it, all that the log has
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only what happened before then
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl From<LogArgs> for Request {
    fn from(args: LogArgs) -> Self {
        Self::Events {
            query: EventQuery {
                names: args.names,
                networks: args.networks,
                kinds: args.kinds,
                results: args.results,
                reasons: args.reasons,
                since: args.since,
                until: args.until,
            },
            last: args.last,
            follow: args.follow,
        }
    }
}

impl From<SessionsArgs> for Request {
    fn from(args: SessionsArgs) -> Self {
        Self::Sessions {
            name: args.name,
            which: if args.ended {
                WhichSessions::Ended { since: args.since }
            } else {
                WhichSessions::Open
            },
        }
    }
}

impl From<UsageArgs> for Request {
    fn from(args: UsageArgs) -> Self {
        Self::Usage {
            name: args.name,
            since: args.since,
            until: args.until,
        }
    }
}

fn kinds() -> impl TypedValueParser<Value = EventKind> {
    named(&EventKind::ALL.map(|kind| (kind.name(), kind)))
}

fn results() -> impl TypedValueParser<Value = EventResult> {
    named(&EventResult::ALL.map(|result| (result.name(), result)))
}
