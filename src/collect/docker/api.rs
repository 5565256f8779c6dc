//! As much of the Docker Engine's API as a check needs: the list of containers, what one of them is, what it
//! uses. Podman speaks it as well. Unknown fields are left out while reading, so that large answers cost
//! little.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::collect::fault::Fault;
use crate::collect::fetch::Http;
use crate::collect::judge::found;
use crate::collect::trace::Trace;

/// Bytes of the list of containers: some 2,000 with many labels.
const MAX_LIST: usize = 4 << 20;
/// Bytes of any other answer.
const MAX_ANSWER: usize = 1 << 20;

/// One row of `GET /containers/json`. Everything in it is untrusted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Row {
    /// The container's id.
    pub id: String,
    /// Names with a slash before them; links between containers add further ones.
    pub names: Vec<String>,
    /// The image it was made from.
    pub image: String,
    /// `running`, `exited` …
    pub state: String,
    /// `Up 2 hours (healthy)`.
    pub status: String,
    /// Its labels; `null` when there are none.
    pub labels: Option<BTreeMap<String, String>>,
}

impl Row {
    /// The container's own name.
    pub fn name(&self) -> &str {
        let own = self.names.iter().map(|n| n.trim_start_matches('/')).find(|n| !n.contains('/'));
        own.unwrap_or_else(|| self.id.get(..12).unwrap_or(&self.id))
    }

    /// What its health check says, if it has one: `healthy`, `unhealthy`, `starting`.
    pub fn health(&self) -> Option<&'static str> {
        let words = self.status.rsplit_once('(')?.1;
        match words.trim_end_matches(')') {
            "healthy" => Some("healthy"),
            "unhealthy" => Some("unhealthy"),
            "health: starting" | "starting" => Some("starting"),
            _ => None,
        }
    }
}

/// `GET /containers/{id}/json`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Detail {
    /// How often it was started anew after it ended.
    pub restart_count: i64,
    /// Its state.
    pub state: State,
    /// Its limits.
    pub host_config: HostConfig,
}

/// The state of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct State {
    /// With what it ended.
    pub exit_code: i64,
    /// Whether it ended because it used too much memory.
    #[serde(rename = "OOMKilled")]
    pub oom_killed: bool,
    /// When it was started; `0001-01-01T00:00:00Z` when never.
    pub started_at: String,
}

/// The limits of a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    /// Bytes of memory, 0 for no limit.
    pub memory: i64,
}

/// `GET /containers/{id}/stats?stream=false`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// The processor's use.
    pub cpu_stats: CpuStats,
    /// The memory's.
    pub memory_stats: MemoryStats,
}

/// What a container used of the processors.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CpuStats {
    /// Times.
    pub cpu_usage: CpuUsage,
}

/// Processor times.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct CpuUsage {
    /// Nanoseconds of all processors.
    pub total_usage: u64,
}

/// What a container uses of the memory.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MemoryStats {
    /// Bytes, page cache included.
    pub usage: u64,
    /// Parts of it.
    pub stats: BTreeMap<String, serde_json::Value>,
}

impl MemoryStats {
    /// Bytes that cannot be given up: without the page cache that was not used lately, as cAdvisor counts.
    pub fn working_set(&self) -> u64 {
        let part = |key: &str| self.stats.get(key).and_then(serde_json::Value::as_u64);
        // cgroup 2 and cgroup 1 name it differently.
        let cache = part("inactive_file").or_else(|| part("total_inactive_file")).unwrap_or(0);
        self.usage.saturating_sub(cache)
    }
}

/// The API over one connection.
pub struct Api<S: AsyncRead + AsyncWrite + Unpin> {
    http: Http<S>,
    host: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Api<S> {
    /// Speaks over this stream; `host` is what the request names.
    ///
    /// # Errors
    /// See [`Http::over`].
    pub async fn over(stream: S, host: String) -> Result<Self, Fault> {
        Ok(Self { http: Http::over(stream).await?, host })
    }

    /// All containers, those that ended included.
    ///
    /// # Errors
    /// There is no usable answer.
    pub async fn list(&mut self, trace: &mut Trace) -> Result<Vec<Row>, Fault> {
        let rows = self.get("/containers/json?all=1", MAX_LIST, trace).await?;
        rows.ok_or_else(|| Fault::target("protocol_error", "the peer does not know `/containers/json`"))
    }

    /// One container; `None` when it is gone.
    ///
    /// # Errors
    /// There is no usable answer.
    pub async fn detail(&mut self, id: &str, trace: &mut Trace) -> Result<Option<Detail>, Fault> {
        match is_id(id) {
            true => self.get(&format!("/containers/{id}/json"), MAX_ANSWER, trace).await,
            false => Ok(None),
        }
    }

    /// What it uses; `None` when it is gone. `one-shot` spares the second in which Docker measures twice.
    ///
    /// # Errors
    /// There is no usable answer.
    pub async fn stats(&mut self, id: &str, trace: &mut Trace) -> Result<Option<Stats>, Fault> {
        match is_id(id) {
            true => self.get(&format!("/containers/{id}/stats?stream=false&one-shot=true"), MAX_ANSWER, trace).await,
            false => Ok(None),
        }
    }

    async fn get<T: DeserializeOwned>(
        &mut self,
        path: &str,
        max: usize,
        trace: &mut Trace,
    ) -> Result<Option<T>, Fault> {
        let request = Request::get(path)
            .header(header::HOST, &self.host)
            .header(header::USER_AGENT, "watchdog")
            .body(Empty::<Bytes>::new())
            .map_err(|e| Fault::target("protocol_error", e.to_string()))?;
        let page = self.http.ask(request, max, trace).await?;
        match page.status.as_u16() {
            200 => {}
            404 | 409 => return Ok(None),
            status => {
                let said = String::from_utf8_lossy(&page.body).into_owned();
                let class = if matches!(status, 401 | 403) { "auth" } else { "status" };
                return Err(Fault::target(class, format!("the peer answers with {status}: {}", found(said.trim()))));
            }
        }
        let bad = |e| Fault::target("protocol_error", format!("the answer is not Docker's: {e}"));
        serde_json::from_slice(&page.body).map(Some).map_err(bad)
    }
}

/// An id goes into a path: nothing but what ids are made of may.
fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_tells_name_and_health() {
        let row = |names: &[&str], status: &str| Row {
            id: "0123456789abcdef".into(),
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            status: status.into(),
            ..Row::default()
        };
        assert_eq!(row(&["/other/web", "/web"], "").name(), "web");
        assert_eq!(row(&[], "").name(), "0123456789ab");
        for (status, want) in [
            ("Up 2 hours (healthy)", Some("healthy")),
            ("Up 3 seconds (health: starting)", Some("starting")),
            ("Up 1 hour (unhealthy)", Some("unhealthy")),
            ("Up 1 hour (Paused)", None),
            ("Exited (137) 3 hours ago", None),
        ] {
            assert_eq!(row(&[], status).health(), want, "{status}");
        }
    }

    #[test]
    fn ids_cannot_lead_elsewhere() {
        assert!(is_id("0123abcd"));
        assert!(!is_id("../images/json?x=") && !is_id("") && !is_id(&"a".repeat(65)));
    }
}
