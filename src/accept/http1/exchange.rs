//! One request and its response, both bodies under way at once.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
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
    pub(super) interim: &'a mut Interim,
    pub(super) shutdown: &'a CancellationToken,
    pub(super) limits: Limits,
}

struct Exchange<'a> {
    line: Line<'a>,
    asked: Asked,
    reader: Reader,
    writer: Writer,
}

pin_project! {
    /// One request being answered. Dropping it cancels the request.
    //
    // No `async fn`: it would lie in memory several times as large, and be copied as such.
    pub(super) struct Run<'a, F, B> {
        #[pin]
        stage: Stage<F, B>,
        exchange: Exchange<'a>,
    }
}

pin_project! {
    #[project = Staged]
    enum Stage<F, B> {
        /// The service is at work.
        Work { #[pin] work: F },
        /// Its response is being written. Behind it the connection may stay open, or become a tunnel.
        Answer { answer: Answer<B>, keep: bool, tunnel: Option<Tunnel> },
        /// What is left of the request's body, which nobody takes, is read.
        Rest,
    }
}

/// Has one request answered.
pub(super) fn run<'a, S, F, B>(
    line: Line<'a>,
    service: &S,
    peer: Peer,
    (head, asked): (Box<RequestHead>, Asked),
) -> Run<'a, F, B>
where
    S: Fn(Peer, Request) -> F,
    F: Future<Output = Response<B>>,
    B: Body,
{
    let (mut reader, body) = Reader::new(&asked, line.limits);
    reader.begin(line.wire);
    match asked.form.old {
        true => *line.interim = Interim::closed(),
        false => line.interim.renew(),
    }
    let request = Request {
        head,
        body,
        interim: line.interim.clone(),
    };
    let work = service(peer, request);
    let exchange = Exchange {
        line,
        asked,
        reader,
        writer: Writer::default(),
    };
    let stage = Stage::Work { work };
    Run { exchange, stage }
}

impl<F, B> Future for Run<'_, F, B>
where
    F: Future<Output = Response<B>>,
    B: Body,
{
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let mut run = self.project();
        let exchange = run.exchange;
        loop {
            // What is over is let go before the next stage begins.
            let next = match run.stage.as_mut().project() {
                Staged::Work { work } => {
                    let Ok(response) = ready!(exchange.poll_service(work, cx)) else {
                        return Poll::Ready(End::Last(Last::Cut));
                    };
                    run.stage.set(Stage::Rest);
                    exchange.begin(response, cx)
                }
                Staged::Answer {
                    answer,
                    keep,
                    tunnel,
                } => {
                    if let Err(end) = ready!(exchange.poll_answer(answer, cx)) {
                        return Poll::Ready(end);
                    }
                    let (keep, tunnel) = (*keep, tunnel.take());
                    run.stage.set(Stage::Rest);
                    if let Some(end) = exchange.end(keep, tunnel) {
                        return Poll::Ready(end);
                    }
                    continue;
                }
                Staged::Rest => {
                    let ended = ready!(exchange.poll_rest(cx));
                    return Poll::Ready(match ended {
                        true => End::Keep,
                        false => End::Last(Last::Linger),
                    });
                }
            };
            run.stage.set(next);
        }
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
        for head in self.line.interim.take(cx) {
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

    /// Begins to answer.
    fn begin<F, B: Body>(&mut self, response: Response<B>, cx: &mut Context<'_>) -> Stage<F, B> {
        let Response {
            mut head,
            body,
            tunnel,
        } = response;
        let keep = self.may_stay(cx);
        let form = self.asked.form;
        let out = self.writer.head();
        let (ending, keep) = answer::head(&mut head, &body, form, keep, out);
        let answer = Answer::new(body, ending, form.trailers);
        Stage::Answer {
            answer,
            keep,
            tunnel,
        }
    }

    /// What becomes of the connection behind an answer; none: what is left of the request's body tells.
    fn end(&mut self, keep: bool, tunnel: Option<Tunnel>) -> Option<End> {
        let rest = self.reader.is_done();
        Some(match tunnel {
            Some(tunnel) if rest => End::Tunnel(tunnel),
            // The shop has switched in the middle of a request: nobody knows what the rest of it is.
            Some(_) => End::Last(Last::Cut),
            None if keep && rest => End::Keep,
            None if keep => {
                self.reader.forget();
                self.line.clock.set(REST);
                return None;
            }
            None if rest && self.line.wire.rest.is_empty() => End::Last(Last::Close),
            None => End::Last(Last::Linger),
        })
    }

    /// Whether the connection may stay open, as far as can be told before the head goes out.
    fn may_stay(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.reader.is_done() {
            // One look: the service may have let go of the body, or all of it may be there. Either
            // way it is polled again.
            self.reader.poll(self.line.wire, cx).is_ready();
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
