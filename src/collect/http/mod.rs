//! `type: http`: one request over a new connection, or several steps, timed phase by phase and judged.
//!
//! [`spec`] reads the options. [`request`] is one request with its redirects: [`hop`] is what is sent, [`exchange`]
//! sends it (through a [`proxy`], which [`proxies`] chooses, over a [`connection`]), [`redirect`] finds the next hop, [`jar`] keeps cookies between them,
//! [`auth`] answers challenges; [`decode`] undoes one content encoding within limits, [`expect`] judges, [`evidence`]
//! shows what was seen. [`steps`] runs several requests: [`extract`] takes values of one for the [`template`]s of the
//! next. Connections are never reused: a probe measures what a new visitor gets.

pub mod auth;
pub mod cert;
pub mod connection;
pub mod content;
pub mod decode;
pub mod digest;
pub mod evidence;
pub mod exchange;
pub mod expect;
pub mod extract;
pub mod flags;
pub mod header;
pub mod hop;
pub mod jar;
pub mod json;
pub mod oauth;
pub mod proxies;
pub mod proxy;
pub mod redirect;
pub mod request;
pub mod spec;
pub mod steps;
pub mod template;
pub mod title;

use std::borrow::Cow;

use crate::base::BoxFuture;
use crate::base::outcome::Outcome;
use crate::base::probe::{Collector, ProbeCx};
use crate::collect::http::exchange::Client;
use crate::collect::http::jar::Jar;
use crate::collect::http::request::{Request, Run, Session};
use crate::collect::mask::Mask;

/// A checked `http` monitor of one request.
#[derive(Debug)]
pub struct HttpProbe {
    client: Client,
    request: Request,
    cookies: bool,
    mask: Mask,
}

impl Collector for HttpProbe {
    fn probe<'a>(&'a self, cx: &'a ProbeCx) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let jar = self.cookies.then(Jar::default);
            let mut session = Session { client: &self.client, mask: Cow::Borrowed(&self.mask), jar };
            let mut run = Run::new(None);
            let mut outcome = self.request.run(&mut run, &mut session, cx).await;
            session.mask.hide_in(&mut outcome);
            outcome
        })
    }
}
