//! `type: desktop`: a bubble on this machine's screen, by `notify-send` and the session's D-Bus.
//!
//! A server that runs as a service has no session: that is said at once and not tried again.

use std::sync::Arc;
use std::time::Duration;

use crate::base::BoxFuture;
use crate::base::message::DeliveryError;
use crate::base::notification::{Delivery, Notification, Notifier, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::Fields;
use crate::config::model::Server;
use crate::config::report::Code;
use crate::notify::program::Program;
use crate::notify::sending::SendError;
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::{Tone, one_line};

/// What fits into a bubble.
const MAX_BODY: usize = 1_000;
const MAX_TITLE: usize = 150;
/// A bubble's body is a subset of HTML.
const MARKUP: Markup = Markup { link: None, code: ("", ""), ..Markup::HTML };
const SESSION: [&str; 4] = ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY"];

#[derive(Debug)]
struct Desktop {
    program: Program,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let program = fields.text("program");
    if let Some(text) = program.as_ref().filter(|t| !t.value().starts_with('/')) {
        let message = "`program` is not an absolute path";
        fields.error(text.span, Code::BadValue, message, "write e.g. `/usr/bin/notify-send`, or leave it out");
    }
    let wording = Wording::read(server, fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    let program = program.map_or_else(|| "notify-send".to_owned(), |t| t.value().to_owned());
    let limit = Duration::from_secs(5);
    let program = Program { argv: vec![Secret::new(program)], env: Vec::new(), inherit: &SESSION, cwd: None, limit };
    Some(Arc::new(Desktop { program, wording }))
}

impl Notifier for Desktop {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            // Without a session `notify-send` waits for one that nobody starts.
            if !SESSION[..2].iter().any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty())) {
                let text = "there is no desktop session here: run `watchdog serve` as the user who sits in front of it";
                return Err(SendError::Local(text.to_owned()).permanent());
            }
            let args = self.arguments(delivery.notification, delivery.previous);
            let ended = self.program.run(&[], &args, b"").await?;
            if ended.status.success() {
                let id = ended.stdout.trim();
                let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
                return Ok(Receipt { remote: is_id.then(|| id.to_owned()), detail: None });
            }
            let said = one_line(&ended.stderr, 200);
            let err = SendError::Local(format!("`notify-send` failed: {said}"));
            // No bus, no server behind it: nothing that waiting mends.
            let gone = ["D-Bus", "Cannot autolaunch", "ServiceUnknown", "org.freedesktop.Notifications"];
            Err(if gone.iter().any(|w| said.contains(w)) { err.permanent() } else { err.retry(None) })
        })
    }
}

impl Desktop {
    fn arguments(&self, said: &Notification, previous: Option<&str>) -> Vec<String> {
        let text = self.wording.text(said);
        let urgency = match text.tone {
            Tone::Critical => "critical",
            Tone::Warning | Tone::Resolved => "normal",
            Tone::Info => "low",
        };
        let mut args = vec!["--app-name=Watchdog".to_owned(), format!("--urgency={urgency}"), "--print-id".to_owned()];
        if let Some(id) = previous.filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit())) {
            args.push(format!("--replace-id={id}"));
        }
        // Texts that begin with `-` are not options.
        args.push("--".to_owned());
        args.push(fit::title(&text, &Markup::PLAIN, MAX_TITLE));
        args.push(fit::body(&text, &MARKUP, MAX_BODY));
        args
    }
}
