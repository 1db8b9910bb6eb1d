//! A store's shop: one of its upstreams, and another one where connecting fails.

use std::time::Instant;

use tracing::warn;

use super::{Body, Client, Error, Failed, Resend};
use crate::cause::Causes;
use crate::event::Event;
use crate::message::{Request, Response};
use crate::store::upstreams::{Busy, Member, Tried, Upstreams};

impl Client {
    /// Asks the shop, as [`send`](Self::send), at the upstream whose turn it is. Where connecting
    /// fails, so that no byte of the request has left, each other one is tried.
    ///
    /// # Errors
    /// As [`send`](Self::send); that of the last try where all failed to connect, and
    /// [`Error::NoUpstream`] where there was none to try.
    pub async fn reach(
        &self,
        upstreams: &Upstreams,
        request: Request,
        resend: Resend,
    ) -> Result<Response<Body>, Error> {
        let mut tried = Tried::default();
        let Some(member) = upstreams.next(&mut tried, Instant::now) else {
            return Err(Error::NoUpstream);
        };
        let busy = upstreams.occupy(member);
        let failed = match self.send(&member.upstream, request, resend).await {
            Ok(response) => return Ok(reached(response, member, busy)),
            Err(failed) => Box::new(failed),
        };
        // It is busy no more.
        drop(busy);
        // Seldom: what it takes is not to lie in every request's future.
        Box::pin(self.others(upstreams, tried, (member, failed), resend)).await
    }

    /// Asks the other ones, one by one, as long as connecting is what fails.
    async fn others<'u>(
        &self,
        upstreams: &'u Upstreams,
        mut tried: Tried,
        (mut member, mut failed): (&'u Member, Box<Failed>),
        resend: Resend,
    ) -> Result<Response<Body>, Error> {
        loop {
            if !failed.error.is_unreached() {
                member.connected();
                return Err(failed.error);
            }
            self.note(member, &failed);
            let Some(request) = failed.unsent.take() else {
                return Err(failed.error);
            };
            // Whoever is chosen must be asked.
            let Some(next) = upstreams.next(&mut tried, Instant::now) else {
                return Err(failed.error);
            };
            member = next;
            let busy = upstreams.occupy(member);
            match self.send(&member.upstream, *request, resend).await {
                Ok(response) => return Ok(reached(response, member, busy)),
                Err(again) => *failed = again,
            }
        }
    }

    fn note(&self, member: &Member, failed: &Failed) {
        self.counters.add(Event::UpstreamFailed);
        if let Some(rest) = member.failed(Instant::now()) {
            let (upstream, error) = (&member.upstream, Causes(&failed.error));
            warn!(%upstream, ?rest, "an upstream rests where another can be asked: {error}");
        }
    }
}

/// The upstream answers: it is connected, and busy until its answer's body is let go.
fn reached(mut response: Response<Body>, member: &Member, busy: Option<Busy>) -> Response<Body> {
    member.connected();
    response.body.occupies(busy);
    response
}
