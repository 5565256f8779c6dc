//! How protocols that may begin in the open are encrypted, and who logs in.

use crate::base::secret::Secret;
use crate::collect::mask::Mask;
use crate::collect::tls::{Alpn, TlsSpec};
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;
use crate::config::yaml::{Node, Value};

/// How a connection is encrypted.
#[derive(Clone, Debug)]
pub struct Security {
    /// `None` when it stays in the open.
    tls: Option<TlsSpec>,
    starttls: bool,
}

/// Name and password.
pub type Credentials = (Secret<String>, Secret<String>);

impl Security {
    /// Reads `tls` and `starttls`. With `starttls: true`, `tls: {…}` says how the handshake is made.
    pub fn read(fields: &mut Fields<'_>, alpn: Alpn) -> Self {
        let starttls = fields.bool("starttls").unwrap_or(false);
        let at = fields.node("tls").map(Node::mark);
        let is_flag = fields.node("tls").is_some_and(|n| matches!(n.value, Value::Scalar { .. }));
        let tls = TlsSpec::read_on_demand(fields, alpn);
        let tls = match (starttls, tls) {
            (true, Some(_)) if is_flag => {
                let message = "`tls: true` encrypts from the start, `starttls: true` later";
                let hint = "keep one of them; `tls: {…}` beside `starttls` says how it is done";
                fields.error(at.unwrap_or_else(|| fields.head()), Code::Conflict, message, hint);
                None
            }
            (true, None) => Some(TlsSpec::system(alpn)),
            (_, tls) => tls,
        };
        Self { tls, starttls }
    }

    /// Reads `user` and `password`, which go over an encrypted connection unless `open_login: true` says otherwise.
    pub fn credentials(&self, fields: &mut Fields<'_>, mask: &mut Mask) -> Option<Credentials> {
        let open = fields.bool("open_login").unwrap_or(false);
        let (user, password) = (fields.text("user"), fields.text("password"));
        if let Some(user) = &user {
            mask.add_text(user);
        }
        if let Some(password) = &password {
            mask.add(password.value());
        }
        let head = user.as_ref().or(password.as_ref()).map(|t| t.span);
        match (user.zip(password), head) {
            (Some(_), Some(at)) if self.tls.is_none() && !open => {
                let message = "the password would go in the open";
                let hint = "add `starttls: true` or `tls: true`, or `open_login: true` if that is meant";
                fields.error(at, Code::Conflict, message, hint);
                None
            }
            (Some((user, password)), _) => Some((Text::secret(user), Text::secret(password))),
            (None, Some(at)) => {
                let message = "`user` and `password` belong together";
                fields.error(at, Code::MissingKey, message, "add the other one, or take this one out");
                None
            }
            (None, None) => None,
        }
    }

    /// Whether it is encrypted from its start.
    pub fn is_implicit(&self) -> bool {
        self.implicit().is_some()
    }

    /// How it is encrypted from its start.
    pub fn implicit(&self) -> Option<&TlsSpec> {
        self.tls.as_ref().filter(|_| !self.starttls)
    }

    /// How it is encrypted when the protocol says so.
    pub fn starttls(&self) -> Option<&TlsSpec> {
        self.tls.as_ref().filter(|_| self.starttls)
    }
}
