//! The response's head, and those that come before it.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, StatusCode, Version};

use super::Exchange;
use super::receiving::Receiving;
use crate::forward::headers::{Length, from_shop};
use crate::forward::http2::fields::fields;
use crate::forward::http2::lost;
use crate::forward::http2::switch::Switch;
use crate::forward::{Error, Fault};
use crate::message::{ResponseHead, parse};

/// Interim responses to one request; a shop that sends more will send them for ever.
const INTERIMS: u32 = 32;

impl Exchange {
    /// The final head, or none after an interim one.
    pub(super) fn read_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Result<Poll<Option<ResponseHead>>, Error> {
        match self.response.poll_informational(cx) {
            Poll::Ready(Some(interim)) => {
                let (parts, ()) = interim.map_err(lost)?.into_parts();
                self.pass(parts.status, &parts.headers)?;
                return Ok(Poll::Ready(None));
            }
            Poll::Ready(None) => {}
            Poll::Pending => return Ok(Poll::Pending),
        }
        let Poll::Ready(response) = Pin::new(&mut self.response).poll(cx) else {
            return Ok(Poll::Pending);
        };
        let (parts, receive) = response.map_err(lost)?.into_parts();
        let head = self.heed(parts.status, &parts.headers, receive)?;
        Ok(Poll::Ready(Some(head)))
    }

    /// An interim response to the client.
    fn pass(&mut self, status: StatusCode, headers: &HeaderMap) -> Result<(), Error> {
        self.heard = true;
        self.interims += 1;
        if self.interims > INTERIMS {
            return Err(Error::Broken(Fault::Interims));
        }
        // RFC 9113 §8.6: HTTP/2 does not switch so.
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::Switched);
        }
        let mut head = head(status, headers)?;
        from_shop(&mut head.fields, false);
        // RFC 9110 §8.6.
        head.fields.remove("content-length");
        // A client whose body is on its way has had its 100.
        let opened = status == StatusCode::CONTINUE && self.upload.open();
        if opened || status != StatusCode::CONTINUE {
            self.interim.send(head);
        }
        Ok(())
    }

    fn heed(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        receive: RecvStream,
    ) -> Result<ResponseHead, Error> {
        self.heard = true;
        self.since = None;
        let mut head = head(status, headers)?;
        let told = from_shop(&mut head.fields, false);
        if self.asked.switch != Switch::No {
            self.heed_switch(&mut head);
        }
        if status == StatusCode::NO_CONTENT {
            head.fields.remove("content-length");
        }
        let none = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        self.left = match told.length {
            _ if self.asked.head || none || receive.is_end_stream() => Some(0),
            Length::Known(length) => Some(length),
            Length::None => None,
            Length::Invalid => return Err(Error::Framing),
        };
        self.receive = Some(Receiving::new(receive, self.lease.link()));
        self.settle();
        Ok(head)
    }

    /// The answer to one who wants to speak another protocol.
    fn heed_switch(&mut self, head: &mut ResponseHead) {
        if !head.status.is_success() {
            // Nothing more is to be said. If it cannot be said, the stream has ended already.
            self.send.send_data(Bytes::new(), true).ok();
            return;
        }
        self.asked.switch.consent(&mut head.fields);
        if let Switch::Plain(_) = self.asked.switch {
            head.status = StatusCode::SWITCHING_PROTOCOLS;
        }
    }
}

fn head(status: StatusCode, headers: &HeaderMap) -> Result<ResponseHead, Error> {
    let large = || Error::Broken(Fault::Head(parse::Fault::Large));
    Ok(ResponseHead {
        status,
        reason: None,
        version: Version::HTTP_2,
        fields: fields(headers).ok_or_else(large)?,
    })
}
