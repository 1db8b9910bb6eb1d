//! One request and its response, both bodies under way at once.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::answer::{self, Answer, Fault};
use super::clock::Clock;
use super::close::Last;
use super::framing::Asked;
use super::reader::{Reader, Seen};
use super::writer::Writer;
use crate::accept::Peer;
use crate::message::parse::Limits;
use crate::message::{Body, Interim, Request, RequestHead, Response, Tunnel};
use crate::wire::Wire;

/// How long the rest of a body that nobody takes may take to come.
const REST: Duration = Duration::from_secs(1);

/// What becomes of the connection behind an exchange.
#[derive(Debug)]
pub(super) enum End {
    /// The next request may come.
    Keep,
    /// Nothing more is read.
    Last(Last),
    /// It is another protocol's from now on.
    Tunnel(Tunnel),
}

/// What an exchange has of its connection.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) clock: &'a mut Clock,
    pub(super) shutdown: &'a CancellationToken,
    pub(super) limits: Limits,
}

struct Exchange<'a> {
    line: Line<'a>,
    asked: Asked,
    reader: Reader,
    writer: Writer,
    interim: Interim,
}

/// Has one request answered. Dropping the future cancels it.
pub(super) async fn run<S, F, B>(
    line: Line<'_>,
    service: S,
    peer: Peer,
    (head, asked): (RequestHead, Asked),
) -> End
where
    S: Fn(Peer, Request) -> F,
    F: Future<Output = Response<B>>,
    B: Body,
{
    let (mut reader, body) = Reader::new(&asked, line.limits);
    reader.begin(line.wire);
    let interim = match asked.form.old {
        true => Interim::closed(),
        false => Interim::open(),
    };
    let mut exchange = Exchange {
        line,
        asked,
        reader,
        writer: Writer::default(),
        interim: interim.clone(),
    };
    let response = {
        let request = Request {
            head,
            body,
            interim,
        };
        let mut work = pin!(service(peer, request));
        drop(service);
        poll_fn(|cx| exchange.poll_service(work.as_mut(), cx)).await
    };
    match response {
        Ok(response) => exchange.answer(response).await,
        Err(Gone) => End::Last(Last::Cut),
    }
}

/// The client has gone away.
struct Gone;

impl Exchange<'_> {
    /// Ready with the response. Interim ones are written, and the body is read, meanwhile.
    fn poll_service<F: Future>(
        &mut self,
        mut work: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<F::Output, Gone>> {
        loop {
            let response = work.as_mut().poll(cx);
            if let Err(error) = self.write_interim(cx) {
                debug!(%error, "a client went away before its answer");
                return Poll::Ready(Err(Gone));
            }
            if let Poll::Ready(response) = response {
                return Poll::Ready(Ok(response));
            }
            match ready!(self.reader.poll(self.line.wire, cx)) {
                Seen::Fed => {}
                Seen::Gone => {
                    debug!("a client went away before its answer");
                    return Poll::Ready(Err(Gone));
                }
            }
        }
    }

    fn write_interim(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        for head in self.interim.take(cx) {
            // Where there is no room the client does not read; it may miss this one (RFC 9110 §15.2).
            if let Some(room) = self.writer.room() {
                answer::interim(head, room);
            }
        }
        match self.writer.poll(&mut self.line.wire.stream, cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    async fn answer<B: Body>(mut self, response: Response<B>) -> End {
        let Response {
            mut head,
            body,
            tunnel,
        } = response;
        let keep = self.may_stay().await;
        let form = self.asked.form;
        let out = self.writer.head();
        let (ending, keep) = answer::head(&mut head, &body, form, keep, out);
        let mut answer = Answer::new(body, ending, form.trailers);
        if let Err(end) = poll_fn(|cx| self.poll_answer(&mut answer, cx)).await {
            return end;
        }
        drop(answer);
        let rest = self.reader.is_done();
        match tunnel {
            Some(tunnel) if rest => End::Tunnel(tunnel),
            // The shop has switched in the middle of a request: nobody knows what the rest of it is.
            Some(_) => End::Last(Last::Cut),
            None if keep && (rest || self.rest().await) => End::Keep,
            None if rest && self.line.wire.rest.is_empty() => End::Last(Last::Close),
            None => End::Last(Last::Linger),
        }
    }

    /// Whether the connection may stay open, as far as can be told before the head goes out.
    async fn may_stay(&mut self) -> bool {
        if !self.reader.is_done() {
            // One look: the service may have let go of the body, or all of it may be there.
            let reader = &mut self.reader;
            let wire = &mut *self.line.wire;
            poll_fn(|cx| Poll::Ready(reader.poll(wire, cx).is_ready())).await;
        }
        self.asked.keep && self.reader.may_end() && !self.line.shutdown.is_cancelled()
    }

    /// Ready when the answer is written. The body is read meanwhile, for a service that still takes it.
    fn poll_answer<B: Body>(
        &mut self,
        answer: &mut Answer<B>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), End>> {
        loop {
            let written = answer.poll(&mut self.writer, &mut self.line.wire.stream, cx);
            if let Poll::Ready(written) = written {
                return Poll::Ready(written.map_err(|fault| end_of(&fault, answer)));
            }
            match ready!(self.reader.poll(self.line.wire, cx)) {
                Seen::Fed => {}
                Seen::Gone => {
                    debug!("a client went away within its answer");
                    return Poll::Ready(Err(End::Last(Last::Cut)));
                }
            }
        }
    }

    /// Reads what is left of a body that nobody takes; whether it ended soon.
    async fn rest(&mut self) -> bool {
        self.reader.forget();
        self.line.clock.set(REST);
        poll_fn(|cx| self.poll_rest(cx)).await
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let seen = self.reader.poll(self.line.wire, cx);
        if self.reader.is_done() {
            return Poll::Ready(true);
        }
        if seen.is_ready() || !self.reader.may_end() {
            return Poll::Ready(false);
        }
        self.line.clock.poll(cx).map(|()| false)
    }
}

fn end_of<B: Body>(fault: &Fault, answer: &Answer<B>) -> End {
    match fault {
        Fault::Connection(error) => {
            debug!(%error, "a client went away within its answer");
            End::Last(Last::Cut)
        }
        Fault::Truncated if answer.ends_by_close() => End::Last(Last::Reset),
        Fault::Truncated => End::Last(Last::Cut),
    }
}
