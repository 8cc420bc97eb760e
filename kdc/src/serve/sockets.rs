//! Every socket that is listened at over a network. All are there before the daemon becomes somebody who could not bind them.

use std::net::SocketAddr;

use crate::config::ListenConfig;
use crate::front::admin::RemoteListener;
use crate::front::metrics::MetricsListener;
use crate::net::{BindError, BothSockets, HandedOver};

/// The listening sockets of every front, not served yet.
pub(super) struct Sockets {
    pub(super) kerberos: Vec<BothSockets>,
    pub(super) password: Vec<BothSockets>,
    pub(super) admin: Vec<RemoteListener>,
    pub(super) metrics: Vec<MetricsListener>,
}

impl Sockets {
    /// Takes those that were handed over, and binds all others.
    ///
    /// # Errors
    /// Which address cannot be listened at, or which socket has no place.
    pub(super) fn open(listen: &ListenConfig, workers: usize) -> Result<Self, String> {
        let mut handed = HandedOver::from_environment().map_err(|error| error.to_string())?;
        let mut both = |addresses: &[SocketAddr], workers| {
            let sockets = addresses
                .iter()
                .map(|address| BothSockets::open(*address, workers, &mut handed));
            sockets.collect::<Result<Vec<_>, BindError>>()
        };
        let kerberos = both(&listen.kerberos, workers).map_err(|error| error.to_string())?;
        let password = both(&listen.password, 1).map_err(|error| error.to_string())?;
        let admin = listen
            .admin
            .iter()
            .map(|address| RemoteListener::open(*address, &mut handed));
        let admin = admin
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())?;
        let metrics = listen
            .metrics
            .iter()
            .map(|address| MetricsListener::open(*address, &mut handed));
        let metrics = metrics
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())?;
        handed.none_left().map_err(|error| error.to_string())?;
        Ok(Self {
            kerberos,
            password,
            admin,
            metrics,
        })
    }
}
