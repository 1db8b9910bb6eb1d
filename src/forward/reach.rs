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
        mut request: Request,
        resend: Resend,
    ) -> Result<Response<Body>, Error> {
        let mut tried = Tried::default();
        let mut last = Error::NoUpstream;
        while let Some(member) = upstreams.next(&mut tried, Instant::now) {
            let busy = upstreams.occupy(member);
            let failed = match self.send(&member.upstream, request, resend).await {
                Ok(mut response) => {
                    member.connected();
                    response.body.occupies(busy);
                    return Ok(response);
                }
                Err(failed) => failed,
            };
            if !failed.error.is_unreached() {
                member.connected();
                return Err(failed.error);
            }
            self.note(member, &failed);
            match failed.unsent {
                Some(unsent) => request = *unsent,
                None => return Err(failed.error),
            }
            last = failed.error;
        }
        Err(last)
    }

    fn note(&self, member: &Member, failed: &Failed) {
        self.counters.add(Event::UpstreamFailed);
        if let Some(rest) = member.failed(Instant::now()) {
            let (upstream, error) = (&member.upstream, Causes(&failed.error));
            warn!(%upstream, ?rest, "an upstream rests where another can be asked: {error}");
        }
    }
}
