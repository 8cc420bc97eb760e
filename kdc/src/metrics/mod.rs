//! Figures about the daemon: counted where they arise, read when somebody asks, and written as Prometheus reads them.
//!
//! Nothing here knows a socket, a file or a clock. What counts is cheap and shared by nobody who is in a hurry; what reads may
//! take its time. The labels are names of the code only, never a principal's or an address: so there are as many series on the
//! last day as on the first.

mod exposition;
mod histogram;
mod page;
mod readings;
mod requests;

pub use exposition::{Exposition, Format};
pub use histogram::{Bounds, Buckets, Histogram, REQUEST_BOUNDS, SYNC_BOUNDS};
pub use page::page;
pub use readings::EventLogReadings;
pub use readings::{
    Connections, Gauge, Keys, Listener, OfEach, Process, Readings, Reload, Replays, StoreReadings, Survey,
};
pub use requests::{RequestReadings, Requests, Series};
