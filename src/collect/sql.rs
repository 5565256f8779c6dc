//! What checks of databases share: whom to log in to and as whom, one query, and how its answer is judged.

use std::time::Duration;

use crate::base::outcome::{Outcome, Sample};
use crate::base::secret::Secret;
use crate::collect::judge::{Judge, Latency, found};
use crate::collect::kind::{Flag, Form};
use crate::collect::mask::Mask;
use crate::collect::replica::{Replication, Standing};
use crate::collect::talk::endpoint::Endpoint;
use crate::collect::talk::security::Security;
use crate::collect::tls::alpn;
use crate::collect::trace::Trace;
use crate::collect::value::{RowChecks, ValueChecks, number};
use crate::config::fields::{Fields, Text};
use crate::config::report::Code;

/// `database` and `query`.
pub const QUERY: &[Flag] = &[
    Flag::new("database", "database", Form::One("NAME"), "Database to be in."),
    Flag::new("query", "query", Form::One("SQL"), "Query whose first value is judged."),
];

/// What kinds of databases do not share.
#[derive(Debug)]
pub struct Dialect {
    /// The usual port.
    pub port: u16,
    /// The least of which a replica can say that it is behind.
    pub lag_unit: Duration,
    /// Series of the query's duration.
    pub duration: &'static str,
    /// Series of how many rows came.
    pub rows: &'static str,
    /// Series of the value that was judged.
    pub value: &'static str,
}

/// The options of a database's monitor.
#[derive(Debug)]
pub struct Sql {
    dialect: &'static Dialect,
    /// Whom to connect to.
    pub endpoint: Endpoint,
    /// Whether TLS is asked for.
    pub security: Security,
    user: Secret<String>,
    password: Option<Secret<String>>,
    /// Whether the server may see the password itself.
    pub tells: bool,
    /// The database to be in.
    pub database: Option<String>,
    /// What is asked.
    pub query: Option<Secret<String>>,
    value: ValueChecks,
    rows: RowChecks,
    /// What is expected of its part in a replication.
    pub replication: Replication,
    latency: Latency,
    /// What must not be shown.
    pub mask: Mask,
}

/// What one probe learnt from the query.
#[derive(Debug, Default)]
pub struct Asked {
    /// The server's version.
    pub version: Option<String>,
    /// The answer to the query.
    pub answer: Option<Answer>,
    /// How long the first question took.
    pub took: Option<Duration>,
    /// What the server said last, for evidence.
    pub said: String,
}

/// The answer to a query.
#[derive(Debug, Default)]
pub struct Answer {
    /// The first column of the first row.
    pub first: Option<String>,
    /// How many rows came.
    pub rows: u64,
}

impl Sql {
    /// Reads the options.
    pub fn read(fields: &mut Fields<'_>, dialect: &'static Dialect) -> Option<Self> {
        let errors = fields.cx().error_count();
        let mut mask = Mask::default();
        let security = Security::on_request(fields, alpn::NONE);
        let endpoint = Endpoint::read(fields, &mut mask, Some(dialect.port));
        let account = security.account(fields, &mut mask, endpoint.as_ref());
        if fields.node("user").is_none() {
            fields.missing("user", "write the name to log in with: `user: monitoring`");
        }
        let (database, query) = (fields.text("database"), fields.text("query"));
        for text in [&database, &query].into_iter().flatten() {
            mask.add_text(text);
        }
        for text in [&account.user, &account.password, &database, &query].into_iter().flatten() {
            refuse_nul(fields, text);
        }
        let (mut value, mut rows, mut replication) =
            (ValueChecks::default(), RowChecks::default(), Replication::default());
        if let Some(mut expect) = fields.nested_of("expect", "value") {
            value = ValueChecks::read(&mut expect);
            rows = RowChecks::read(&mut expect);
            replication = Replication::read_with_lag(&mut expect, dialect.lag_unit);
            if query.is_none() && !(value.is_empty() && rows.is_empty()) {
                let message = "`value` and `rows` judge the answer to `query`, and there is none";
                expect.error(expect.head(), Code::Conflict, message, "add e.g. `query: SELECT count(*) FROM orders`");
            }
            expect.finish();
        }
        let latency = Latency::read(fields);
        if fields.cx().error_count() > errors {
            return None;
        }
        Some(Self {
            dialect,
            endpoint: endpoint?,
            security,
            user: account.user?.secret(),
            password: account.password.map(Text::secret),
            tells: account.tells,
            database: database.map(|t| t.value().to_owned()),
            query: query.map(Text::secret),
            value,
            rows,
            replication,
            latency,
            mask,
        })
    }

    /// The name to log in with.
    pub fn user(&self) -> &str {
        self.user.reveal()
    }

    /// Its password, or nothing.
    pub fn password(&self) -> &str {
        self.password.as_ref().map_or("", |p| p.reveal())
    }

    /// Judges what was learnt. `product` is what the server is, `MySQL 8.4.0`.
    pub fn judge(&self, trace: &Trace, asked: &Asked, standing: &Standing, product: String) -> Outcome {
        let mut judge = Judge::default();
        let mut summary = product;
        if let Some(role) = standing.role {
            summary += &format!(", {}", role.word());
        }
        if let Some(answer) = &asked.answer {
            self.value.judge(answer.first.as_deref(), &mut judge);
            self.rows.judge(answer.rows, &mut judge);
            summary += &format!(", {} row{}", answer.rows, if answer.rows == 1 { "" } else { "s" });
            if let Some(first) = &answer.first {
                summary += &format!(", value {}", found(first));
            }
        }
        self.replication.judge(standing, &mut judge);
        self.latency.judge(trace.elapsed(), &mut judge);
        judge.outcome(summary)
    }

    /// Names of all checks.
    pub fn checks(&self) -> Vec<&str> {
        let answer = self.value.names().chain(self.rows.names());
        answer.chain(self.replication.names()).chain(self.latency.names()).collect()
    }

    /// Series of the query.
    pub fn samples(&self, asked: &Asked, out: &mut Vec<Sample>) {
        out.extend(asked.took.map(|took| Sample::new(self.dialect.duration, took.as_secs_f64())));
        if let Some(answer) = &asked.answer {
            out.push(Sample::new(self.dialect.rows, answer.rows as f64));
            let value = answer.first.as_deref().and_then(number);
            out.extend(value.map(|n| Sample::new(self.dialect.value, n)));
        }
    }
}

/// The protocols of databases end texts with a NUL byte.
fn refuse_nul(fields: &Fields<'_>, text: &Text) {
    if text.value().contains('\0') {
        fields.error(text.span, Code::BadValue, "the text holds a NUL byte", "remove it");
    }
}

#[cfg(test)]
mod tests {
    use crate::collect::kinds::testing::problems;

    #[test]
    fn mistakes_are_told_where_they_stand() {
        for kind in ["mysql", "postgres"] {
            #[track_caller]
            fn check(kind: &str, yaml: &str, want: &str) {
                let got = problems(kind, yaml);
                assert!(got.iter().any(|p| p.contains(want)), "{kind} {yaml}: {got:?}");
            }
            check(kind, "{host: db}", "`user` is missing");
            check(kind, "{host: db, user: u, expect: {rows: {at_least: 1}}}", "judge the answer to `query`");
            check(kind, "{host: db, user: u, expect: {role: master}}", "no role");
            for text in ["user: \"a\\0b\"", "user: u, password: \"a\\0b\"", "user: u, database: \"a\\0b\""] {
                check(kind, &format!("{{host: db, {text}}}"), "NUL byte");
            }
        }
    }
}
