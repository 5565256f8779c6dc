//! A look at the way to a machine, for evidence: what its name resolves to, whether it answers pings, and the path.
//!
//! Nothing here judges: a part that cannot be looked at says why in its text.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::time::timeout_at;

use crate::base::outcome::Evidence;
use crate::base::probe::ProbeCx;
use crate::base::units::Short;
use crate::collect::dial::{self, Peer, Route};
use crate::collect::icmp::burst::{Burst, Sender, Tally};
use crate::collect::icmp::path;
use crate::collect::trace::Trace;

/// A handful says whether packets are lost, and is over in half a second.
const BURST: Burst =
    Burst { count: 5, interval: Duration::from_millis(100), size: 56, ttl: None, dont_fragment: false };

/// Looks at the way to `host` until `cx.deadline` at the latest.
pub async fn look(host: &str, cx: &ProbeCx) -> Evidence {
    look_at(host, &[], cx).await
}

/// The same where it is known which addresses were dialled.
pub async fn look_at(host: &str, dialled: &[IpAddr], cx: &ProbeCx) -> Evidence {
    let mut items: Vec<(Cow<'static, str>, String)> = Vec::new();
    let Ok(peer) = Peer::host_alone(host) else { return Evidence { items } };
    let mut trace = Trace::start();
    let ended = timeout_at(cx.deadline, dial::addresses(&peer, &Route::default(), cx, &mut trace)).await;
    let found: Vec<IpAddr> = match trace.settle(ended, cx.deadline) {
        Ok(found) => found.iter().map(SocketAddr::ip).collect(),
        Err(fault) => {
            items.push(("resolver".into(), fault.message().to_owned()));
            Vec::new()
        }
    };
    let lines = |ips: &[IpAddr]| ips.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    if !found.is_empty() {
        items.push(("resolver".into(), format!("{}\nin {}", lines(&found), Short(trace.elapsed()))));
    }
    if dialled.iter().any(|ip| !found.contains(ip)) {
        items.push(("dialled instead".into(), lines(dialled)));
    }
    let allowed = dialled.first().filter(|to| cx.policy.refuses_address(**to).is_none());
    match allowed.or(found.first()) {
        Some(to) => way(*to, items, cx).await,
        None => Evidence { items },
    }
}

/// Adds what there is on the way to an address.
async fn way(to: IpAddr, mut items: Vec<(Cow<'static, str>, String)>, cx: &ProbeCx) -> Evidence {
    let (ping, path) = tokio::join!(ping(to, cx), path_text(to, cx));
    items.push((format!("ping of {to}").into(), ping));
    items.push((format!("path to {to}").into(), path));
    Evidence { items }
}

async fn ping(to: IpAddr, cx: &ProbeCx) -> String {
    let mut tally = Tally::default();
    let sent = match Sender::open(to, &BURST) {
        // A burst that is silent need not be waited for until the end.
        Ok(mut sender) => {
            let until = cx.deadline.min(tokio::time::Instant::now() + Duration::from_secs(2));
            sender.run(until, &mut tally).await
        }
        Err(fault) => Err(fault),
    };
    match sent {
        Ok(()) => tally.to_string(),
        Err(fault) => fault.message().to_owned(),
    }
}

async fn path_text(to: IpAddr, cx: &ProbeCx) -> String {
    // Its datagrams go to ports of their own, which no rule on ports has in mind.
    if !cx.policy.ports.is_empty() {
        return "not looked at: `policy.ports` is set".to_owned();
    }
    match path::follow(to, cx.deadline).await {
        Ok(hops) => hops.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        Err(fault) => fault.message().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::kinds::testing::context;

    #[tokio::test]
    async fn the_way_to_this_machine() {
        let seen = look("127.0.0.1", &context(Duration::from_secs(5))).await;
        let titles: Vec<&str> = seen.items.iter().map(|(title, _)| &**title).collect();
        assert_eq!(titles, ["resolver", "ping of 127.0.0.1", "path to 127.0.0.1"]);
        assert!(seen.items[2].1.contains(" 1  127.0.0.1"), "{seen:?}");
    }

    #[tokio::test]
    async fn the_addresses_of_the_probe_are_looked_at_not_those_of_the_name() {
        let tried = ["127.0.0.2".parse::<IpAddr>().unwrap(), "::1".parse().unwrap()];
        let seen = look_at(&"a".repeat(64), &tried, &context(Duration::from_secs(5))).await;
        let titles: Vec<&str> = seen.items.iter().map(|(title, _)| &**title).collect();
        assert_eq!(titles, ["resolver", "dialled instead", "ping of 127.0.0.2", "path to 127.0.0.2"]);
    }

    #[tokio::test]
    async fn a_name_without_addresses_has_no_way() {
        let seen = look(&"a".repeat(64), &context(Duration::from_secs(5))).await;
        assert!(seen.items.len() == 1 && seen.items[0].1.contains("not a name"), "{seen:?}");
    }
}
