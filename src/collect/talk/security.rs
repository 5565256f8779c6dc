//! How protocols that may begin in the open are encrypted, and who logs in.
//!
//! One rule for all of them: a password goes as it is only where nobody on the way can listen, which is over TLS or
//! within this machine, unless `open_login: true` says that it may.

use crate::base::probe::ProbeCx;
use crate::base::secret::Secret;
use crate::collect::fault::Fault;
use crate::collect::kind::{Flag, Form};
use crate::collect::mask::Mask;
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::wire::Stream;
use crate::collect::tls::{Alpn, TlsSpec};
use crate::collect::trace::Trace;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;
use crate::config::yaml::{Node, Value};

/// `user` and `password`.
pub const USER: &[Flag] = &[
    Flag::new("user", "user", Form::One("USER"), "Name to log in with."),
    Flag::new("password", "password", Form::One("PASSWORD"), "Password; `${env:NAME}` keeps it out of the history."),
];

/// `open_login` beside [`USER`].
pub const OPEN_LOGIN: &[Flag] = &[Flag::new(
    "open-login",
    "open_login",
    Form::Switch("true"),
    "Let the password go over a connection that is not encrypted.",
)];

/// How a connection is encrypted.
#[derive(Clone, Debug)]
pub struct Security {
    /// `None` when it stays in the open.
    tls: Option<TlsSpec>,
    starttls: bool,
}

/// Name and password.
pub type Credentials = (Secret<String>, Secret<String>);

/// Who logs in, as far as that is written.
#[derive(Debug)]
pub struct Account {
    /// The name.
    pub user: Option<Text>,
    /// Its password.
    pub password: Option<Text>,
    /// Whether the password may go over the connection as it is.
    pub tells: bool,
}

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

    /// Reads `tls` alone, of protocols that speak it from the start or not at all.
    pub fn from_start(fields: &mut Fields<'_>, alpn: Alpn) -> Self {
        Self { tls: TlsSpec::read_on_demand(fields, alpn), starttls: false }
    }

    /// Reads `tls` alone, of protocols that always ask for it first.
    pub fn on_request(fields: &mut Fields<'_>, alpn: Alpn) -> Self {
        Self { tls: TlsSpec::read_on_demand(fields, alpn), starttls: true }
    }

    /// Reads `user`, `password` and `open_login`. Without `endpoint` there is a mistake in it, which was told.
    pub fn account(&self, fields: &mut Fields<'_>, mask: &mut Mask, endpoint: Option<&Endpoint>) -> Account {
        let open = fields.bool("open_login").unwrap_or(false);
        let (user, password) = (fields.text("user"), fields.text("password"));
        if let Some(user) = &user {
            mask.add_text(user);
        }
        if let Some(password) = &password {
            mask.add(password.value());
        }
        let tells = open || self.tls.is_some() || endpoint.is_none_or(Endpoint::is_loopback);
        Account { user, password, tells }
    }

    /// Reads an account that has both or is none, and whose password is told.
    pub fn credentials(
        &self,
        fields: &mut Fields<'_>,
        mask: &mut Mask,
        endpoint: Option<&Endpoint>,
    ) -> Option<Credentials> {
        let account = self.account(fields, mask, endpoint);
        account.refuse_open(fields, "add `starttls: true` or `tls: true`, or `open_login: true` if that is meant");
        let Account { user, password, .. } = account;
        let head = user.as_ref().or(password.as_ref()).map(|t| t.span);
        match (user.zip(password), head) {
            (Some((user, password)), _) => Some((user.secret(), password.secret())),
            (None, Some(at)) => {
                let message = "`user` and `password` belong together";
                fields.error(at, Code::MissingKey, message, "add the other one, or take this one out");
                None
            }
            (None, None) => None,
        }
    }

    /// Connects; speaks TLS where that is from the start.
    ///
    /// # Errors
    /// There is no connection, or its TLS is not to be trusted.
    pub async fn open(&self, endpoint: &Endpoint, cx: &ProbeCx, trace: &mut Trace) -> Result<Stream, Fault> {
        let stream = endpoint.open(cx, trace).await?;
        match self.implicit() {
            None => Ok(Stream::Plain(stream)),
            Some(tls) => {
                let stream = tls.handshake(stream, &endpoint.peer, cx.now, trace).await?;
                Ok(Stream::Tls(Box::new(stream)))
            }
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

impl Account {
    /// Reports a password that would be told where somebody may listen: of protocols that know no other proof.
    pub fn refuse_open(&self, fields: &Fields<'_>, hint: &str) {
        if let Some(password) = self.password.as_ref().filter(|_| !self.tells) {
            fields.error(password.span, Code::Conflict, "the password would go in the open", hint);
        }
    }
}
