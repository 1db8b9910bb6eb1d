//! Frames about the connection and its streams: SETTINGS, PING, `WINDOW_UPDATE` and their like.

use super::fault::{Code, Fault, protocol, size};
use super::frame::{self, Head, flag};
use super::leave::DRAIN;
use super::{Connection, Service};

impl<S: Service> Connection<S> {
    /// RFC 9113 §6.4: the client gives a stream up.
    pub(super) fn rst_stream(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if payload.len() != 4 {
            return Err(size("RST_STREAM is not four bytes"));
        }
        if self.link.is_idle(head.stream) {
            return Err(protocol("RST_STREAM on a stream that is not open"));
        }
        let at = self.streams.find(head.stream);
        let Some(ended) = at.and_then(|at| self.end(at)) else {
            return Ok(self.link.budget.frame()?);
        };
        self.link.past.ended(ended.id);
        Ok(self.link.budget.gave_up()?)
    }

    /// RFC 9113 §6.5.
    pub(super) fn settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(protocol("SETTINGS on a stream"));
        }
        if head.has(flag::ACK) {
            return match payload {
                [] => Ok(self.link.budget.frame()?),
                _ => Err(size("an acknowledgement with a payload")),
            };
        }
        self.link.budget.frame()?;
        let before = i64::from(self.link.theirs.window);
        self.link.theirs.read(payload)?;
        let by = i64::from(self.link.theirs.window) - before;
        if by != 0 {
            self.shift_windows(by)?;
        }
        if let Some(size) = self.link.theirs.table.take() {
            self.link.encoder.resize(size);
        }
        self.link.output.control(frame::settings_ack);
        Ok(())
    }

    /// RFC 9113 §6.9.2: the change counts for the streams that there are.
    fn shift_windows(&mut self, by: i64) -> Result<(), Fault> {
        for (at, stream) in self.streams.iter_mut() {
            if stream.window.shift(by).is_err() {
                let why = "a window became too large by a setting";
                return Err(Fault::Connection(Code::FlowControl, why));
            }
            if stream.blocked.is_some() && !stream.queued {
                stream.queued = true;
                self.link.turn.push_back(at);
            }
        }
        Ok(())
    }

    /// RFC 9113 §6.7.
    pub(super) fn ping(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(protocol("PING on a stream"));
        }
        let Ok(payload) = <[u8; 8]>::try_from(payload) else {
            return Err(size("PING is not eight bytes"));
        };
        if !head.has(flag::ACK) {
            self.link
                .output
                .control(|out| frame::ping(out, true, payload));
        } else if payload == DRAIN {
            self.drained();
        }
        Ok(self.link.budget.frame()?)
    }

    /// RFC 9113 §6.8: the client will open no more streams.
    pub(super) fn goaway(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream != 0 {
            return Err(protocol("GOAWAY on a stream"));
        }
        if payload.len() < 8 {
            return Err(size("GOAWAY is less than eight bytes"));
        }
        self.finish_streams();
        Ok(self.link.budget.frame()?)
    }

    /// RFC 9113 §6.3: priorities are passed over, but a frame is a frame.
    pub(super) fn priority(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if head.stream == 0 {
            return Err(protocol("PRIORITY without a stream"));
        }
        if payload.len() != 5 {
            return Err(size("PRIORITY is not five bytes"));
        }
        Ok(self.link.budget.frame()?)
    }

    /// RFC 9113 §6.9.
    pub(super) fn window_update(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        let Ok(payload) = <[u8; 4]>::try_from(payload) else {
            return Err(size("WINDOW_UPDATE is not four bytes"));
        };
        let by = u32::from_be_bytes(payload) & super::flow::LARGEST;
        self.link.budget.frame()?;
        if head.stream == 0 {
            return self.open_window(by);
        }
        if self.link.is_idle(head.stream) {
            return Err(protocol("WINDOW_UPDATE on a stream that is not open"));
        }
        let Some(at) = self.streams.find(head.stream) else {
            return Ok(());
        };
        if by == 0 {
            return Err(Fault::Stream(head.stream, Code::Protocol));
        }
        let Some(stream) = self.streams.get(at) else {
            return Ok(());
        };
        if stream.window.grow(by).is_err() {
            return Err(Fault::Stream(head.stream, Code::FlowControl));
        }
        if stream.blocked.is_some() {
            self.queue(at);
        }
        Ok(())
    }

    fn open_window(&mut self, by: u32) -> Result<(), Fault> {
        if by == 0 {
            return Err(protocol("the connection's window grew by nothing"));
        }
        let was_shut = self.link.window.left() == 0;
        if self.link.window.grow(by).is_err() {
            let why = "the connection's window became too large";
            return Err(Fault::Connection(Code::FlowControl, why));
        }
        if was_shut {
            for (at, stream) in self.streams.iter_mut() {
                if stream.blocked.is_some() && !stream.queued {
                    stream.queued = true;
                    self.link.turn.push_back(at);
                }
            }
        }
        Ok(())
    }
}
