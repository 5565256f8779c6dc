//! Tables: template → text. Expected texts are those of Go 1.24 and Prometheus 3.5.

use super::*;

struct Vectors(Vec<Sample>);

impl Ask for Vectors {
    fn query(&mut self, text: &str) -> Result<Vec<Sample>, String> {
        let (name, label) = text.split_once('/').unwrap_or((text, ""));
        if name == "bad" {
            return Err("parse error".to_owned());
        }
        let found = self.0.iter().filter(|s| {
            s.labels.metric_name() == name && (label.is_empty() || s.labels.get("instance") == Some(label))
        });
        Ok(found.cloned().collect())
    }
}

fn sample(name: &str, instance: &str, value: f64) -> Sample {
    Sample { labels: Labels::new([(METRIC_NAME, name), ("instance", instance)]), value }
}

use crate::base::labels::METRIC_NAME;

fn expand_in(dialect: Dialect, text: &str, value: f64) -> Result<String, String> {
    let labels = Labels::new([("instance", "db1.example.com:9100"), ("job", "node")]);
    let external = Labels::new([("site", "fra")]);
    let scope = Scope {
        name: "t",
        labels: &labels,
        external_labels: &external,
        external_url: "https://w.example.com/x",
        value,
        now: Timestamp::from_millis(1_500),
    };
    let mut ask = Vectors(vec![sample("m", "b", 2.0), sample("m", "a", 11.0), sample("one", "z", 0.5)]);
    let template = Template::parse("t", text, dialect).map_err(|e| e.to_string())?;
    template.expand(&scope, &mut ask).map_err(|e| e.to_string())
}

#[track_caller]
fn gives(text: &str, expected: &str) {
    assert_eq!(expand_in(Dialect::Prometheus, text, 1234.5), Ok(expected.to_owned()), "{text}");
}

#[test]
fn texts_variables_and_blocks() {
    gives("plain } text", "plain } text");
    gives("{{ $labels.instance }} {{ $value }}", "db1.example.com:9100 1234.5");
    gives(
        "{{ .Labels.job }}{{ .Value }}{{ $externalLabels.site }}{{ $externalURL }}",
        "node1234.5frahttps://w.example.com/x",
    );
    gives("a {{- 1 -}} b", "a1b");
    gives("a {{/* no */}} b {{- /* no */ -}} c", "a  bc");
    gives("{{ if eq $labels.job \"node\" }}y{{ else }}n{{ end }}", "y");
    gives("{{ if false }}a{{ else if true }}b{{ else }}c{{ end }}", "b");
    gives("{{ with $x := 3 }}{{ $x }}{{ . }}{{ end }}", "33");
    gives("{{ with .Labels.nothing }}a{{ else with 2 }}{{ . }}{{ end }}", "2");
    gives("{{ range $k, $v := .Labels }}{{ $k }}={{ $v }};{{ end }}", "instance=db1.example.com:9100;job=node;");
    gives("{{ range query \"m\" }}{{ .Labels.instance }}:{{ .Value }} {{ end }}", "b:2 a:11 ");
    gives(
        "{{ range $i, $s := query \"m\" | sortByLabel \"instance\" }}{{ $i }}{{ label \"instance\" $s }}{{ end }}",
        "0a1b",
    );
    gives("{{ range query \"none\" }}x{{ else }}empty{{ end }}", "empty");
    gives("{{ range query \"m\" }}{{ if eq .Value 11.0 }}{{ break }}{{ end }}{{ .Value }}{{ end }}", "2");
    gives("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2");
    gives("{{ define \"x\" }}[{{ . }}]{{ end }}{{ template \"x\" 5 }}", "[5]");
    gives("{{ (query \"one\" | first).Value }}", "0.5");
    gives("{{ query \"one\" | first | value | humanizePercentage }}", "50%");
    gives("{{ with args 1 \"b\" }}{{ .arg0 }}{{ .arg1 }}{{ .arg2 }}{{ end }}", "1b<no value>");
    gives("{{ `raw \\n` }}{{ \"a\\tb\\u00fc\" }}{{ 'x' }}", "raw \\na\tbü120");
    gives("{{ and 1 0 }}{{ or 0 2 }}{{ not 0 }}{{ len \"abc\" }}{{ index .Labels \"job\" }}", "02true3node");
    gives("{{ .Labels.missing }}|{{ $labels.missing }}", "|");
    gives("{{ lt 1 2 }}{{ ge 1.5 1.5 }}{{ gt \"b\" \"a\" }}{{ ne 1 2 }}{{ eq 3 1 2 3 }}", "truetruetruetruetrue");
}

#[test]
fn functions_of_texts() {
    gives("{{ $labels.instance | stripPort }} {{ stripDomain $labels.instance }}", "db1.example.com db1:9100");
    gives(
        "{{ stripDomain \"10.0.0.1:80\" }} {{ stripPort \"[::1]:80\" }} {{ stripPort \"::1\" }}",
        "10.0.0.1:80 ::1 ::1",
    );
    gives("{{ \"aBc dEf\" | toUpper }} {{ toLower \"ABC\" }} {{ title \"aa bB CC\" }}", "ABC DEF abc Aa BB CC");
    gives("{{ reReplaceAll \"(.*)\\\\.example\\\\.com.*\" \"$1!\" $labels.instance }}", "db1!");
    gives("{{ match \"^db\" $labels.instance }} {{ safeHtml \"<b>\" }} {{ html \"<b>\" }}", "true <b> &lt;b&gt;");
    gives("{{ graphLink \"up == 1\" }}", "/graph?g0.expr=up+%3D%3D+1&g0.tab=0");
    gives("{{ parseDuration \"1h2m\" }} {{ externalURL }} {{ pathPrefix }}", "3720 https://w.example.com/x /x");
    gives(
        "{{ 1435065584.128 | toTime }} {{ 1435065584.128 | humanizeTimestamp }}",
        "2015-06-23 13:19:44.128 +0000 UTC 2015-06-23 13:19:44.128 +0000 UTC",
    );
    gives("{{ 3661.5 | toDuration }} {{ now }}", "1h1m1.5s 1.5");
}

#[test]
fn numbers_as_go_prints_them() {
    for (text, expected) in [
        ("0.1", "0.1"),
        ("100000.0", "100000"),
        ("1000000.0", "1e+06"),
        ("123456789.0", "1.23456789e+08"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("-2.5", "-2.5"),
        ("12", "12"),
        ("0x1F", "31"),
        ("1e3", "1000"),
    ] {
        gives(&format!("{{{{ {text} }}}}"), expected);
    }
    for (format, expected) in [
        ("%.2f", "1234.50"),
        ("%8.1f|", "  1234.5|"),
        ("%-8.1f|", "1234.5  |"),
        ("%08.1f", "001234.5"),
        ("%+.0f", "+1234"),
        ("%e", "1.234500e+03"),
        ("%g", "1234.5"),
        ("%v", "1234.5"),
        ("%d", "%!d(float64=1234.5)"),
        ("%s", "%!s(float64=1234.5)"),
        ("%%", "%%!(EXTRA float64=1234.5)"),
        ("%.3g", "1.23e+03"),
        ("%", "%!(NOVERB)%!(EXTRA float64=1234.5)"),
    ] {
        gives(&format!("{{{{ printf {format:?} $value }}}}"), expected);
    }
    gives("{{ printf \"%s-%d-%t-%q-%x-%5s-%T\" \"a\" 7 true \"b\" 255 \"c\" 1.0 }}", "a-7-true-\"b\"-ff-    c-float64");
    gives("{{ printf \"%d %d\" 1 }} {{ print 1 2 \"x\" 3 }}", "1 %!d(MISSING) 1 2x3");
}

#[test]
fn numbers_for_people() {
    for (function, value, expected) in [
        ("humanize", "0.0", "0"),
        ("humanize", "1.0", "1"),
        ("humanize", "1234567.0", "1.235M"),
        ("humanize", ".12", "120m"),
        ("humanize", "-1500.0", "-1.5k"),
        ("humanize", "0.000012", "12u"),
        ("humanize", "999.9999", "1000"),
        ("humanize1024", "0.0", "0"),
        ("humanize1024", "1048576.0", "1Mi"),
        ("humanize1024", "1.0", "1"),
        ("humanize1024", "1500.0", "1.465ki"),
        ("humanizeDuration", "0.0", "0s"),
        ("humanizeDuration", "1.0", "1s"),
        ("humanizeDuration", "60.0", "1m 0s"),
        ("humanizeDuration", "3600.0", "1h 0m 0s"),
        ("humanizeDuration", "86400.0", "1d 0h 0m 0s"),
        ("humanizeDuration", "123.456", "2m 3s"),
        ("humanizeDuration", "-86401.0", "-1d 0h 0m 1s"),
        ("humanizeDuration", ".12345", "123.5ms"),
        ("humanizeDuration", "1.5", "1.5s"),
        ("humanizeDuration", "0.0001", "100us"),
        ("humanizePercentage", "0.12345", "12.35%"),
        ("humanizePercentage", "1.1", "110%"),
        ("humanize", "\"1024\"", "1.024k"),
        ("humanizeDuration", "\"60\"", "1m 0s"),
    ] {
        gives(&format!("{{{{ {value} | {function} }}}}"), expected);
    }
}

#[test]
fn errors_in_gos_words() {
    for (text, expected) in [
        ("{{ nope }}", "template: t:1: function \"nope\" not defined"),
        ("{{ $x }}", "template: t:1: undefined variable \"$x\""),
        ("\n{{ if }}{{ end }}", "template: t:2: missing value for if"),
        ("{{ if true }}", "template: t:1: unexpected EOF"),
        ("{{ \"a }}", "template: t:1: unterminated quoted string"),
        ("{{ 1", "template: t:1: unclosed action"),
        ("{{ end }}", "template: t:1: unexpected {{end}}"),
        ("{{ (1 }}", "template: t:1: unclosed left paren"),
        ("{{ . | | . }}", "template: t:1: unexpected \"|\" in command"),
        ("{{ $value%2 }}", "template: t:1: bad character U+0025 '%'"),
        ("{{ break }}", "template: t:1: {{break}} outside {{range}}"),
        (
            "{{ query \"none\" | first }}",
            "error executing template t: template: t:1:130: executing \"t\" at <first>: error calling first: first() called on vector with no elements",
        ),
        (
            "{{ query \"bad\" }}",
            "error executing template t: template: t:1:115: executing \"t\" at <query \"bad\">: error calling query: parse error",
        ),
        (
            "{{ toUpper 1 }}",
            "error executing template t: template: t:1:115: executing \"t\" at <toUpper 1>: wrong type for value; expected string; got int",
        ),
        (
            "{{ lt 1 1.5 }}",
            "error executing template t: template: t:1:115: executing \"t\" at <lt 1 1.5>: error calling lt: incompatible types for comparison",
        ),
    ] {
        assert_eq!(expand_in(Dialect::Prometheus, text, 1.0).unwrap_err(), expected, "{text}");
    }
    let template = Template::parse("__alert_A", "{{ query \"x\" | first }}", Dialect::Prometheus).unwrap();
    let labels = Labels::default();
    let scope = Scope {
        name: "__alert_A",
        labels: &labels,
        external_labels: &labels,
        external_url: "",
        value: 1.0,
        now: Timestamp::EPOCH,
    };
    let (text, error) = template.expand_or_say(&scope, &mut NoQueries);
    assert!(
        text.starts_with("<error expanding template: error executing template __alert_A: template: __alert_A:1:"),
        "{text}"
    );
    assert!(error.is_some());
}

#[test]
fn our_own_form_has_friendlier_names() {
    let friendly = |text: &str, value| expand_in(Dialect::Friendly, text, value).unwrap();
    assert_eq!(friendly("shop answers in {{ value | duration }}", 0.75), "shop answers in 750ms");
    assert_eq!(friendly("{{ labels.job }} {{ value | percent }} {{ value | humanize }}", 0.5), "node 50% 500m");
    assert_eq!(friendly("{{ value | bytes }} {{ $value }}", 1_048_576.0), "1MiB 1.048576e+06");
    assert_eq!(friendly("{{ query \"one\" | first | value }}", 1.0), "0.5");
    assert!(expand_in(Dialect::Prometheus, "{{ labels.job }}", 1.0).is_err());
}

#[test]
fn work_and_size_are_bounded() {
    let deep = "{{ (1) }}";
    assert!(expand_in(Dialect::Prometheus, deep, 1.0).is_ok());
    assert!(
        Template::parse("t", &format!("{{{{ {}1{} }}}}", "(".repeat(10_000), ")".repeat(10_000)), Dialect::Prometheus)
            .is_err()
    );
    assert!(Template::parse("t", &"{{if 1}}".repeat(10_000), Dialect::Prometheus).is_err());
    for text in [
        "{{ range 100000 }}{{ range 100000 }}x{{ end }}{{ end }}",
        "{{ define \"a\" }}{{ template \"a\" }}{{ end }}{{ template \"a\" }}",
        "{{ range 1000 }}{{ printf \"%9999s\" \"x\" }}{{ end }}",
        "{{ reReplaceAll \"\" \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" (printf \"%9999s\" \"\") }}",
    ] {
        assert!(expand_in(Dialect::Prometheus, text, 1.0).is_err(), "{text}");
    }
}

#[test]
fn no_text_breaks_it() {
    let mut rng = fastrand::Rng::with_seed(7);
    let parts = [
        "{{", "}}", "{{-", "-}}", " ", "$x", "$value", ":=", "=", "|", "(", ")", "if", "end", "else", "range", "with",
        ".", ".a", "\"", "`", "'", "1", "e5", "printf", "%", "ü", "define", "template", "break", "/*", "*/", "\\",
        "query", ",", "index", "slice", "\n",
    ];
    for _ in 0..20_000 {
        let text: String = (0..rng.usize(1..14)).map(|_| parts[rng.usize(..parts.len())]).collect();
        let _ = expand_in(Dialect::Friendly, &text, 1.0);
        let _ = expand_in(Dialect::Prometheus, &format!("{{{{ {text} }}}}"), 1.0);
    }
}

#[test]
fn no_template_takes_all_memory_or_all_time() {
    let fails = |text: &str, expected: &str| {
        let said = expand_in(Dialect::Prometheus, text, 1.0).unwrap_err();
        assert!(said.contains(expected), "{text}: {said}");
    };
    // Doubled forty times over.
    fails("{{ $x := \"ab\" }}{{ range 40 }}{{ $x = print $x $x }}{{ end }}", "the text is too long");
    fails("{{ $x := \"ab\" }}{{ range 40 }}{{ $x = printf \"%x\" $x }}{{ end }}", "the text is too long");
    fails(
        "{{ $x := \"<\" }}{{ range 40 }}{{ $x = html $x }}{{ end }}{{ $x }}{{ range 40 }}{{ $x = html $x $x }}{{ end }}",
        "too long",
    );
    fails("{{ $x := 1 }}{{ range 40 }}{{ $x = args $x $x }}{{ end }}{{ $x }}", "too many maps");
    // Long lists that are left at once, expressions and queries without end.
    fails("{{ range 100000 }}{{ range 99999 }}{{ break }}{{ end }}{{ end }}", "too many steps");
    fails("{{ range 90000 }}{{ query \"m\" }}{{ end }}", "too many steps");
    fails("{{ range 90000 }}{{ match \"(a|b|c){90}\" \"x\" }}{{ end }}", "too many steps");
}
