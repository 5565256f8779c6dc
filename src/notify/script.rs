//! `type: script`: a program of one's own gets the notification as JSON on its standard input.
//!
//! Exit code 0 is delivered, 75 (`EX_TEMPFAIL`) and every other below 64 is tried again, 64 to 78
//! (`sysexits.h`) but 75 means never.

use std::sync::Arc;
use std::time::Duration;

use crate::base::BoxFuture;
use crate::base::message::DeliveryError;
use crate::base::notification::{Delivery, Notifier, Receipt};
use crate::base::secret::Secret;
use crate::config::fields::{Fields, Text as Written};
use crate::config::model::Server;
use crate::config::report::Code;
use crate::notify::program::Program;
use crate::notify::sending::{MAX_TIMEOUT, SendError};
use crate::notify::wording::Wording;
use crate::render::fit::{self, Markup};
use crate::render::text::one_line;

/// Characters of the text in the environment; the kernel takes 128 KiB per variable.
const MAX_TEXT: usize = 16_000;

#[derive(Debug)]
struct Script {
    program: Program,
    hidden: Vec<Secret<String>>,
    wording: Wording,
}

/// Reads the options.
pub fn read(server: &Server, fields: &mut Fields<'_>) -> Option<Arc<dyn Notifier>> {
    let errors = fields.cx().error_count();
    let hint = "write a list, e.g. `command: [/usr/local/bin/page, --urgent]`";
    let argv = fields.texts("command");
    match argv.first() {
        None => fields.missing("command", hint),
        Some(one) if argv.len() == 1 && one.value().trim().contains(char::is_whitespace) => {
            let message = "`command` is one text with blanks; no shell takes it apart";
            fields.error(one.span, Code::WrongType, message, hint);
        }
        Some(first) if first.value().trim().is_empty() => {
            fields.error(first.span, Code::BadValue, "the program's name is empty", hint);
        }
        Some(_) => {}
    }
    for text in argv.iter().filter(|t| t.value().contains('\0')) {
        fields.error(text.span, Code::BadValue, "an argument holds a NUL byte", "remove it");
    }
    let (mut env, mut hidden) = (Vec::new(), Vec::new());
    for (entry, text) in fields.pairs("env") {
        if entry.key.is_empty() || entry.key.contains(['=', '\0']) || text.value().contains('\0') {
            let message = format!("`{}` is not a variable that a program can get", entry.key);
            fields.error(entry.key_span, Code::BadValue, message, "use letters, digits and `_`");
        }
        hidden.push(Secret::new(text.value().to_owned()));
        env.push((entry.key.clone(), text.secret()));
    }
    hidden.extend(argv.iter().filter(|t| t.is_reference()).map(|t| Secret::new(t.value().to_owned())));
    let cwd = fields.text("cwd");
    if let Some(dir) = cwd.as_ref().filter(|d| !d.value().starts_with('/')) {
        let message = format!("`cwd` is `{}`, which is not an absolute path", dir.shown());
        fields.error(dir.span, Code::BadValue, message, "begin it with `/`");
    }
    let limit = fields.duration("timeout", Duration::from_millis(100)..=MAX_TIMEOUT).unwrap_or(MAX_TIMEOUT);
    let wording = Wording::read(server, fields);
    if fields.cx().error_count() > errors {
        return None;
    }
    let argv = argv.into_iter().map(Written::secret).collect();
    let cwd = cwd.map(|t| t.value().into());
    // The outbox waits 10 s; what is to be reported must end before.
    let limit = limit.min(MAX_TIMEOUT - Duration::from_millis(250));
    Some(Arc::new(Script { program: Program { argv, env, inherit: &[], cwd, limit }, hidden, wording }))
}

impl Notifier for Script {
    fn deliver<'a>(&'a self, delivery: Delivery<'a>) -> BoxFuture<'a, Result<Receipt, DeliveryError>> {
        Box::pin(async move {
            let said = delivery.notification;
            let input = serde_json::to_vec(said).map_err(|e| SendError::Local(e.to_string()).permanent())?;
            let text = self.wording.text(said);
            let env = [
                ("WATCHDOG_KEY", said.key.clone()),
                ("WATCHDOG_THREAD", said.thread.clone()),
                ("WATCHDOG_STATUS", said.status().as_str().to_owned()),
                ("WATCHDOG_SEVERITY", said.severity().as_str().to_owned()),
                ("WATCHDOG_RECEIVER", one_line(&said.receiver, 200)),
                ("WATCHDOG_PREVIOUS", delivery.previous.unwrap_or_default().to_owned()),
                ("WATCHDOG_TITLE", fit::title(&text, &Markup::PLAIN, 300)),
                ("WATCHDOG_TEXT", fit::body(&text, &Markup::PLAIN, MAX_TEXT)),
            ];
            let ended = self.program.run(&env, &[], &input).await?;
            let said = if ended.stderr.trim().is_empty() { &ended.stdout } else { &ended.stderr };
            let detail = self.safe(said);
            match ended.status.code() {
                Some(0) => {
                    // The first line that it prints is its name for the message.
                    let remote = ended.stdout.lines().next().map(str::trim).filter(|l| !l.is_empty());
                    Ok(Receipt { remote: remote.map(|l| one_line(l, 250)), detail: None })
                }
                Some(code) => {
                    let err = SendError::Local(format!("exit code {code}: {detail}"));
                    let never = (64..=78).contains(&code) && code != 75;
                    Err(if never { err.permanent() } else { err.retry(None) })
                }
                None => Err(SendError::Local(format!("it was ended by a signal: {detail}")).retry(None)),
            }
        })
    }
}

impl Script {
    fn safe(&self, text: &str) -> String {
        let hidden = self.hidden.iter().filter(|s| s.reveal().len() >= 4);
        one_line(&hidden.fold(text.to_owned(), |t, secret| t.replace(secret.reveal(), "***")), 200)
    }
}
