//! Who asks, and whom is trusted: `basic_auth`, `authorization`, `bearer_token`, `tls_config`.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::collect::fault::{Fault, describe};
use crate::collect::files::{self, Given, Looks};
use crate::collect::http::auth::basic;
use crate::collect::http::exchange::{Client, Spoken, Ways};
use crate::collect::http::hop::Hop;
use crate::collect::http::proxies::Proxies;
use crate::collect::mask::Mask;
use crate::collect::tls::TlsSpec;
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;
use crate::config::yaml::{Entry, Value};

/// A file of credentials larger than this is none, in bytes.
const MAX_CREDENTIALS: u64 = 64 << 10;
/// How long what a file said stands, so that a round's scrapes share it.
const STANDS: Duration = Duration::from_secs(1);

/// How a request says who asks.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Not at all.
    #[default]
    None,
    /// The value of `Authorization`.
    Header(HeaderValue),
    /// A scheme, and a file with the credentials, read for every request.
    File(String, Arc<SecretFile>),
    /// A user, and a file with the password.
    PasswordFile(String, Arc<SecretFile>),
}

/// A file with a secret.
pub struct SecretFile {
    path: PathBuf,
    looks: Looks,
    /// What it said last, and when. Held by the request that reads it; others wait for that.
    said: Mutex<Option<(Instant, Result<String, Fault>)>>,
}

impl std::fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Sets the header `Authorization`.
pub fn authorize(hop: &mut Hop, value: HeaderValue) {
    hop.set_header(header::AUTHORIZATION, value, true);
}

/// `Bearer …`, or with another scheme; nothing where no header may say so.
fn credentials(scheme: &str, secret: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("{scheme} {secret}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The value of `Authorization` where it stands in a file. What no message may show of it goes into `mask`.
///
/// # Errors
/// The file cannot be read, which is a fault of this machine.
pub async fn from_file(access: &Access, mask: &mut Mask) -> Result<Option<HeaderValue>, Fault> {
    match access {
        Access::None | Access::Header(_) => Ok(None),
        Access::File(scheme, file) => {
            let secret = file.read().await?;
            mask.add(&secret);
            match credentials(scheme, &secret) {
                Some(value) => Ok(Some(value)),
                None => Err(file.fault("is not one line of text")),
            }
        }
        Access::PasswordFile(user, file) => {
            let secret = file.read().await?;
            Ok(Some(basic(user, &secret, mask)))
        }
    }
}

impl SecretFile {
    fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, looks: Looks::at_credentials(), said: Mutex::default() })
    }

    fn fault(&self, why: &str) -> Fault {
        Fault::local("local_credentials", format!("`{}` {why}", self.path.display()))
    }

    async fn read(&self) -> Result<String, Fault> {
        let mut said = self.said.lock().await;
        if let Some((_, last)) = said.as_ref().filter(|(at, _)| at.elapsed() < STANDS) {
            return last.clone();
        }
        // A look that hangs is left behind, and the next one is told so.
        let now = self.look().await;
        *said = Some((Instant::now(), now.clone()));
        now
    }

    async fn look(&self) -> Result<String, Fault> {
        let path = self.path.clone();
        let look = move |_: &Given| {
            let mut text = String::new();
            let (file, _) = files::open(&path, true)?;
            file.take(MAX_CREDENTIALS).read_to_string(&mut text)?;
            Ok::<_, std::io::Error>(text.trim().to_owned())
        };
        let refused = |why: &str| self.fault(&format!("cannot be read: {why}"));
        match self.looks.run_soon(look).await {
            Ok(read) => read.map_err(|e| refused(&describe(&e))),
            Err(fault) => Err(refused(fault.message())),
        }
    }
}

/// The credentials in an address, as Go's client takes them.
pub fn of_url(url: &reqwest::Url, mask: &mut Mask) -> Option<Access> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (decode(url.username()), url.password().map(decode));
    let given = !user.is_empty() || password.is_some();
    given.then(|| Access::Header(basic(&user, &password.unwrap_or_default(), mask)))
}

/// Reads `basic_auth`, `authorization`, `bearer_token` and `bearer_token_file`; at most one of them.
pub fn read(fields: &mut Fields<'_>, mask: &mut Mask) -> Access {
    let mut ways: Vec<Access> = Vec::new();
    if let Some(mut own) = fields.nested("basic_auth") {
        let user = own.text("username").map(|t| t.value().to_owned()).unwrap_or_default();
        let password = own.text("password");
        ways.push(match (file(&mut own, "password_file"), password) {
            (Some(path), None) => Access::PasswordFile(user, SecretFile::new(path)),
            (Some(_), Some(password)) => {
                let message = "`password` and `password_file` exclude each other";
                own.error(password.span, Code::Conflict, message, "keep one of the two");
                Access::None
            }
            (None, password) => {
                let password = password.map(|t| t.value().to_owned()).unwrap_or_default();
                Access::Header(basic(&user, &password, mask))
            }
        });
        own.finish();
    }
    if let Some(mut own) = fields.nested("authorization") {
        let scheme = own.text("type");
        if let Some(text) = scheme.as_ref().filter(|text| HeaderValue::from_str(text.value().trim()).is_err()) {
            refuse(&own, "type", text);
        }
        let scheme = scheme.map_or_else(|| "Bearer".to_owned(), |t| t.value().trim().to_owned());
        let given = own.text("credentials");
        match (given, file(&mut own, "credentials_file")) {
            (Some(given), None) => {
                mask.add(given.value());
                match credentials(&scheme, given.value().trim()) {
                    Some(value) => ways.push(Access::Header(value)),
                    None => refuse(&own, "credentials", &given),
                }
            }
            (None, Some(path)) => ways.push(Access::File(scheme, SecretFile::new(path))),
            (None, None) => own.missing("credentials", "write `credentials: ${file:token}`"),
            (Some(given), Some(_)) => {
                let message = "`credentials` and `credentials_file` exclude each other";
                own.error(given.span, Code::Conflict, message, "keep one of the two");
            }
        }
        own.finish();
    }
    if let Some(token) = fields.text("bearer_token") {
        mask.add(token.value());
        match credentials("Bearer", token.value().trim()) {
            Some(value) => ways.push(Access::Header(value)),
            None => refuse(fields, "bearer_token", &token),
        }
    }
    if let Some(path) = file(fields, "bearer_token_file") {
        ways.push(Access::File("Bearer".to_owned(), SecretFile::new(path)));
    }
    if ways.len() > 1 {
        let message = "a request can say only once who asks";
        let hint = "keep one of `basic_auth`, `authorization` and `bearer_token`";
        fields.error(fields.head(), Code::Conflict, message, hint);
    }
    ways.into_iter().next().unwrap_or_default()
}

fn refuse(fields: &Fields<'_>, key: &str, text: &Text) {
    let message = format!("`{key}` has characters that no header may have");
    fields.error(text.span, Code::BadValue, message, "remove line breaks and control characters");
}

/// The name of a file that is read for every request.
fn file(fields: &mut Fields<'_>, key: &'static str) -> Option<PathBuf> {
    let text = fields.text(key)?;
    let path = PathBuf::from(text.value());
    if !path.is_absolute() {
        let message = format!("`{key}` is `{}`, which is not an absolute path", text.shown());
        fields.error(text.span, Code::BadValue, message, "begin it with `/`: services start in another directory");
    }
    Some(path)
}

/// How servers are asked for at most so many bytes: over `tls: {…}` as with every kind, or Prometheus'
/// `tls_config: {…}`.
///
/// `proxy_url` is Prometheus' word for a proxy, what stands beside it is called as everywhere, and `enable_http2: false`
/// leaves HTTP/1.1.
pub fn read_client(fields: &mut Fields<'_>, max_body: usize, mask: &mut Mask) -> Option<Client> {
    let spoken = match fields.bool("enable_http2") {
        Some(false) => Spoken::One,
        Some(true) | None => Spoken::Any,
    };
    let tls = read_tls(fields, spoken);
    let proxies = Proxies::read(fields, "proxy_url", tls.as_ref(), mask);
    Some(Client { tls: tls?, spoken, proxies, max_body, ways: Ways::default() })
}

fn read_tls(fields: &mut Fields<'_>, spoken: Spoken) -> Option<TlsSpec> {
    let own = fields.nested("tls");
    let Some(theirs) = fields.node("tls_config") else {
        return match own {
            Some(own) => TlsSpec::read(own, spoken.alpn()),
            None => Some(TlsSpec::system(spoken.alpn())),
        };
    };
    if own.is_some() {
        let message = "`tls` and `tls_config` speak of the same thing";
        fields.error(theirs.mark(), Code::Conflict, message, "keep one of the two");
    }
    let mut ours = theirs.clone();
    if let Value::Map(entries) = &mut ours.value {
        entries.iter_mut().for_each(rename);
    }
    TlsSpec::read(Fields::of(fields.cx(), &ours)?, spoken.alpn())
}

/// `insecure_skip_verify: true` is `verify: false` here, and `min_version: TLS12` is `1.2`.
fn rename(entry: &mut Entry) {
    if matches!(entry.key.as_str(), "min_version" | "max_version")
        && let Value::Scalar { text, .. } = &mut entry.value.value
        && let Some(("1", minor)) = text.strip_prefix("TLS").and_then(|digits| digits.split_at_checked(1))
    {
        *text = format!("1.{minor}");
    }
    if entry.key == "insecure_skip_verify"
        && let Value::Scalar { text, .. } = &mut entry.value.value
    {
        let other = match text.as_str() {
            "true" | "True" | "TRUE" => "false",
            "false" | "False" | "FALSE" => "true",
            _ => return,
        };
        entry.key = "verify".to_owned();
        *text = other.to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::prometheus::relabel::tests::with_fields;

    #[test]
    fn http2_can_be_left_out() {
        for (text, want) in
            [("{}", Spoken::Any), ("{enable_http2: true}", Spoken::Any), ("{enable_http2: false}", Spoken::One)]
        {
            let client = with_fields(text, |fields| read_client(fields, 1, &mut Mask::default())).0;
            assert_eq!(client.unwrap().spoken, want, "{text}");
        }
    }

    #[tokio::test]
    async fn a_file_of_credentials_that_hangs_costs_one_thread() {
        let file = SecretFile::new("/proc/self/comm".into());
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let mut hangs = Box::pin(file.looks.run(move |_| wait.recv().is_err()));
        assert!(futures_util::poll!(&mut hangs).is_pending());
        drop(hangs);
        let why = file.read().await.unwrap_err();
        assert_eq!(why.class(), "local_credentials");
        assert!(why.message().contains("does not answer"), "{why:?}");
        drop(release);
    }
}
