//! Random queries that are well typed and mostly have an answer.

use fastrand::Rng;

/// A query or a part of one that can be asked alone.
#[derive(Clone, Debug)]
pub struct Ask {
    /// As it is asked.
    pub text: String,
    /// Its outermost operation: what it is reported under.
    pub shape: String,
    /// Parts that can be asked alone.
    pub parts: Vec<Ask>,
    /// It chooses among series whose values may be equal.
    pub any_of_equals: bool,
    /// It binds weaker than a function call.
    binary: bool,
    /// Nothing but arithmetic without matching: what it means without brackets is always well typed.
    plain: bool,
}

impl Ask {
    fn new(shape: impl Into<String>, text: String, parts: Vec<Self>) -> Self {
        let any_of_equals = parts.iter().any(|p| p.any_of_equals);
        let plain = true;
        Self { text, shape: shape.into(), parts, any_of_equals, binary: false, plain }
    }

    /// As an operand.
    fn operand(&self) -> String {
        if self.binary { format!("({})", self.text) } else { self.text.clone() }
    }
}

/// A metric with the labels that tell its series apart.
struct Metric {
    name: &'static str,
    labels: &'static [&'static str],
    /// Conditions that select some of them.
    matchers: &'static [&'static str],
}

const METRICS: [Metric; 16] = [
    Metric {
        name: "node_cpu_seconds_total",
        labels: &["instance", "cpu", "mode"],
        matchers: &[
            "mode=\"idle\"",
            "mode!=\"idle\"",
            "cpu=\"0\"",
            "mode=~\"user|system\"",
            "instance=~\"host-[12].*\"",
        ],
    },
    Metric {
        name: "node_load1",
        labels: &["instance"],
        matchers: &["instance!~\"host-0.*\"", "instance=\"host-3:9100\""],
    },
    Metric { name: "node_memory_MemAvailable_bytes", labels: &["instance"], matchers: &["job=\"node\""] },
    Metric { name: "node_memory_MemTotal_bytes", labels: &["instance"], matchers: &["job=~\".+\""] },
    Metric {
        name: "node_filesystem_avail_bytes",
        labels: &["instance", "device", "mountpoint"],
        matchers: &["device=\"sda1\"", "mountpoint=~\"/srv.*\""],
    },
    Metric { name: "up", labels: &["instance"], matchers: &["instance=~\"host-.*\""] },
    Metric { name: "node_uname_info", labels: &["instance", "release"], matchers: &["release!=\"\""] },
    Metric { name: "temperature_celsius", labels: &["instance", "sensor"], matchers: &["sensor=\"Ä \\\"x\\\"\\\\\""] },
    Metric {
        name: "http_requests_total",
        labels: &["instance", "code", "method"],
        matchers: &["code=\"200\"", "code=~\"4..|5..\"", "method=\"GET\"", "code!~\"2.*\",method=\"POST\""],
    },
    Metric {
        name: "request_duration_seconds_bucket",
        labels: &["instance", "le"],
        matchers: &["le=\"0.5\"", "le=~\"0.*\"", "instance=\"host-0:9100\""],
    },
    Metric { name: "request_duration_seconds_sum", labels: &["instance"], matchers: &["job=\"shop\""] },
    Metric { name: "request_duration_seconds_count", labels: &["instance"], matchers: &["job=\"shop\""] },
    Metric {
        name: "awkward",
        labels: &["kind"],
        matchers: &["kind=\"nan\"", "kind=~\".*inf\"", "kind!~\".*inf|huge\"", "kind=\"zeros\"", "kind=\"cancelling\""],
    },
    Metric { name: "gappy", labels: &["kind"], matchers: &["kind=\"marked\"", "kind=\"plain\""] },
    Metric { name: "jobs_total", labels: &["batch"], matchers: &["batch!=\"batch-1\""] },
    Metric { name: "sparse", labels: &["job"], matchers: &["job=\"odd\""] },
];

const MATH: [&str; 29] = [
    "abs",
    "ceil",
    "floor",
    "exp",
    "ln",
    "log2",
    "log10",
    "sqrt",
    "sgn",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "deg",
    "rad",
    "round",
    "timestamp",
    "minute",
    "hour",
    "sort",
    "sort_desc",
];
const DATES: [&str; 6] = ["year", "month", "day_of_month", "day_of_week", "day_of_year", "days_in_month"];
const OVER_TIME: [&str; 22] = [
    "rate",
    "increase",
    "delta",
    "irate",
    "idelta",
    "changes",
    "resets",
    "deriv",
    "avg_over_time",
    "sum_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "absent_over_time",
    "rate",
    "increase",
    "max_over_time",
    "avg_over_time",
];
/// Asked for first, since not every version has them, or only when they are enabled.
const OPTIONAL: [&str; 7] = [
    "mad_over_time",
    "first_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
    "double_exponential_smoothing",
];
const AGGREGATIONS: [&str; 9] = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "sum"];
const ARITHMETIC: [&str; 7] = ["+", "-", "*", "/", "%", "^", "atan2"];
const COMPARISONS: [&str; 6] = ["==", "!=", ">", "<", ">=", "<="];
const RANGES: [&str; 12] = ["15s", "30s", "1m", "61s", "90s", "2m", "5m", "5m", "7m", "17m", "1h", "123s456ms"];
const OFFSETS: [&str; 7] = ["15s", "1m", "5m", "-3m", "10m", "-30s", "1h"];
const STEPS: [&str; 7] = ["", "15s", "30s", "1m", "37s", "5m", "1s"];
const NUMBERS: [&str; 17] =
    ["90s", "0", "1", "2", "3", "0.5", "-1", "10", "100", "1e3", "0.1", "NaN", "Inf", "-Inf", "1e10", "0.99", "0x1F"];

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(0..from.len())]
}

/// Makes queries over the data of [`data`](crate::data).
pub struct Generator {
    /// Of the first samples, in milliseconds.
    base: i64,
    /// Those of [`OPTIONAL`] that can be asked.
    optional: Vec<&'static str>,
    /// Whether there is `info`.
    info: bool,
    /// Whether there are `limitk` and `limit_ratio`.
    limit: bool,
}

impl Generator {
    /// `understood` asks whether a query is.
    pub fn new(base: i64, mut understood: impl FnMut(&str) -> bool) -> Self {
        let probe = |name: &&str| {
            let more = if *name == "double_exponential_smoothing" { ",0.5,0.5" } else { "" };
            understood(&format!("{name}(up[1m]{more})"))
        };
        let optional = OPTIONAL.into_iter().filter(probe).collect();
        Self { base, optional, info: understood("info(up)"), limit: understood("limit_ratio(0.5, up)") }
    }

    /// A query of at most this depth.
    pub fn query(&mut self, rng: &mut Rng, depth: u32) -> Ask {
        let depth = rng.u32(0..=depth);
        match rng.u8(0..20) {
            0 => self.scalar(rng, depth),
            1 => self.choice(rng, depth),
            _ => self.vector(rng, depth),
        }
    }

    /// `topk` and `bottomk` only outermost: which of equal values they take is nobody's promise.
    fn choice(&self, rng: &mut Rng, depth: u32) -> Ask {
        let name = pick(rng, &["topk", "bottomk"]);
        let of = self.vector(rng, depth);
        let k = pick(rng, &["1", "2", "3", "0", "-1", "100", "2.9"]);
        let grouping = if rng.bool() { " by (instance) " } else { "" };
        let mut ask = Ask::new(name, format!("{name}{grouping}({k}, {})", of.text), vec![of]);
        ask.any_of_equals = true;
        ask
    }

    fn scalar(&self, rng: &mut Rng, depth: u32) -> Ask {
        if depth == 0 {
            let text = match rng.u8(0..6) {
                0 => "time()".to_owned(),
                1 => "pi()".to_owned(),
                _ => pick(rng, &NUMBERS).to_owned(),
            };
            return Ask::new("number", text, Vec::new());
        }
        match rng.u8(0..4) {
            0 => {
                let of = self.vector(rng, depth - 1);
                Ask::new("scalar", format!("scalar({})", of.text), vec![of])
            }
            1 => {
                let (a, b) = (self.scalar(rng, depth - 1), self.scalar(rng, depth - 1));
                let op = pick(rng, &COMPARISONS);
                self.binary(format!("scalar {op} scalar"), &format!("{op} bool"), a, b)
            }
            2 => {
                let (a, b) = (self.scalar(rng, depth - 1), self.scalar(rng, depth - 1));
                let op = pick(rng, &ARITHMETIC);
                self.binary(format!("scalar {op} scalar"), op, a, b)
            }
            _ => self.scalar(rng, 0),
        }
    }

    fn binary(&self, shape: String, op: &str, a: Ask, b: Ask) -> Ask {
        let plain = ARITHMETIC.contains(&op) && a.plain && b.plain;
        // Without brackets, precedence decides.
        let bare = plain && (a.text.len() + b.text.len()).is_multiple_of(2);
        let operand = |a: &Ask| if bare { a.text.clone() } else { a.operand() };
        let mut ask = Ask::new(shape, format!("{} {op} {}", operand(&a), operand(&b)), vec![a, b]);
        (ask.binary, ask.plain) = (true, plain);
        // Its operands may not be what is evaluated.
        if bare && ask.parts.iter().any(|p| p.binary) {
            ask.parts.clear();
        }
        ask
    }

    fn vector(&self, rng: &mut Rng, depth: u32) -> Ask {
        let metric = &METRICS[rng.usize(0..METRICS.len())];
        self.vector_of(rng, depth, metric)
    }

    /// A vector made of one metric where possible, so that its labels are known.
    fn vector_of(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> Ask {
        if depth == 0 {
            return self.selector(rng, metric);
        }
        let depth = depth - 1;
        match rng.u8(0..25) {
            24 => self.experimental(rng, depth, metric),
            0..=6 => self.over_time(rng, depth, metric),
            7..=9 => self.aggregation(rng, depth, metric),
            10 | 11 => {
                let of = self.vector_of(rng, depth, metric);
                let name = if rng.u8(0..5) == 0 { pick(rng, &DATES) } else { pick(rng, &MATH) };
                let text = match name {
                    // Of large numbers, the last bit decides everything.
                    "sin" | "cos" | "tan" => format!("{name}(clamp({}, -100, 100))", of.text),
                    // Prometheus forgets `offset` beside `@` here, and selects what `offset` asks for.
                    "timestamp" if of.text.contains('@') => format!("timestamp(({}) + 0)", of.text),
                    _ => format!("{name}({})", of.text),
                };
                Ask::new(name, text, vec![of])
            }
            12 | 13 => self.with_scalar(rng, depth, metric),
            14 | 15 => self.matched(rng, depth, metric),
            16 => self.joined(rng, depth, metric),
            17 => self.set(rng, depth, metric),
            18 | 19 => self.histogram(rng, depth),
            20 => self.labels(rng, depth, metric),
            21 => self.limits(rng, depth, metric),
            22 => match rng.u8(0..3) {
                0 => {
                    let of = self.scalar(rng, depth);
                    Ask::new("vector", format!("vector({})", of.text), vec![of])
                }
                1 => {
                    let of = self.vector_of(rng, depth, metric);
                    Ask::new("absent", format!("absent({})", of.text), vec![of])
                }
                _ => {
                    let of = self.vector_of(rng, depth, metric);
                    let mut ask = Ask::new("-vector", format!("-{}", of.operand()), vec![of]);
                    ask.binary = true;
                    ask
                }
            },
            _ => self.selector(rng, metric),
        }
    }

    fn selector(&self, rng: &mut Rng, metric: &Metric) -> Ask {
        let text = format!("{}{}", self.series(rng, metric), self.modifiers(rng));
        Ask::new("selector", text, Vec::new())
    }

    fn series(&self, rng: &mut Rng, metric: &Metric) -> String {
        match rng.u8(0..6) {
            0 if rng.bool() => format!("{{\"{}\",{}}}", metric.name, pick(rng, metric.matchers)),
            0 => format!("{{__name__=\"{}\",{}}}", metric.name, pick(rng, metric.matchers)),
            1 | 2 => format!("{}{{{}}}", metric.name, pick(rng, metric.matchers)),
            _ => metric.name.to_owned(),
        }
    }

    fn modifiers(&self, rng: &mut Rng) -> String {
        let offset = if rng.u8(0..8) == 0 { format!(" offset {}", pick(rng, &OFFSETS)) } else { String::new() };
        match rng.u8(0..24) {
            0 => format!("{offset} @ start()"),
            1 => format!(" @ end(){offset}"),
            2 => {
                let t = self.base + rng.i64(0..7_200_000);
                format!(" @ {}.{:03}{offset}", t / 1_000, t % 1_000)
            }
            _ => offset,
        }
    }

    /// A range vector and what of it can be asked alone.
    fn range(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> (String, Vec<Ask>) {
        let range = pick(rng, &RANGES);
        if depth > 0 && rng.u8(0..3) == 0 {
            let of = self.vector_of(rng, depth - 1, metric);
            let step = pick(rng, &STEPS);
            return (format!("{}[{range}:{step}]{}", of.operand(), self.modifiers(rng)), vec![of]);
        }
        (format!("{}[{range}]{}", self.series(rng, metric), self.modifiers(rng)), Vec::new())
    }

    fn over_time(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> Ask {
        let (range, mut parts) = self.range(rng, depth, metric);
        let kind = if parts.is_empty() { "" } else { " of a subquery" };
        let (name, text) = match rng.u8(0..12) {
            0 => {
                let q = self.scalar(rng, depth.min(1));
                let text = format!("quantile_over_time({}, {range})", q.text);
                parts.push(q);
                ("quantile_over_time", text)
            }
            1 => {
                let after = pick(rng, &["0", "60", "3600", "-300", "time() % 100"]);
                ("predict_linear", format!("predict_linear({range}, {after})"))
            }
            2 | 3 if !self.optional.is_empty() => {
                let name = pick(rng, &self.optional);
                let more = match name {
                    "double_exponential_smoothing" => pick(rng, &[", 0.5, 0.1", ", 0.01, 0.99", ", 0.3, 0.3"]),
                    _ => "",
                };
                (name, format!("{name}({range}{more})"))
            }
            _ => {
                let name = pick(rng, &OVER_TIME);
                (name, format!("{name}({range})"))
            }
        };
        Ask::new(format!("{name}{kind}"), text, parts)
    }

    fn grouping(&self, rng: &mut Rng, metric: &Metric) -> String {
        let label = pick(rng, metric.labels);
        match rng.u8(0..6) {
            0 => String::new(),
            1 => format!(" without ({label}) "),
            2 => " by (job) ".to_owned(),
            3 => format!(" by ({}) ", metric.labels.join(", ")),
            4 => " by (none, __name__) ".to_owned(),
            _ => format!(" by ({label}) "),
        }
    }

    fn aggregation(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> Ask {
        let of = self.vector_of(rng, depth, metric);
        let grouping = self.grouping(rng, metric);
        match rng.u8(0..8) {
            0 => {
                let mut q = self.scalar(rng, depth.min(1));
                if q.text.contains('@') {
                    // Prometheus 3.5 takes such a parameter for NaN from some step on.
                    q = self.scalar(rng, 0);
                }
                let text = format!("quantile{grouping}({}, {})", q.text, of.text);
                Ask::new("quantile", text, vec![of, q])
            }
            1 => {
                let label = pick(rng, &["value", "kind", "instance"]);
                Ask::new("count_values", format!("count_values{grouping}(\"{label}\", {})", of.text), vec![of])
            }
            _ => {
                let name = pick(rng, &AGGREGATIONS);
                Ask::new(name, format!("{name}{grouping}({})", of.text), vec![of])
            }
        }
    }

    fn operator(&self, rng: &mut Rng) -> (String, String) {
        if rng.u8(0..3) > 0 {
            let op = pick(rng, &ARITHMETIC);
            return (op.to_owned(), op.to_owned());
        }
        let op = pick(rng, &COMPARISONS);
        (op.to_owned(), if rng.bool() { format!("{op} bool") } else { op.to_owned() })
    }

    fn with_scalar(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> Ask {
        let (vector, scalar) = (self.vector_of(rng, depth, metric), self.scalar(rng, depth.min(1)));
        let (name, op) = self.operator(rng);
        if rng.bool() {
            self.binary(format!("vector {name} scalar"), &op, vector, scalar)
        } else {
            self.binary(format!("scalar {name} vector"), &op, scalar, vector)
        }
    }

    /// Both sides of one metric.
    fn matched(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> Ask {
        let (name, mut op) = self.operator(rng);
        let (a, b) = if rng.bool() {
            (self.vector_of(rng, depth, metric), self.vector_of(rng, depth, metric))
        } else {
            let grouping = format!("by ({})", pick(rng, metric.labels));
            let mut side = || {
                let of = self.vector_of(rng, depth, metric);
                let name = pick(rng, &AGGREGATIONS);
                Ask::new(name, format!("{name} {grouping} ({})", of.text), vec![of])
            };
            (side(), side())
        };
        match rng.u8(0..5) {
            0 => op.push_str(&format!(" on ({})", metric.labels.join(", "))),
            1 => op.push_str(&format!(" ignoring ({})", pick(rng, metric.labels))),
            2 => op.push_str(&format!(" on ({})", pick(rng, metric.labels))),
            _ => {}
        }
        self.binary(format!("vector {name} vector"), &op, a, b)
    }

    /// Many to one.
    fn joined(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> Ask {
        let many = self.vector_of(rng, depth, metric);
        let label = pick(rng, metric.labels);
        let (one, include) = if metric.labels.contains(&"instance") && rng.bool() {
            (
                Ask::new("selector", "node_uname_info".to_owned(), Vec::new()),
                pick(rng, &["", "release", "nodename, job"]),
            )
        } else {
            let of = self.vector_of(rng, depth, metric);
            let name = pick(rng, &AGGREGATIONS);
            (Ask::new(name, format!("{name} by ({label}) ({})", of.text), vec![of]), "")
        };
        let on = if one.text == "node_uname_info" { "instance" } else { label };
        let (name, op) = self.operator(rng);
        if rng.bool() {
            let op = format!("{op} on ({on}) group_left ({include})");
            self.binary(format!("vector {name} group_left vector"), &op, many, one)
        } else {
            let op = format!("{op} on ({on}) group_right ({include})");
            self.binary(format!("vector {name} group_right vector"), &op, one, many)
        }
    }

    fn set(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> Ask {
        let a = self.vector_of(rng, depth, metric);
        let b = if rng.bool() { self.vector_of(rng, depth, metric) } else { self.vector(rng, depth) };
        let name = pick(rng, &["and", "or", "unless"]);
        let on = match rng.u8(0..4) {
            0 => format!(" on ({})", pick(rng, metric.labels)),
            1 => " ignoring (code, mode)".to_owned(),
            2 => " on ()".to_owned(),
            _ => String::new(),
        };
        self.binary(format!("vector {name} vector"), &format!("{name}{on}"), a, b)
    }

    fn histogram(&self, rng: &mut Rng, depth: u32) -> Ask {
        let buckets = &METRICS[9];
        let series = self.series(rng, buckets);
        let range = pick(rng, &RANGES);
        let of = match rng.u8(0..5) {
            0 => Ask::new("selector", series, Vec::new()),
            1 => Ask::new("rate", format!("rate({series}[{range}])"), Vec::new()),
            2 => Ask::new("sum", format!("sum by (le) (rate({series}[{range}]))"), Vec::new()),
            3 => Ask::new("sum", format!("sum by (le, instance) (increase({series}[{range}]))"), Vec::new()),
            _ => self.vector_of(rng, depth, buckets),
        };
        let mut bound = || self.scalar(rng, depth.min(1));
        let (a, b) = (bound(), bound());
        if rng.u8(0..3) == 0 {
            let text = format!("histogram_fraction({}, {}, {})", a.text, b.text, of.text);
            return Ask::new("histogram_fraction", text, vec![of]);
        }
        let q = if rng.bool() { a.text } else { pick(rng, &["0.5", "0.9", "0.99", "0", "1"]).to_owned() };
        Ask::new("histogram_quantile", format!("histogram_quantile({q}, {})", of.text), vec![of])
    }

    fn labels(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> Ask {
        let of = self.vector_of(rng, depth, metric);
        let from = pick(rng, metric.labels);
        let to = pick(rng, &["new", "instance", "job", "__name__", "kind"]);
        if rng.bool() {
            let text = format!("label_join({}, \"{to}\", \"-\", \"{from}\", \"job\")", of.text);
            return Ask::new("label_join", text, vec![of]);
        }
        let template = pick(rng, &["$1", "x${1}y", "$2-$1", "", "same", "$$"]);
        let regex = pick(rng, &["(.*)", "(.).*", "host-(.*):(.*)", "(.*)o(.*)", ""]);
        let text = format!("label_replace({}, \"{to}\", \"{template}\", \"{from}\", \"{regex}\")", of.text);
        Ask::new("label_replace", text, vec![of])
    }

    /// Functions and aggregations that must be enabled.
    fn experimental(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> Ask {
        let of = self.vector_of(rng, depth, metric);
        // Prometheus 3.5 reads the information of the time that `offset` names, and then looks for that of now.
        if self.info && rng.bool() && !of.text.contains('@') && !of.text.contains("offset") {
            let which =
                pick(rng, &["", ", {version=~\"1.5.*\"}", ", {os=\"linux\"}", ", {version=~\".+\"}", ", {none=\"\"}"]);
            return Ask::new("info", format!("info({}{which})", of.text), vec![of]);
        }
        if !self.limit {
            return of;
        }
        let grouping = self.grouping(rng, metric);
        let (name, k) = match rng.bool() {
            // Fewer than there are would be those that come first, in an order that is nobody's promise.
            true => ("limitk", pick(rng, &["0", "100"])),
            false => ("limit_ratio", pick(rng, &["0.5", "-0.5", "0.1", "-0.9", "1", "0", "2"])),
        };
        Ask::new(name, format!("{name}{grouping}({k}, {})", of.text), vec![of])
    }

    fn limits(&self, rng: &mut Rng, depth: u32, metric: &Metric) -> Ask {
        let of = self.vector_of(rng, depth, metric);
        let (a, b) = (self.scalar(rng, depth.min(1)), self.scalar(rng, depth.min(1)));
        let (name, text) = match rng.u8(0..4) {
            0 => ("clamp", format!("clamp({}, {}, {})", of.text, a.text, b.text)),
            1 => ("clamp_min", format!("clamp_min({}, {})", of.text, a.text)),
            2 => ("clamp_max", format!("clamp_max({}, {})", of.text, a.text)),
            _ => ("round", format!("round({}, {})", of.text, pick(rng, &["0.5", "10", "0.01", "0.1", "0"]))),
        };
        Ask::new(name, text, vec![of])
    }
}
