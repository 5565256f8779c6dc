//! Starts an engine with its API in this process: what `serve` does, and the bare command when no
//! server answers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::api::{Listen, Server, bind, check_listen};
use crate::base::clock::Clock;
use crate::base::failure::{Failure, Kind};
use crate::cli::logs::Logs;
use crate::cli::settings::Settings;
use crate::config::resolve::FromSystem;
use crate::engine::handle::Engine;
use crate::engine::kinds::Kinds;
use crate::engine::lock::{DataDir, LockError};
use crate::engine::reload::Sources;
use crate::engine::start::{Crash, Running, Setup, start};
use crate::engine::systemd::Systemd;
use crate::state::StateError;
use crate::wire::api::Level;

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The configuration directory.
    pub config: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// The Unix socket.
    pub socket: PathBuf,
    /// The TCP address asked for on the command line; it wins over the one in the files.
    pub listen: Option<SocketAddr>,
    /// Refuse to start with errors in the files.
    pub strict: bool,
}

impl Plan {
    /// What the settings say.
    ///
    /// # Errors
    /// There is no home directory to take a default from.
    pub fn new(settings: &Settings, strict: bool) -> Result<Self, Failure> {
        Ok(Self {
            config: settings.config_dir.clone(),
            data: settings.data_dir()?.to_owned(),
            socket: settings.socket()?.to_owned(),
            listen: settings.listen,
            strict,
        })
    }
}

/// A server that answers.
pub struct Booted {
    running: Running,
    server: Server,
    _logs: Logs,
    /// `ready  monitors=12 …`.
    pub ready_line: String,
}

/// Takes the data directory, starts `logs` in it, loads the files, opens the sockets, starts the engine and answers.
///
/// # Errors
/// The data directory is in use (exit 73), `strict` refuses the files (exit 78), a socket cannot be
/// opened, the state database is newer than this binary.
pub async fn boot(plan: Plan, logs: impl FnOnce(&Path) -> Logs) -> Result<Booted, Failure> {
    let clock = Clock::system();
    if let Some(address) = plan.listen {
        check_listen(address)?;
    }
    let config = absolute(&plan.config)?;
    let data = DataDir::take(&plan.data).map_err(|e| lock_failure(&e))?;
    let logs = logs(data.path());
    let resolver = Arc::new(FromSystem::new(&config));
    let sources = Sources { dir: config.clone(), catalog: Arc::new(Kinds), resolver };
    let first = sources.clone();
    let loaded = tokio::task::spawn_blocking(move || first.load(None))
        .await
        .map_err(|e| Failure::text(Kind::Internal, format!("loading the configuration crashed: {e}")))?;
    let errors = loaded.problems.iter().filter(|p| p.level == Level::Error).count();
    if plan.strict && errors > 0 {
        let hint = format!("`watchdog check {}` shows them; without --strict the valid rest runs", config.display());
        let noun = if errors == 1 { "error" } else { "errors" };
        return Err(Failure::text(Kind::Config, format!("{errors} {noun} in `{}`", config.display())).hint(hint));
    }
    let bound = match (plan.listen, loaded.config.server.listen) {
        (asked @ Some(_), _) => bind(&Listen { socket: Some(plan.socket.clone()), tcp: asked }).await?,
        (None, configured) => {
            match bind(&Listen { socket: Some(plan.socket.clone()), tcp: configured }).await {
                // An address in the files that is taken must not keep the monitors from running.
                Err(e) if configured.is_some() => {
                    tracing::error!("{}; going on without TCP", e.message());
                    bind(&Listen { socket: Some(plan.socket.clone()), tcp: None }).await?
                }
                bound => bound?,
            }
        }
    };
    let http = bound.http().map(|a| a.to_string());
    let monitors = loaded.config.monitors.values().filter(|m| !m.paused).count();
    let ready_line = format!(
        "ready  monitors={monitors} rules={} socket={} http={} config={}",
        loaded.config.monitors.values().filter(|m| !m.paused && m.alert.is_some()).count(),
        plan.socket.display(),
        http.as_deref().unwrap_or("-"),
        config.display(),
    );
    let systemd = Systemd::new(std::env::var_os("NOTIFY_SOCKET"), std::env::var("WATCHDOG_USEC").ok().as_deref());
    let running = start(Setup { clock, data, sources, loaded, http, systemd }).await.map_err(|e| state_failure(&e))?;
    let server = bound.serve(Arc::clone(&running.core) as Arc<dyn Engine>, clock);
    Ok(Booted { running, server, _logs: logs, ready_line })
}

impl Booted {
    /// Asks for the files to be loaded again, as SIGHUP does, without waiting: the next signal may be
    /// the one to stop.
    pub fn reload(&self) {
        if self.running.core.reload.try_send(oneshot::channel().0).is_err() {
            tracing::warn!("the configuration is being loaded already");
        }
    }

    /// Waits until the series store answers, too, and tells the service manager and the log. To be called once.
    pub fn ready(&mut self) -> impl Future<Output = ()> + use<> {
        let line = self.ready_line.clone();
        let ready = self.running.ready(line.clone());
        async move {
            ready.await;
            tracing::info!("{line}");
        }
    }

    /// Waits until the engine cannot go on, see [`Running::crashed`].
    pub async fn crashed(&mut self) -> Crash {
        self.running.crashed().await
    }

    /// Goes down in order; see `engine::start`.
    pub async fn stop(self, reason: &str) {
        tracing::info!(reason, "stopping");
        let quiet = self.running.quiesce(reason).await;
        self.server.stop(reason).await;
        quiet.close().await;
    }
}

fn absolute(dir: &Path) -> Result<PathBuf, Failure> {
    let hint = "create one with `watchdog init`, or name it with --config-dir";
    if !dir.is_dir() {
        return Err(
            Failure::text(Kind::Config, format!("there is no configuration directory `{}`", dir.display())).hint(hint)
        );
    }
    // Not canonical: the directory may be a link that is swapped.
    std::path::absolute(dir).map_err(|e| Failure::new(Kind::Config, &e).hint(hint))
}

fn lock_failure(error: &LockError) -> Failure {
    match error {
        LockError::InUse { .. } => Failure::new(Kind::InUse, error)
            .hint("attach to that server with `watchdog tui`, or use another --data-dir"),
        LockError::Io { .. } => {
            Failure::new(Kind::Internal, error).hint("choose a directory you may write with --data-dir")
        }
    }
}

fn state_failure(error: &StateError) -> Failure {
    match error {
        StateError::Newer { .. } => Failure::new(Kind::Config, error),
        StateError::Thread(_) | StateError::Sql(_) | StateError::Closed => Failure::new(Kind::Internal, error),
    }
}
