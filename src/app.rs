//! The app: every stage put together, started and ended in order.
//!
//! One worker thread per core accepts and proxies on a runtime of its own; one
//! control runtime delivers and serves the operator. What can be refused is
//! refused in [`App::start`], before anything is served.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use tokio::runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::accept::{self, Worker};
use crate::admin::{self, Admin};
use crate::clock::Time;
use crate::config::Settings;
use crate::event::Counters;
use crate::ledger::{self, Ledger, Role};
use crate::observe::{Pool, Rules};
use crate::proxy::Proxy;
use crate::record::Recorder;
use crate::watch::Watcher;
use crate::{deliver, forward};
