//! A store's shop: one of its upstreams, and another one where connecting fails.

use std::time::Instant;

use tracing::warn;

use super::{Body, Client, Error, Failed, Resend};
use crate::cause::Causes;
use crate::event::Event;
use crate::message::{Request, Response};
use crate::store::upstreams::{Member, Tried, Upstreams};

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
        match self.ask(upstreams, member, request, resend).await {
            Ok(response) => Ok(response),
            Err(failed) => {
                let first = (member, failed);
                Box::pin(self.others(upstreams, tried, first, resend)).await
            }
        }
    }

    /// Asks the other ones, one by one, as long as connecting is what fails.
    async fn others<'u>(
        &self,
        upstreams: &'u Upstreams,
        mut tried: Tried,
        (mut member, mut failed): (&'u Member, Failed),
        resend: Resend,
    ) -> Result<Response<Body>, Error> {
        loop {
            if !failed.error.is_unreached() {
                member.connected();
                return Err(failed.error);
            }
            self.note(member, &failed);
            let (Some(request), Some(next)) =
                (failed.unsent, upstreams.next(&mut tried, Instant::now))
            else {
                return Err(failed.error);
            };
            member = next;
            match self.ask(upstreams, member, *request, resend).await {
                Ok(response) => return Ok(response),
                Err(again) => failed = again,
            }
        }
    }

    async fn ask(
        &self,
        upstreams: &Upstreams,
        member: &Member,
        request: Request,
        resend: Resend,
    ) -> Result<Response<Body>, Failed> {
        let busy = upstreams.occupy(member);
        let mut response = self.send(&member.upstream, request, resend).await?;
        member.connected();
        response.body.occupies(busy);
        Ok(response)
    }

    fn note(&self, member: &Member, failed: &Failed) {
        self.counters.add(Event::UpstreamFailed);
        if let Some(rest) = member.failed(Instant::now()) {
            let (upstream, error) = (&member.upstream, Causes(&failed.error));
            warn!(%upstream, ?rest, "an upstream rests where another can be asked: {error}");
        }
    }
}
