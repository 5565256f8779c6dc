//! `ntp` against a real chronyd.

use std::fs;
use std::time::Duration;

use nix::unistd::{User, getuid};
use watchdog::base::outcome::Verdict;

use crate::kinds::daemon::{Daemon, class, ends, free_port, probe, program};
use crate::server::wait_for;

#[tokio::test(flavor = "multi_thread")]
async fn a_real_chronyd_tells_the_time_until_it_is_stopped() {
    let Some(chronyd) = program("chronyd", "chrony") else { return };
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let config = format!(
        "local stratum 5\nport {port}\nbindaddress 127.0.0.1\nallow 127.0.0.1\ncmdport 0\nbindcmdaddress /\npidfile {}\n",
        dir.path().join("pid").display()
    );
    let file = dir.path().join("chrony.conf");
    fs::write(&file, config).unwrap();
    let user = User::from_uid(getuid()).unwrap().unwrap().name;
    // -x: the clock is left alone, whatever comes. -U: nobody need be root.
    let args = ["-d", "-x", "-U", "-u", &user, "-f", file.to_str().unwrap()].map(str::to_owned);
    let server = Daemon::start(dir, &chronyd, args);
    let question = [&[0x23][..], &[0; 47]].concat();
    wait_for("an answer of chronyd", || {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").ok()?;
        socket.set_read_timeout(Some(Duration::from_millis(100))).ok()?;
        socket.connect(("127.0.0.1", port)).ok()?;
        socket.send(&question).ok()?;
        socket.recv(&mut [0; 100]).ok()
    });
    let limit = Duration::from_secs(5);
    let text = format!("host: \"127.0.0.1:{port}\"");
    // It is this machine's own clock that it tells.
    let good = probe("ntp", &format!("{{{text}, expect: {{offset_below: 1s, stratum: 5}}}}"), limit).await;
    assert_eq!((good.verdict, class(&good)), (Verdict::Up, ""), "{good:?}");
    assert!(good.summary.starts_with("stratum 5, offset "), "{}", good.summary);
    let far = probe("ntp", &format!("{{{text}, expect: {{stratum: 4}}}}"), limit).await;
    assert_eq!((far.verdict, class(&far)), (Verdict::Down, "stratum"));
    ends("ntp", server, port, &format!("{{{text}}}"), "processing").await;
}
