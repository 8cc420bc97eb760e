//! How many wrong passwords came: of each principal, and from each network. Counted here, once, whoever asks.
//!
//! No lock is held while a proof is checked, and right passwords that come at the same time are all let in. So the verdict
//! is known before it is counted, and what is told depends on the count at that moment: a wrong password is either one of
//! those that count, and the one that reaches the limit shuts the client out, or it comes when the limit was reached and is
//! told no more than that; a right one that comes then is told the same. So with a limit of N exactly N answers tell whether
//! a password was right, however many are tried at once.

mod table;

use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, Ordering};

use tessera_common::time::KerberosTime;

use super::access::AccessPolicy;
use super::denied::Denied;
use super::policy::FailureLimit;
use super::principal::{PrincipalId, PrincipalRecord, ShutOut};
pub use table::Count;
use table::{Counted, Table};
use tessera_common::network::Network;

use crate::metrics::OfEach;

/// How many principals, and how many networks, are counted of at once; past that, those go first whose count has run out,
/// and then those whose failures are longest ago.
pub const MOST_COUNTS: usize = 100_000;

/// How many wrong proofs are taken from one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkLimit {
    /// So many, and then none for so long; the lockout is never absent.
    pub limit: FailureLimit,
    /// How many bits of an IPv4 address make its network: 0 to 32.
    pub prefix_v4: u32,
    /// And of an IPv6 address: 0 to 128.
    pub prefix_v6: u32,
}

/// The counts of a realm. Shared by everything that asks for passwords.
pub struct Lockout {
    principals: Table<PrincipalId>,
    networks: Table<Network>,
    changed: AtomicBool,
}

/// What is kept of the counts while nobody serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Of principals.
    pub principals: Vec<(PrincipalId, Count)>,
    /// Of networks.
    pub networks: Vec<(Network, Count)>,
}

/// A principal was shut out just now. That has to be durable before anybody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTrip {
    /// Whom.
    pub id: PrincipalId,
    /// Since and until when.
    pub shut_out: ShutOut,
    /// After so many failures.
    pub failures: u32,
}

/// A network was shut out just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkTrip {
    /// Which.
    pub network: Network,
    /// Since and until when.
    pub shut_out: ShutOut,
    /// After so many failures.
    pub failures: u32,
}

/// Who was shut out by one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trips {
    /// The client.
    pub client: Option<ClientTrip>,
    /// The network that it came from.
    pub network: Option<NetworkTrip>,
}

/// One attempt to prove who somebody is, and the counts that it is under.
#[derive(Clone, Copy)]
pub struct Attempt<'l> {
    now: KerberosTime,
    client: Option<(&'l Lockout, PrincipalId, FailureLimit)>,
    network: Option<(&'l Lockout, Network, FailureLimit)>,
}

impl NetworkLimit {
    /// The network that an address counts with.
    #[must_use]
    pub fn network_of(&self, address: IpAddr) -> Option<Network> {
        let address = address.to_canonical();
        let prefix = match address {
            IpAddr::V4(_) => self.prefix_v4,
            IpAddr::V6(_) => self.prefix_v6,
        };
        Network::around(address, prefix)
    }
}

impl Default for Lockout {
    fn default() -> Self {
        Self::new()
    }
}

impl Lockout {
    /// Nobody failed yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            principals: Table::new(MOST_COUNTS),
            networks: Table::new(MOST_COUNTS),
            changed: AtomicBool::new(false),
        }
    }

    /// The counts that an attempt is under: of the client, if it has a password and a policy that limits failures, and of the
    /// network, where the realm counts by these.
    #[must_use]
    pub fn attempt(
        &self,
        going_by: AccessPolicy<'_>,
        client: Option<&PrincipalRecord>,
        from: IpAddr,
        now: KerberosTime,
    ) -> Attempt<'_> {
        let limit = client.filter(|record| record.has_password()).and_then(|record| {
            let limit = going_by.policy_of(record)?.failure_limit()?;
            Some((self, record.id, limit))
        });
        let by_network = going_by.settings.network_limit.as_ref();
        Attempt {
            now,
            client: limit,
            network: by_network.and_then(|by| Some((self, by.network_of(from)?, by.limit))),
        }
    }

    /// Until when a principal is shut out, as far as is known here; its record may know more.
    #[must_use]
    pub fn shut_out(&self, id: PrincipalId, now: KerberosTime) -> Option<ShutOut> {
        self.principals.shut_out(&id, now)
    }

    /// A principal that was shut out is so by its record, too.
    pub fn kept(&self, id: PrincipalId) {
        self.principals.kept(&id);
        self.changed.store(true, Ordering::Relaxed);
    }

    /// Those that are shut out, and whose records do not say so yet.
    #[must_use]
    pub fn not_kept(&self, now: KerberosTime) -> Vec<ClientTrip> {
        let counts = self.principals.all();
        let shut_out = counts.into_iter().filter_map(|(id, count)| {
            let shut_out = count.shut_out.filter(|shut_out| shut_out.is_in_force(now))?;
            (!count.kept).then_some(ClientTrip {
                id,
                shut_out,
                failures: count.failures,
            })
        });
        shut_out.collect()
    }

    /// Lets a principal in again, as if it had never failed.
    pub fn forget(&self, id: PrincipalId) {
        if self.principals.remove(&id) {
            self.changed.store(true, Ordering::Relaxed);
        }
    }

    /// Whether anything changed since this was asked last.
    #[must_use]
    pub fn take_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }

    /// What changed could not be kept just now.
    pub fn put_off(&self) {
        self.changed.store(true, Ordering::Relaxed);
    }

    /// How many principals and how many networks are shut out now, as far as is known here.
    #[must_use]
    pub fn in_force(&self, now: KerberosTime) -> OfEach {
        OfEach {
            principals: self.principals.in_force(now),
            networks: self.networks.in_force(now),
        }
    }

    /// What is to be kept: all that has not run out.
    #[must_use]
    pub fn save(&self, now: KerberosTime) -> Saved {
        fn current<K>(all: Vec<(K, Count)>, now: KerberosTime) -> Vec<(K, Count)> {
            all.into_iter().filter(|(_, count)| !count.has_run_out(now)).collect()
        }
        Saved {
            principals: current(self.principals.all(), now),
            networks: current(self.networks.all(), now),
        }
    }

    /// Takes what was kept, beside what is there.
    pub fn restore(&self, saved: Saved, now: KerberosTime) {
        for (id, count) in saved.principals {
            self.principals.put(id, count, now);
        }
        for (network, count) in saved.networks {
            self.networks.put(network, count, now);
        }
    }
}

impl Attempt<'_> {
    /// An attempt that is only thought of: nothing is counted.
    #[must_use]
    pub const fn thought_of(now: KerberosTime) -> Self {
        Self {
            now,
            client: None,
            network: None,
        }
    }

    /// The same without the client: only its network counts.
    #[must_use]
    pub const fn of_network(self) -> Self {
        Self { client: None, ..self }
    }

    /// Whether the client may try.
    ///
    /// # Errors
    /// [`Denied::ClientShutOut`].
    pub fn client_may_try(&self) -> Result<(), Denied> {
        let shut_out = self
            .client
            .and_then(|(lockout, id, _)| lockout.principals.shut_out(&id, self.now));
        shut_out.map_or(Ok(()), |_| Err(Denied::ClientShutOut))
    }

    /// Whether anybody may try from there.
    ///
    /// # Errors
    /// [`Denied::NetworkShutOut`].
    pub fn network_may_try(&self) -> Result<(), Denied> {
        let shut_out = self
            .network
            .and_then(|(lockout, network, _)| lockout.networks.shut_out(&network, self.now));
        shut_out.map_or(Ok(()), |_| Err(Denied::NetworkShutOut))
    }

    /// Counts a wrong proof. Who is shut out by it is told.
    ///
    /// # Errors
    /// [`Denied::NetworkShutOut`] and [`Denied::ClientShutOut`] when the limit was reached before: then nobody may be told that
    /// it was wrong.
    pub fn wrong(&self) -> Result<Trips, Denied> {
        let mut trips = Trips::default();
        if let Some((lockout, network, limit)) = self.network {
            match lockout.networks.wrong(network, limit, self.now) {
                Counted::ShutOut => return Err(Denied::NetworkShutOut),
                Counted::Tripped { shut_out, failures } => {
                    trips.network = Some(NetworkTrip {
                        network,
                        shut_out,
                        failures,
                    });
                }
                Counted::Below => {}
            }
            lockout.changed.store(true, Ordering::Relaxed);
        }
        if let Some((lockout, id, limit)) = self.client {
            match lockout.principals.wrong(id, limit, self.now) {
                Counted::ShutOut => return Err(Denied::ClientShutOut),
                Counted::Tripped { shut_out, failures } => {
                    trips.client = Some(ClientTrip { id, shut_out, failures });
                }
                Counted::Below => {}
            }
            lockout.changed.store(true, Ordering::Relaxed);
        }
        Ok(trips)
    }

    /// A right proof: the client's count is at an end. The network's is not, or one account would do to try all others.
    ///
    /// # Errors
    /// [`Denied::NetworkShutOut`] and [`Denied::ClientShutOut`] when the limit was reached before: then nobody may be told that
    /// it was right.
    pub fn right(&self) -> Result<(), Denied> {
        self.network_may_try()?;
        let Some((lockout, id, _)) = self.client else {
            return Ok(());
        };
        match lockout.principals.right(&id, self.now) {
            Ok(counted) => {
                if counted {
                    lockout.changed.store(true, Ordering::Relaxed);
                }
                Ok(())
            }
            Err(_) => Err(Denied::ClientShutOut),
        }
    }

    /// A proof that was right once, or will be: it neither counts nor ends a count, since somebody may only have recorded it.
    ///
    /// # Errors
    /// As [`Attempt::right`].
    pub fn neither(&self) -> Result<(), Denied> {
        self.network_may_try()?;
        self.client_may_try()
    }
}

#[cfg(test)]
mod tests;
