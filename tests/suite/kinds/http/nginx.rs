//! `http` against a real nginx, directly and through a real proxy, and beside a real blackbox_exporter.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use watchdog::base::outcome::{Outcome, Verdict};

use crate::kinds::daemon::{Daemon, free_port, probe, program};
use crate::needs;
use crate::server::wait_for;

/// A real nginx with everything that is asked of it below.
struct Nginx {
    daemon: Daemon,
    plain: u16,
    tls: u16,
    h2c: u16,
    mutual: u16,
    /// Says to whoever asks through it as a proxy how it was called, and what it was shown.
    curious: u16,
}

const LIMIT: Duration = Duration::from_secs(5);
/// Of Debian's nginx.
const BROTLI: &str = "/usr/lib/nginx/modules/ngx_http_brotli_filter_module.so";

impl Nginx {
    fn start() -> Option<Self> {
        let nginx = program("nginx", "nginx")?;
        let dir = tempfile::tempdir().unwrap();
        certificates(dir.path());
        fs::create_dir(dir.path().join("www")).unwrap();
        fs::write(dir.path().join("www/index.html"), "<title>Shop &amp; more</title>\n".repeat(100)).unwrap();
        fs::write(dir.path().join("www/status.json"), r#"{"queue": 7, "workers": ["a", "b"], "v": "1.2.3"}"#).unwrap();
        fs::write(dir.path().join("htpasswd"), "probe:{PLAIN}secret-pw\n").unwrap();
        let [plain, tls, h2c, mutual, curious] = [(); 5].map(|()| free_port());
        let at = dir.path().display().to_string();
        let mut text = String::new();
        let (load, brotli) = match needs::met(Path::new(BROTLI).is_file(), "nginx' module of brotli") {
            true => (format!("load_module {BROTLI};"), "brotli on; brotli_min_length 1;"),
            false => (String::new(), ""),
        };
        let _ = writeln!(text, "{load} daemon off; master_process off; pid {at}/pid; error_log stderr;");
        text += "events {}\nhttp {\n";
        for temp in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            let _ = writeln!(text, "{temp}_temp_path {at}/{temp};");
        }
        let pair = format!("ssl_certificate {at}/server.pem; ssl_certificate_key {at}/server.key;");
        let _ = write!(
            text,
            "access_log off; root {at}/www; ssl_protocols TLSv1.2 TLSv1.3; default_type text/html;
             server {{
               listen 127.0.0.1:{plain};
               location /gzip {{ alias {at}/www/index.html; gzip on; gzip_min_length 1; }}
               location /br {{ alias {at}/www/index.html; {brotli} }}
               location /auth {{ auth_basic shop; auth_basic_user_file {at}/htpasswd; try_files /index.html =404; }}
               location /away {{ return 302 /index.html; }}
               location /broken {{ return 500 'out of order'; }}
               location /login {{
                 add_header Set-Cookie 'sid=cookie-of-the-session; Path=/';
                 add_header X-Token 'token-from-a-header' always;
                 return 302 /home;
               }}
               location /home {{
                 if ($cookie_sid != cookie-of-the-session) {{ return 403; }}
                 return 200 'welcome';
               }}
               location /token {{ return 200 '{{\"token\": \"tok-1234567\", \"user\": \"a/b c\"}}'; }}
               location /user/ {{
                 if ($http_authorization != 'Bearer tok-1234567') {{ return 401; }}
                 return 200 '$request_uri';
               }}
             }}
             server {{ listen 127.0.0.1:{tls} ssl http2; {pair} }}
             server {{ listen 127.0.0.1:{h2c} http2; }}
             server {{
               listen 127.0.0.1:{mutual} ssl; {pair}
               ssl_client_certificate {at}/ca.pem; ssl_verify_client on;
             }}
             server {{
               listen 127.0.0.1:{curious} ssl; {pair}
               ssl_client_certificate {at}/ca.pem; ssl_verify_client optional;
               return 200 'called $ssl_server_name, shown $ssl_client_verify';
             }}
             }}"
        );
        fs::write(dir.path().join("nginx.conf"), text).unwrap();
        let conf = format!("{at}/nginx.conf");
        let daemon = Daemon::start(dir, &nginx, ["-c", &conf]).listening(plain).listening(mutual);
        Some(Self { daemon, plain, tls, h2c, mutual, curious })
    }

    fn file(&self, name: &str) -> String {
        self.daemon.dir().join(name).display().to_string()
    }
}

/// An authority, a server for `localhost` and a client, each in files of `dir`.
fn certificates(dir: &Path) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "shop authority");
    fs::write(dir.join("ca.pem"), params.self_signed(&authority_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, authority_key);
    for (name, host) in [("server", "localhost"), ("client", "probe.example")] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let cert = params.signed_by(&key, &issuer).unwrap();
        fs::write(dir.join(format!("{name}.pem")), cert.pem()).unwrap();
        fs::write(dir.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

fn class(outcome: &Outcome) -> &str {
    outcome.reason.as_ref().map_or("", |r| &r.class)
}

fn sample(outcome: &Outcome, name: &str) -> f64 {
    outcome.samples.iter().find(|s| s.name == name).map_or(f64::NAN, |s| s.value)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_nginx_good_broken_slow_and_gone() {
    let Some(nginx) = Nginx::start() else { return };
    let (plain, tls, h2c, mutual) = (nginx.plain, nginx.tls, nginx.h2c, nginx.mutual);
    let ca = format!("ca_file: {}", nginx.file("ca.pem"));
    let shown = format!("cert_file: {}, key_file: {}", nginx.file("client.pem"), nginx.file("client.key"));
    let up = (Verdict::Up, "");
    let down = |class| (Verdict::Down, class);
    for (text, want) in [
        (format!("url: http://127.0.0.1:{plain}/, expect: {{title: Shop & more}}"), up),
        (format!("url: http://127.0.0.1:{plain}/, expect: {{title: /^shop/}}"), down("title")),
        (
            format!(
                "url: http://127.0.0.1:{plain}/status.json, expect: {{json: {{\"$.queue\": {{below: 10, above: 1}}, \
                 \"$.workers\": {{length: 2, contains: b}}, \"$.v\": {{matches: '^1\\.'}}, \"$.x\": {{exists: false}}}}}}"
            ),
            up,
        ),
        (
            format!("url: http://127.0.0.1:{plain}/status.json, expect: {{json: {{\"$.queue\": {{below: 7}}}}}}"),
            down("json"),
        ),
        (format!("url: http://127.0.0.1:{plain}/broken"), down("status")),
        (format!("url: http://127.0.0.1:{plain}/gzip, compression: gzip, expect: {{title: Shop & more}}"), up),
        (format!("url: http://127.0.0.1:{plain}/, compression: gzip"), down("compression")),
        (
            format!("url: http://127.0.0.1:{plain}/br, compression: br, expect: {{title: Shop & more}}"),
            if Path::new(BROTLI).is_file() { up } else { down("compression") },
        ),
        (
            format!(
                "url: http://127.0.0.1:{plain}/, expect: {{header: {{ETag: {{present: true}}, X-A: {{present: false}}}}}}"
            ),
            up,
        ),
        (format!("url: http://127.0.0.1:{plain}/, expect: {{header: {{ETag: {{present: false}}}}}}"), down("header")),
        (
            format!(
                "url: http://127.0.0.1:{plain}/away, expect: {{redirects: {{count: 1, final_url: /index.html$/}}}}"
            ),
            up,
        ),
        (format!("url: http://127.0.0.1:{plain}/away, expect: {{redirects: {{count: 0}}}}"), down("redirect")),
        (format!("url: http://127.0.0.1:{plain}/away, follow: false, expect: {{status: 302}}"), up),
        (format!("url: http://127.0.0.1:{plain}/login"), up),
        (format!("url: http://127.0.0.1:{plain}/login, cookies: false"), down("status")),
        (format!("url: http://127.0.0.1:{plain}/auth, auth: {{basic: \"probe:secret-pw\"}}"), up),
        (format!("url: http://127.0.0.1:{plain}/auth, auth: {{basic: \"probe:wrong-pw\"}}"), down("status")),
        (format!("url: http://127.0.0.1:{h2c}/, http_version: 2"), up),
        (format!("url: http://127.0.0.1:{plain}/, http_version: 2"), down("protocol_error")),
        (format!("url: https://localhost:{tls}/, tls: {{{ca}}}"), up),
        (format!("url: https://localhost:{tls}/, tls: {{{ca}}}, http_version: 2"), up),
        (format!("url: https://localhost:{tls}/, tls: {{{ca}}}, http_version: 1.1"), up),
        (
            format!(
                "url: https://localhost:{tls}/, tls: {{{ca}}}, \
                 expect: {{cert: {{issuer: shop authority, names: localhost, valid_for: 30d, chain_valid_for: 30d}}}}"
            ),
            up,
        ),
        (
            format!(
                "url: https://localhost:{tls}/, tls: {{{ca}}}, expect: {{cert: {{names: [localhost, b.example]}}}}"
            ),
            down("cert"),
        ),
        (format!("url: https://localhost:{mutual}/, tls: {{{ca}, {shown}}}"), up),
        (format!("url: https://localhost:{mutual}/, tls: {{{ca}}}"), down("status")),
        (format!("url: https://localhost:{mutual}/, tls: {{{ca}}}, http_version: 2"), down("tls_alpn")),
    ] {
        let got = probe("http", &format!("{{{text}}}"), LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{text}: {:?}", got.reason);
        let all = format!("{got:?}");
        assert!(!all.contains("secret-pw") && !all.contains("wrong-pw"), "{all}");
    }
    for (text, version) in [
        (format!("{{url: \"https://localhost:{tls}/\", tls: {{{ca}}}}}"), 2.0),
        (format!("{{url: \"https://localhost:{tls}/\", tls: {{{ca}}}, http_version: 1.1}}"), 1.1),
        (format!("{{url: \"http://127.0.0.1:{h2c}/\", http_version: 2}}"), 2.0),
    ] {
        let got = probe("http", &text, LIMIT).await;
        assert_eq!(sample(&got, "probe_http_version").to_bits(), f64::to_bits(version), "{text}");
        assert_eq!(sample(&got, "probe_http_uncompressed_body_length") as u64, 3_100, "{text}");
    }

    let pid = nix::unistd::Pid::from_raw(nginx.daemon.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    for text in [
        format!("{{url: \"http://127.0.0.1:{plain}/\"}}"),
        format!("{{url: \"http://127.0.0.1:{h2c}/\", http_version: 2}}"),
    ] {
        let slow = probe("http", &text, Duration::from_millis(300)).await;
        assert_eq!((slow.verdict, class(&slow)), (Verdict::Down, "timeout"), "{text}");
        assert!(slow.phases.iter().any(|p| p.failed && p.name == "processing"), "{:?}", slow.phases);
    }
    drop(nginx);
    let gone = probe("http", &format!("{{url: \"http://127.0.0.1:{plain}/\"}}"), LIMIT).await;
    assert_eq!((gone.verdict, class(&gone)), (Verdict::Down, "connection_refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_against_a_real_nginx() {
    let Some(nginx) = Nginx::start() else { return };
    let steps = |second: &str| {
        format!(
            "{{url: \"http://127.0.0.1:{}\", steps: [\
             {{name: login, url: /login, extract: {{sid: {{cookie: sid}}}}}}, \
             {{name: token, url: /token, extract: {{token: {{json: $.token}}, user: {{regex: '\"user\": \"([^\"]+)\"'}}}}}}, \
             {{name: use, url: \"/user/{{{{ user }}}}\", headers: {{Authorization: \"Bearer {{{{ token }}}}\"}}, \
               expect: {{body: {{contains: {second}}}}}}}, \
             {{name: last, url: /home}}]}}",
            nginx.plain
        )
    };
    let got = probe("http", &steps("/user/a%2Fb%20c"), LIMIT).await;
    assert_eq!(got.verdict, Verdict::Up, "{got:?}");
    assert_eq!(got.summary, "last: 200 OK, 7 B");
    let of = |step: &str, name: &str| {
        let is =
            |s: &&watchdog::base::outcome::Sample| s.name == *name && s.labels.contains(&("step".into(), step.into()));
        got.samples.iter().find(is).map(|s| s.value)
    };
    for step in ["login", "token", "use", "last"] {
        assert_eq!(of(step, "probe_http_step_success"), Some(1.0), "{step}");
        assert_eq!(of(step, "probe_http_status_code"), Some(200.0), "{step}");
        assert!(got.phases.iter().any(|p| p.name == format!("{step} processing")), "{:?}", got.phases);
        assert!(got.checks.iter().any(|c| c.name == format!("{step}: status is 200-299")), "{:?}", got.checks);
    }

    let bad = probe("http", &steps("nothing of the kind"), LIMIT).await;
    assert_eq!((bad.verdict, class(&bad)), (Verdict::Down, "body"));
    assert!(bad.reason.as_ref().unwrap().message.starts_with("use: expected:"), "{:?}", bad.reason);
    let unjudged: Vec<_> = bad.checks.iter().filter(|c| c.ok.is_none()).map(|c| c.name.as_str()).collect();
    assert_eq!(unjudged, ["last: status is 200-299"]);
    let all = format!("{bad:?}");
    for value in ["tok-1234567", "cookie-of-the-session", "a%2Fb%20c"] {
        assert!(!all.contains(value), "{value}: {all}");
    }
    let evidence = bad.evidence.unwrap();
    assert!(evidence.items.iter().any(|(title, _)| title == "use: response"), "{evidence:?}");
}

/// A real tinyproxy, for one user, that builds tunnels to `tunnels` alone.
fn tinyproxy(tunnels: u16) -> Option<(Daemon, u16)> {
    let tinyproxy = program("tinyproxy", "tinyproxy-bin")?;
    let port = free_port();
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("tinyproxy.conf");
    let text = format!("Port {port}\nListen 127.0.0.1\nTimeout 10\nBasicAuth probe proxy-pw\nConnectPort {tunnels}\n");
    fs::write(&conf, text).unwrap();
    let args = ["-d".to_owned(), "-c".to_owned(), conf.display().to_string()];
    Some((Daemon::start(dir, &tinyproxy, args).listening(port), port))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_proxy_is_spoken_to_over_tls() {
    let Some(nginx) = Nginx::start() else { return };
    let Some((proxy, open)) = tinyproxy(nginx.tls) else { return };
    let Some(stunnel) = program("stunnel4", "stunnel4") else { return };
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let conf = dir.path().join("stunnel.conf");
    let pair = format!("cert = {}\nkey = {}\n", nginx.file("server.pem"), nginx.file("server.key"));
    let strict = free_port();
    let text = format!(
        "foreground = yes\npid =\n[proxy]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{open}\n{pair}\
         [strict]\naccept = 127.0.0.1:{strict}\nconnect = 127.0.0.1:{open}\n{pair}\
         CAfile = {}\nverifyChain = yes\nrequireCert = yes\n",
        nginx.file("ca.pem")
    );
    fs::write(&conf, text).unwrap();
    let encrypted = Daemon::start(dir, &stunnel, [conf]).listening(port).listening(strict);
    let ca = format!("tls: {{ca_file: {}}}", nginx.file("ca.pem"));
    let own = format!("proxy_tls: {{ca_file: {}}}", nginx.file("ca.pem"));
    let (plain, tls) = (format!("http://127.0.0.1:{}/", nginx.plain), format!("https://localhost:{}/", nginx.tls));
    let shows = format!("cert_file: {}, key_file: {}", nginx.file("client.pem"), nginx.file("client.key"));
    let good = format!("https://probe:proxy-pw@localhost:{port}");
    let strict = format!("https://probe:proxy-pw@localhost:{strict}");
    let up = (Verdict::Up, "", "");
    let down = |why| (Verdict::Down, "proxy", why);
    for (url, proxy, more, want) in [
        (&plain, good.clone(), &ca, up),
        (&plain, good.clone(), &own, up),
        (&tls, good.clone(), &ca, up),
        (&tls, good.clone(), &format!("{ca}, http_version: 2, expect: {{cert: {{names: localhost}}}}"), up),
        (&tls, format!("https://localhost:{port}"), &ca, down("(407)")),
        (&plain, good.clone(), &"cookies: true".to_owned(), down("issuer")),
        (&plain, format!("https://127.0.0.1:{port}"), &ca, down("127.0.0.1")),
        (&plain, format!("https://localhost:{}", nginx.plain), &ca, down("TLS")),
        // TLS 1.3 refuses client certificates, or the lack of one, after the handshake.
        (&plain, strict.clone(), &ca, down("")),
        (&tls, strict.clone(), &ca, down("")),
        (&tls, strict.clone(), &format!("tls: {{ca_file: {}, {shows}}}", nginx.file("ca.pem")), down("")),
        (&plain, strict.clone(), &format!("proxy_tls: {{ca_file: {}, {shows}}}", nginx.file("ca.pem")), up),
        // Its own roots are for the proxy alone.
        (&tls, good.clone(), &own, (Verdict::Down, "cert_untrusted", "issuer")),
    ] {
        let text = format!("{{url: \"{url}\", proxy: \"{proxy}\", {more}}}");
        let got = probe("http", &text, LIMIT).await;
        let message = got.reason.as_ref().map_or("", |r| &r.message);
        let (verdict, class_of, why) = want;
        assert_eq!((got.verdict, class(&got)), (verdict, class_of), "{text}: {got:?} {}", encrypted.log());
        assert!(message.contains(why), "{text}: {message}");
        assert!(!format!("{got:?}").contains("proxy-pw"), "{got:?}");
        // What is told of a certificate is told of the target's.
        let cert = !sample(&got, "probe_ssl_earliest_cert_expiry").is_nan();
        assert_eq!(cert, url == &tls && class_of != "proxy", "{text}: {got:?}");
    }
    drop(proxy);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_called_by_its_own_name_and_shown_what_is_its_own() {
    let Some(nginx) = Nginx::start() else { return };
    let of = |more: &str| {
        let (ca, cert, key) = (nginx.file("ca.pem"), nginx.file("client.pem"), nginx.file("client.key"));
        format!("{{ca_file: {ca}, cert_file: {cert}, key_file: {key}{more}}}")
    };
    for (more, want) in [
        (format!("tls: {}", of(", server_name: other.example")), "called localhost, shown NONE"),
        (format!("proxy_tls: {}", of("")), "called localhost, shown SUCCESS"),
    ] {
        let text = format!(
            "{{url: \"http://localhost:{}/\", proxy: \"https://localhost:{}\", {more}, expect: {{body: {{contains: \"{want}\"}}}}}}",
            nginx.plain, nginx.curious
        );
        let got = probe("http", &text, LIMIT).await;
        assert_eq!(got.verdict, Verdict::Up, "{text}: {got:?} {}", nginx.daemon.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_proxy_passes_on_tunnels_and_wants_its_password() {
    let Some(nginx) = Nginx::start() else { return };
    let Some((proxy, port)) = tinyproxy(nginx.tls) else { return };
    let ca = format!("tls: {{ca_file: {}}}", nginx.file("ca.pem"));
    let closed = free_port();
    for (url, more, want) in [
        (
            format!("http://127.0.0.1:{}/", nginx.plain),
            format!("http://probe:proxy-pw@127.0.0.1:{port}"),
            (Verdict::Up, ""),
        ),
        (
            format!("https://localhost:{}/", nginx.tls),
            format!("http://probe:proxy-pw@127.0.0.1:{port}"),
            (Verdict::Up, ""),
        ),
        (format!("https://localhost:{}/", nginx.tls), format!("http://127.0.0.1:{port}"), (Verdict::Down, "proxy")),
        (format!("http://127.0.0.1:{}/", nginx.plain), format!("http://127.0.0.1:{port}"), (Verdict::Down, "status")),
        (
            format!("https://localhost:{}/", nginx.mutual),
            format!("http://probe:proxy-pw@127.0.0.1:{port}"),
            (Verdict::Down, "proxy"),
        ),
        (format!("http://127.0.0.1:{}/", nginx.plain), format!("http://127.0.0.1:{closed}"), (Verdict::Down, "proxy")),
        // Nobody listens at that port: whoever is up was asked directly.
        (
            format!("http://127.0.0.1:{}/", nginx.plain),
            format!("http://127.0.0.1:{closed}\", no_proxy: \"127.0.0.0/8"),
            (Verdict::Up, ""),
        ),
        (
            format!("https://localhost:{}/", nginx.tls),
            format!("https://127.0.0.1:{closed}\", no_proxy: \"example.com, localhost:{}", nginx.tls),
            (Verdict::Up, ""),
        ),
        (
            format!("https://localhost:{}/", nginx.tls),
            // This machine is asked directly by whoever lists anybody.
            format!("http://127.0.0.1:{closed}\", no_proxy: \".example.com"),
            (Verdict::Up, ""),
        ),
    ] {
        let text = format!("{{url: \"{url}\", proxy: \"{more}\", {ca}}}");
        let got = probe("http", &text, LIMIT).await;
        assert_eq!((got.verdict, class(&got)), want, "{text}: {:?} {}", got.reason, proxy.log());
        assert!(!format!("{got:?}").contains("proxy-pw"), "{got:?}");
    }
}

/// The series of one probe by a real blackbox_exporter.
fn theirs(port: u16, module: &str, target: &str) -> BTreeMap<String, f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /probe?module={module}&target={target} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let lines = body.lines().filter(|l| !l.starts_with('#') && !l.is_empty());
    lines.map(|l| l.rsplit_once(' ').unwrap()).map(|(k, v)| (k.to_owned(), v.parse().unwrap())).collect()
}

/// Ours, written the same way.
fn ours(outcome: &Outcome) -> BTreeMap<String, f64> {
    let one = |s: &watchdog::base::outcome::Sample| {
        let mut labels: Vec<String> = s.labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        labels.sort();
        match labels.is_empty() {
            true => (s.name.clone().into_owned(), s.value),
            false => (format!("{}{{{}}}", s.name, labels.join(",")), s.value),
        }
    };
    outcome.samples.iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_series_are_those_of_a_real_blackbox_exporter() {
    let Some(nginx) = Nginx::start() else { return };
    let Some(exporter) = program("prometheus-blackbox-exporter", "prometheus-blackbox-exporter") else { return };
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let modules = format!(
        "modules:\n  plain: {{prober: http, http: {{preferred_ip_protocol: ip4, fail_if_body_not_matches_regexp: [Shop]}}}}\n\
         \x20 tls: {{prober: http, http: {{preferred_ip_protocol: ip4, tls_config: {{ca_file: {}}}}}}}\n\
         \x20 gzip: {{prober: http, http: {{preferred_ip_protocol: ip4, compression: gzip, headers: {{Accept-Encoding: gzip}}}}}}\n",
        nginx.file("ca.pem")
    );
    fs::write(dir.path().join("blackbox.yml"), modules).unwrap();
    let args = ["--config.file=blackbox.yml".to_owned(), format!("--web.listen-address=127.0.0.1:{port}")];
    let _exporter = Daemon::start(dir, &exporter, args).listening(port);
    wait_for("the exporter's first answer", || {
        theirs(port, "plain", &format!("http://127.0.0.1:{}/", nginx.plain)).contains_key("probe_success").then_some(())
    });
    let closed = free_port();
    let ca = format!("tls: {{ca_file: {}}}", nginx.file("ca.pem"));
    for (module, url, more) in [
        ("plain", format!("http://127.0.0.1:{}/", nginx.plain), "expect: {body: {matches: Shop}}".to_owned()),
        ("plain", format!("http://127.0.0.1:{}/away", nginx.plain), "expect: {body: {matches: Shop}}".to_owned()),
        ("plain", format!("http://127.0.0.1:{}/home", nginx.plain), "expect: {body: {matches: Shop}}".to_owned()),
        ("plain", format!("http://127.0.0.1:{}/broken", nginx.plain), "expect: {body: {matches: Shop}}".to_owned()),
        ("gzip", format!("http://127.0.0.1:{}/gzip", nginx.plain), "compression: gzip".to_owned()),
        ("plain", format!("http://127.0.0.1:{closed}/"), "expect: {body: {matches: Shop}}".to_owned()),
        ("tls", format!("https://localhost:{}/", nginx.tls), ca),
    ] {
        let theirs = theirs(port, module, &url);
        let got = probe("http", &format!("{{url: \"{url}\", {more}}}"), LIMIT).await;
        assert_eq!(theirs["probe_success"] > 0.0, got.verdict == Verdict::Up, "{url}");
        let ours = ours(&got);
        for (name, value) in &theirs {
            // Added by the engine.
            if matches!(name.as_str(), "probe_success" | "probe_duration_seconds") {
                continue;
            }
            // The exporter of this release writes no serial number yet; ours has it as later ones do.
            let (name, found) = match name.strip_prefix("probe_ssl_last_chain_info") {
                None => (name.as_str(), ours.get(name)),
                Some(_) => {
                    let is = |k: &&String| k.starts_with("probe_ssl_last_chain_info");
                    let own = ours.keys().find(is).unwrap_or_else(|| panic!("{url}: {name}"));
                    for label in name.trim_matches(|c| c != '{' && c != '}').trim_matches(['{', '}']).split("\",") {
                        assert!(own.contains(label.trim_end_matches('"')), "{url}: {label} in {own}");
                    }
                    (name.as_str(), ours.get(own))
                }
            };
            let Some(found) = found else { panic!("{url}: {name} is missing in {ours:#?}") };
            let is_time = name.starts_with("probe_http_duration") || name.starts_with("probe_dns_lookup");
            if is_time {
                // Both are short, neither is negative; a phase that did not happen is 0 for both.
                assert!(
                    *found >= 0.0 && *found < 1.0 && (*value > 0.0 || *found < 0.01),
                    "{url}: {name} {value} {found}"
                );
            } else {
                assert!((value - found).abs() < f64::EPSILON, "{url}: {name} is {found}, theirs {value}");
            }
        }
    }
}
