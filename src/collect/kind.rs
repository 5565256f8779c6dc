//! What a kind of monitor says about itself: its name, its options' reader, and how
//! `watchdog probe` spells them.

use crate::collect::metric::Metric;
use crate::config::catalog::Probe;
use crate::config::fields::Fields;

/// One kind of monitor.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What `type:` says.
    pub name: &'static str,
    /// One line for `watchdog probe --help`.
    pub about: &'static str,
    /// What stands on the command line without a flag; `None` when the kind is not probed there.
    pub operand: Option<Operand>,
    /// The flags of `watchdog probe NAME`, in groups that kinds share.
    pub flags: &'static [&'static [Flag]],
    /// What its probes measure, in groups that kinds share; of two rows for one name, the first speaks.
    pub metrics: &'static [&'static [Metric]],
    /// Reads the kind's options. Opens nothing; leaves `finish` to the caller, who reads the common keys.
    pub read: fn(&mut Fields<'_>) -> Option<Probe>,
}

/// The words of a command line that belong to no flag.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// There are none.
    Nothing,
    /// One, for this option.
    One {
        /// The option.
        path: &'static str,
        /// As help shows it: `URL`.
        name: &'static str,
        /// What to write.
        help: &'static str,
    },
    /// All that follow, flags included: a program and its arguments.
    Rest {
        /// The option, a list.
        path: &'static str,
        /// As help shows it.
        name: &'static str,
        /// What to write.
        help: &'static str,
    },
}

/// One flag of `watchdog probe`, which stands for one option of a monitor.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Without the dashes: `expect-status`.
    pub name: &'static str,
    /// The option, with dots between levels: `expect.status`. In [`Form::Pairs`] a level `*` is the pair's name.
    pub path: &'static str,
    /// What its value is.
    pub form: Form,
    /// One sentence.
    pub help: &'static str,
    /// Another flag that must be given with it.
    pub needs: Option<&'static str>,
}

/// What follows a flag.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// Nothing: the option gets this value.
    Switch(&'static str),
    /// One value, shown as this in help.
    One(&'static str),
    /// One value, the name of a file or directory: made absolute.
    Path(&'static str),
    /// Several values, by repeating the flag.
    Many(&'static str),
    /// Several values, by repeating the flag or with commas.
    List(&'static str),
    /// Names with values, by repeating the flag; the character stands between them.
    Pairs(char, &'static str),
}

impl Flag {
    /// A flag for one option.
    pub const fn new(name: &'static str, path: &'static str, form: Form, help: &'static str) -> Self {
        Self { name, path, form, help, needs: None }
    }

    /// The same, of use only with another flag.
    #[must_use]
    pub const fn needs(mut self, other: &'static str) -> Self {
        self.needs = Some(other);
        self
    }
}

/// `tls: {…}` of kinds that always may speak TLS.
pub const TLS: &[Flag] = &[
    Flag::new("insecure", "tls.verify", Form::Switch("false"), "Do not verify the certificate."),
    Flag::new("server-name", "tls.server_name", Form::One("NAME"), "Name that the certificate must be for."),
    Flag::new("ca-file", "tls.ca_file", Form::Path("FILE"), "PEM file with the CA to trust instead of the system's."),
    Flag::new("client-cert", "tls.cert_file", Form::Path("FILE"), "PEM file with the client certificate to show."),
    Flag::new("client-key", "tls.key_file", Form::Path("FILE"), "PEM file with its private key.").needs("client-cert"),
    Flag::new(
        "tls-min",
        "tls.min_version",
        Form::One("VERSION"),
        "Lowest version of TLS that is offered, `1.2` or `1.3`.",
    ),
    Flag::new("tls-max", "tls.max_version", Form::One("VERSION"), "Highest version of TLS that is offered."),
];

/// `tls: true` or `tls: {…}` of kinds that speak it on demand.
pub const TLS_ON_DEMAND: &[Flag] = &[
    Flag::new("tls", "tls", Form::Switch("true"), "Speak TLS."),
    TLS[0].needs("tls"),
    TLS[1].needs("tls"),
    TLS[2].needs("tls"),
    TLS[3].needs("tls"),
    TLS[4],
    TLS[5].needs("tls"),
    TLS[6].needs("tls"),
];

/// `ip_version`, `resolver` and `connect_to` of kinds that connect by a [`Route`](crate::collect::dial::Route).
pub const ROUTE: &[Flag] = &[
    Flag::new("ip-version", "ip_version", Form::One("VERSION"), "`4`, `6`, `prefer4` or `prefer6`."),
    Flag::new("resolver", "resolver", Form::Many("ADDRESS"), "DNS server to ask instead of the system's resolver."),
    Flag::new("connect-to", "connect_to", Form::One("ADDRESS"), "Address to dial, whatever the name says."),
];

/// What is said and what must be answered, of kinds that hold a conversation. `steps` go into a file, or `--set`.
pub const SCRIPT: &[Flag] = &[
    Flag::new("send", "send", Form::One("TEXT"), "Text to send."),
    Flag::new("send-line", "send_line", Form::One("TEXT"), "Text to send, with a line's end."),
    Flag::new("send-hex", "send_hex", Form::One("HEX"), "Bytes to send, in hexadecimal digits."),
    Flag::new("expect-contains", "expect.contains", Form::Many("TEXT"), "Text that the answer must contain."),
    Flag::new(
        "expect-matches",
        "expect.matches",
        Form::Many("REGEX"),
        "Regular expression that the answer must match.",
    ),
];

/// `latency: {…}` beside the other options.
pub const LATENCY: &[Flag] = &[
    Flag::new(
        "latency-below",
        "latency.below",
        Form::One("DURATION"),
        "Down when the probe takes this long or longer.",
    ),
    Flag::new(
        "degraded-above",
        "latency.degraded_above",
        Form::One("DURATION"),
        "Degraded when it takes longer than this.",
    ),
];

/// `expect: {latency: {…}}`.
pub const EXPECT_LATENCY: &[Flag] = &[
    Flag { path: "expect.latency.below", ..LATENCY[0] },
    Flag { path: "expect.latency.degraded_above", ..LATENCY[1] },
];
