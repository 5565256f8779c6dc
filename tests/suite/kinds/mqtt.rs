//! `mqtt` against a real Mosquitto.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::unistd::{User, getuid};
use watchdog::base::outcome::Verdict;

use crate::kinds::daemon::{Daemon, class, ends, free_port, probe, program};
use crate::kinds::keys;

const LIMIT: Duration = Duration::from_secs(5);

fn start(mosquitto: &str, passwd: &str, port: u16, secure: u16) -> Daemon {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = keys::write(dir.path());
    let (users, config) = (dir.path().join("users"), dir.path().join("mosquitto.conf"));
    let made = Command::new(passwd).arg("-b").arg("-c").arg(&users).args(["watch", "right-word"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let user = User::from_uid(getuid()).unwrap().unwrap().name;
    let text = format!(
        "user {user}\nallow_anonymous false\npassword_file {}\nacl_file {}\nlistener {port} 127.0.0.1\n\
         listener {secure} 127.0.0.1\ncertfile {}\nkeyfile {}\n",
        users.display(),
        dir.path().join("rights").display(),
        cert.display(),
        key.display(),
    );
    fs::write(dir.path().join("rights"), "user watch\ntopic readwrite home/#\n").unwrap();
    fs::write(&config, text).unwrap();
    let args = ["-c".to_owned(), config.display().to_string()];
    Daemon::start(dir, mosquitto, args).listening(port).listening(secure)
}

#[tokio::test]
async fn a_real_broker_is_logged_in_to_and_carries_messages() {
    let Some(mosquitto) = program("mosquitto", "mosquitto") else { return };
    let Some(passwd) = program("mosquitto_passwd", "mosquitto") else { return };
    let Some(publish) = program("mosquitto_pub", "mosquitto-clients") else { return };
    let (port, secure) = (free_port(), free_port());
    let server = start(&mosquitto, &passwd, port, secure);
    let (port_text, at) = (port.to_string(), format!("host: \"127.0.0.1:{port}\""));
    let retained = Command::new(publish)
        .args(["-h", "127.0.0.1", "-p", &port_text, "-u", "watch", "-P", "right-word", "-r", "-t", "home/cellar"])
        .args(["-m", "21.5"])
        .output()
        .unwrap();
    assert!(retained.status.success(), "{retained:?}");
    let cert = server.dir().join("cert.pem").display().to_string();
    for version in ["3.1.1", "5"] {
        let login = format!("{at}, version: \"{version}\", user: watch, password: right-word");
        let good = probe("mqtt", &format!("{{{login}}}"), LIMIT).await;
        assert_eq!(good.verdict, Verdict::Up, "{good:?}");
        let phases: Vec<&str> = good.phases.iter().map(|p| &*p.name).collect();
        assert_eq!(phases, ["resolve", "connect", "auth", "query"]);
        let trip = probe("mqtt", &format!("{{{login}, round_trip: home/watchdog}}"), LIMIT).await;
        assert_eq!(trip.verdict, Verdict::Up, "{trip:?}");
        assert!(trip.samples.iter().any(|s| s.name == "probe_mqtt_round_trip_duration_seconds"));
        for (text, want) in [
            (at.clone(), "auth"),
            (login.replace("right", "wrong"), "auth"),
            (format!("{login}, retained: home/cellar, expect: {{value: {{above: 20, below: 22}}}}"), ""),
            (format!("{login}, retained: home/cellar, expect: {{value: {{above: 22}}}}"), "value"),
            (format!("{login}, retained: home/attic"), "retained"),
            (format!("host: \"localhost:{secure}\", user: watch, password: right-word, tls: {{ca_file: {cert}}}"), ""),
            (format!("host: \"localhost:{secure}\", user: watch, password: right-word, tls: true"), "cert_untrusted"),
        ] {
            let got = probe("mqtt", &format!("{{{text}}}"), LIMIT).await;
            assert_eq!(class(&got), want, "{text}: {got:?}");
            assert!(!format!("{got:?}").contains("-word"), "{got:?}");
        }
        // The broker drops what may not be read, without a word.
        let deaf = format!("{{{login}, round_trip: office/watchdog}}");
        let deaf = probe("mqtt", &deaf, Duration::from_millis(300)).await;
        assert!(["timeout", "auth"].contains(&class(&deaf)), "{deaf:?}");
    }
    ends("mqtt", server, port, &format!("{{{at}, user: watch, password: right-word}}"), "auth").await;
}
