use core::fmt;
use core::time::Duration;

use std::path::PathBuf;
use std::sync::Arc;

use tessera_common::ap::{
    self, ApError, HeldKey, MemoryReplayCache, ReplayCache, ReplayError, ReplayTag, ServiceKeys as _,
};
use tessera_common::gss::{self, BindingPolicy, ChannelBindings};
use tessera_common::keytab::Keytab;
use tessera_common::spnego;
use tessera_common::time::{KerberosTime, Timestamp};

use super::caller::Caller;
use super::connection::Connection;
use super::event::{Event, Log};
use super::keys::{KeysError, KeytabKeys, Look};
use super::name::ServiceName;
use super::refused::{Reason, Refused};
use super::replay_file::{ReplayFile, ReplayFileError};
use crate::keytab_file::{KeytabError, KeytabFile};
use crate::system::{self, SystemRandom};

/// A service that accepts tickets: its keys, its replay cache, and what it asks of clients. Made once; shared by all threads.
///
/// ```no_run
/// use tessera_client::service::{Connection, Service, Step};
///
/// # fn serve(token: &[u8], peer: std::net::SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
/// let service = Service::from_keytab("/etc/krb5.keytab")?;
/// if let Step::Done { caller, .. } = service.accept(token, &Connection::new(peer))? {
///     println!("{} calls {}", caller.principal(), caller.service());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Service {
    keys: KeytabKeys,
    gss: gss::Acceptor,
    spnego: spnego::Acceptor,
    policy: BindingPolicy,
    replays: Replays,
    log: Log,
}

/// How far a client has come.
#[derive(Debug)]
pub enum Step {
    /// It has to answer first.
    Continue {
        /// For the client.
        token: Vec<u8>,
        /// Takes its answer: [`Service::go_on`].
        state: HalfOpen,
    },
    /// It proved itself.
    Done {
        /// For the client, if it waits for one. With it, the service proves itself, too.
        token: Option<Vec<u8>>,
        /// Who it is.
        caller: Caller,
        /// What protects messages from now on, where the protocol has it do so.
        context: Box<gss::Context>,
    },
}

/// A negotiation that waits for the client's next token. Nobody is known yet.
#[derive(Debug)]
pub struct HalfOpen(spnego::Accepting);

impl Service {
    /// A service with the keys of this keytab (`FILE:path` or a path), for tickets to all that it has keys of. Replays are told
    /// by a cache in memory, and events go to the standard error output.
    ///
    /// # Errors
    /// [`ServiceError::Keys`].
    pub fn from_keytab(keytab: &str) -> Result<Self, ServiceError> {
        ServiceBuilder::new(KeytabFile::named(keytab).map_err(KeysError::Keytab)?).open()
    }

    /// Takes a client's first token: of SPNEGO, or of the krb5 mechanism itself.
    ///
    /// # Errors
    /// [`Refused`], which has been logged.
    pub fn accept(&self, token: &[u8], connection: &Connection) -> Result<Step, Refused> {
        let own;
        let acceptor = match connection.bindings() {
            None => &self.spnego,
            bindings => {
                own = spnego::Acceptor::new(self.gss.clone().with_bindings(bindings, self.policy));
                &own
            }
        };
        let now = system::now();
        let keytab = self.keytab(now);
        let mut random = SystemRandom;
        let from = connection.ip();
        let mut step = acceptor.accept(token, &*keytab, &self.replays, from, now, &mut random);
        if let Err(why) = &step
            && lacks_key(why)
            && let Some(keytab) = self.refreshed(now)
        {
            step = acceptor.accept(token, &*keytab, &self.replays, from, now, &mut random);
        }
        self.stepped(step, connection)
    }

    /// Takes a client's further token.
    ///
    /// # Errors
    /// As [`Service::accept`].
    pub fn go_on(&self, state: HalfOpen, token: &[u8], connection: &Connection) -> Result<Step, Refused> {
        let now = system::now();
        let keytab = self.keytab(now);
        let step = state
            .0
            .step(token, &*keytab, &self.replays, connection.ip(), now, &mut SystemRandom);
        self.stepped(step, connection)
    }

    /// Writes to the service's log.
    pub fn log(&self, event: &Event<'_>) {
        self.log.write(event);
    }

    fn stepped(
        &self,
        step: Result<spnego::Step, spnego::AcceptError>,
        connection: &Connection,
    ) -> Result<Step, Refused> {
        let from = connection.peer();
        match step {
            Ok(spnego::Step::Continue { token, state }) => Ok(Step::Continue {
                token,
                state: HalfOpen(state),
            }),
            Ok(spnego::Step::Done { token, accepted }) => {
                let (_, context, peer, delegated) = accepted.into_parts();
                let caller = Caller::new(peer, context.flags(), delegated);
                self.log(&Event::Accepted { caller: &caller, from });
                if let Some(problem) = caller.accepted().vouched().problem() {
                    self.log(&Event::NotVouched {
                        caller: &caller,
                        problem,
                    });
                }
                Ok(Step::Done {
                    token,
                    caller,
                    context: Box::new(context),
                })
            }
            Err(why) => {
                let why = self.refused(why);
                self.log(&Event::Refused { from, why: &why });
                Err(why)
            }
        }
    }

    // The whole story: what the ticket wants, what the keytab has, what is the matter with the replay cache.
    fn refused(&self, why: spnego::AcceptError) -> Refused {
        let mut ticket = mechanism(&why)
            .and_then(gss::AcceptError::ticket)
            .cloned()
            .map(Box::new);
        if let Some(wanted) = &mut ticket {
            let (keytab, _) = self.keys.current(system::now());
            let held = keytab.keys_of(&wanted.service);
            wanted.held = held.iter().map(HeldKey::from).collect();
        }
        let unavailable = matches!(ap_error(&why), Some(ApError::ReplayCacheUnavailable));
        Refused {
            replay_cache: unavailable.then(|| self.replays.problem()).flatten(),
            ticket,
            reason: Reason::Negotiation(why),
        }
    }

    fn keytab(&self, now: Timestamp) -> Arc<Keytab> {
        let (keytab, look) = self.keys.current(now);
        self.log_look(&look);
        keytab
    }

    // The keytab, if it is another one than a moment ago.
    fn refreshed(&self, now: Timestamp) -> Option<Arc<Keytab>> {
        let look = self.keys.refresh(now);
        self.log_look(&look);
        match look {
            Look::Read(keytab) => Some(keytab),
            Look::Same | Look::Unusable(_) => None,
        }
    }

    fn log_look(&self, look: &Look) {
        let file = self.keys.file();
        match look {
            Look::Same => {}
            Look::Read(keytab) => self.log(&Event::KeytabRead {
                file,
                keys: keytab.entries.len(),
            }),
            Look::Unusable(why) => self.log(&Event::KeytabUnusable { file, why }),
        }
    }
}

fn mechanism(why: &spnego::AcceptError) -> Option<&gss::AcceptError> {
    match why {
        spnego::AcceptError::Mechanism(why) | spnego::AcceptError::Kerberos(why) => Some(why),
        _ => None,
    }
}

fn ap_error(why: &spnego::AcceptError) -> Option<&ApError> {
    match mechanism(why)?.refusal() {
        gss::Refusal::Ap(why) => Some(why),
        _ => None,
    }
}

// What another keytab might mend.
fn lacks_key(why: &spnego::AcceptError) -> bool {
    matches!(
        ap_error(why),
        Some(ApError::NoKey(_) | ApError::NotUs { .. } | ApError::TicketIntegrity(_))
    )
}

/// What a [`Service`] is made of.
#[derive(Debug)]
pub struct ServiceBuilder {
    keytab: KeytabFile,
    services: ServiceName,
    skew: Duration,
    aliases: bool,
    bindings: Option<ChannelBindings>,
    policy: BindingPolicy,
    replays: ReplaySource,
    log: Log,
}

#[derive(Debug)]
enum ReplaySource {
    Memory,
    File(PathBuf),
    Own(Replays),
}

impl ServiceBuilder {
    /// With the keys of this keytab. The file is looked at once a second at most, and when a ticket comes for a key that is not
    /// there; it is read again when it has changed.
    #[must_use]
    pub fn new(keytab: KeytabFile) -> Self {
        Self {
            keytab,
            services: ServiceName::Any,
            skew: ap::Acceptor::SKEW,
            aliases: false,
            bindings: None,
            policy: BindingPolicy::default(),
            replays: ReplaySource::Memory,
            log: Log::default(),
        }
    }

    /// Only for tickets to these of the keytab's services.
    #[must_use]
    pub fn for_services(mut self, services: ServiceName) -> Self {
        self.services = services;
        self
    }

    /// Takes tickets by the key that they are under, whatever name is on them:
    /// [`ap::Acceptor::with_aliases`].
    #[must_use]
    pub const fn with_aliases(mut self) -> Self {
        self.aliases = true;
        self
    }

    /// How far a client's clock may be off; [`ap::Acceptor::SKEW`] otherwise.
    #[must_use]
    pub const fn with_skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    /// Remembers what was accepted in a file that all processes of this user share: [`ReplayFile`].
    #[must_use]
    pub fn with_replay_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.replays = ReplaySource::File(path.into());
        self
    }

    /// Remembers what was accepted in a cache of one's own, which is made for the same skew.
    #[must_use]
    pub fn with_replay_cache(mut self, cache: Arc<dyn ReplayCache + Send + Sync>) -> Self {
        self.replays = ReplaySource::Own(Replays::Other(cache));
        self
    }

    /// What clients' channels are bound to, where all come through the same, and what is made of the bindings that they send. A
    /// connection's own, [`Connection::with_bindings`], count before these.
    #[must_use]
    pub const fn with_bindings(mut self, bindings: Option<ChannelBindings>, policy: BindingPolicy) -> Self {
        self.bindings = bindings;
        self.policy = policy;
        self
    }

    /// Where events go, instead of to the standard error output. It is called by whichever thread it happens in.
    #[must_use]
    pub fn with_log(mut self, write: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.log = Log::to(write);
        self
    }

    /// Reads the keytab and opens the replay cache.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn open(self) -> Result<Service, ServiceError> {
        let keys = KeytabKeys::open(self.keytab, self.services)?;
        let mut acceptor = ap::Acceptor::for_any_service().with_skew(self.skew);
        if let ServiceName::Exactly(service) = keys.wanted() {
            acceptor = acceptor.and_service(service.clone());
        }
        if self.aliases {
            acceptor = acceptor.with_aliases();
        }
        let gss = gss::Acceptor::new(acceptor).with_bindings(self.bindings, self.policy);
        Ok(Service {
            keys,
            spnego: spnego::Acceptor::new(gss.clone()),
            gss,
            policy: self.policy,
            replays: match self.replays {
                ReplaySource::Memory => Replays::Memory(MemoryReplayCache::new(self.skew)),
                ReplaySource::File(path) => Replays::File(ReplayFile::open(path, self.skew)?),
                ReplaySource::Own(cache) => cache,
            },
            log: self.log,
        })
    }
}

enum Replays {
    Memory(MemoryReplayCache),
    File(ReplayFile),
    Other(Arc<dyn ReplayCache + Send + Sync>),
}

impl Replays {
    fn problem(&self) -> Option<String> {
        match self {
            Self::File(file) => file.problem(),
            Self::Memory(_) | Self::Other(_) => None,
        }
    }
}

impl ReplayCache for Replays {
    fn claim(&self, tag: ReplayTag, now: KerberosTime) -> Result<(), ReplayError> {
        match self {
            Self::Memory(cache) => cache.claim(tag, now),
            Self::File(cache) => cache.claim(tag, now),
            Self::Other(cache) => cache.claim(tag, now),
        }
    }
}

impl fmt::Debug for Replays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory(_) => "Memory",
            Self::File(_) => "File",
            Self::Other(_) => "Other",
        })
    }
}

/// Why a service cannot be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServiceError {
    /// Its keys.
    Keys(KeysError),
    /// Its replay cache.
    ReplayFile(ReplayFileError),
}

impl From<KeysError> for ServiceError {
    fn from(why: KeysError) -> Self {
        Self::Keys(why)
    }
}

impl From<KeytabError> for ServiceError {
    fn from(why: KeytabError) -> Self {
        Self::Keys(KeysError::Keytab(why))
    }
}

impl From<ReplayFileError> for ServiceError {
    fn from(why: ReplayFileError) -> Self {
        Self::ReplayFile(why)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(why) => write!(f, "{why}"),
            Self::ReplayFile(why) => write!(f, "{why}"),
        }
    }
}

impl core::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Keys(why) => Some(why),
            Self::ReplayFile(why) => Some(why),
        }
    }
}
