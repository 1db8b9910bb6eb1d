//! A request's first step onto a connection.

use std::sync::Arc;

use super::Exchange;
use crate::forward::clock::Clock;
use crate::forward::http2::asked::Asked;
use crate::forward::http2::link::Lease;
use crate::forward::http2::lost;
use crate::forward::http2::switch::Switch;
use crate::forward::http2::upload::Upload;
use crate::forward::{Error, Settings};
use crate::message::Interim;

/// What an exchange needs.
#[derive(Debug)]
pub(in crate::forward::http2) struct Begin {
    pub(in crate::forward::http2) lease: Lease,
    pub(in crate::forward::http2) upload: Upload,
    pub(in crate::forward::http2) interim: Interim,
    pub(in crate::forward::http2) settings: Arc<Settings>,
}

/// What has become of it.
#[derive(Debug)]
pub(in crate::forward::http2) enum Begun {
    /// Its stream is under way.
    Under(Box<Exchange>),
    /// The connection takes no more streams, and why; nothing was sent.
    Ended(Box<Upload>, Error),
}

impl Begin {
    /// Sends the head.
    pub(in crate::forward::http2) fn send(
        mut self,
        asked: Asked,
        message: http::Request<()>,
    ) -> Result<Begun, Error> {
        let sender = &mut self.lease.sender;
        // RFC 8441 §3.
        if asked.switch != Switch::No && !sender.is_extended_connect_protocol_enabled() {
            return Err(Error::NoTunnel);
        }
        // A tunnel's other way stays open behind the head.
        let last = self.upload.is_bodiless() && asked.switch == Switch::No;
        let (response, send) = match sender.send_request(message, last) {
            Ok(begun) => begun,
            Err(error) => {
                // Whatever it is: the next one is not to try it here.
                self.lease.link().retire();
                return Ok(Begun::Ended(Box::new(self.upload), lost(error)));
            }
        };
        Ok(Begun::Under(Box::new(Exchange {
            send,
            response,
            receive: None,
            asked,
            upload: self.upload,
            interim: self.interim,
            settings: self.settings,
            lease: self.lease,
            clock: Clock::default(),
            since: None,
            heard: false,
            interims: 0,
            left: None,
            held: 0,
            whole: false,
            failed: None,
        })))
    }
}
