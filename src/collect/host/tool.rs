//! Programs of this machine that a collector asks: `systemctl`, `smartctl`. They get little time, no shell and
//! no input, and are killed with the probe.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::{Instant, timeout_at};

/// More than any of them prints: 2,000 units take 400 KiB.
const MAX_OUTPUT: u64 = 4 << 20;
/// Where they are; the user's `PATH` has no say.
const PLACES: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
/// The last moments are for telling what is known.
const SPARED: Duration = Duration::from_millis(50);

/// What a program prints; `None` when it is not installed, fails to start, or is late. Its exit code is not
/// looked at: `smartctl` tells findings with it.
pub async fn ask(program: &str, args: &[&str], deadline: Instant) -> Option<String> {
    let path = PLACES.iter().map(|dir| Path::new(dir).join(program)).find(|p| p.exists())?;
    let mut command = Command::new(path);
    command.args(args).env_clear().env("LC_ALL", "C").env("PATH", PLACES.join(":"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let left = deadline.saturating_duration_since(Instant::now());
    let asking = async {
        let mut child = command.spawn().ok()?;
        let mut text = Vec::new();
        child.stdout.take()?.take(MAX_OUTPUT).read_to_end(&mut text).await.ok()?;
        let _ = child.wait().await;
        Some(String::from_utf8_lossy(&text).into_owned())
    };
    timeout_at(deadline - SPARED.min(left), asking).await.ok().flatten()
}
