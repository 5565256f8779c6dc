//! Where things are: flags before environment before defaults, resolved once.
//!
//! Commands see the result only, never the environment.

use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::base::failure::{Failure, Kind};
use crate::cli::ui::Color;

/// Name of the socket in its default directories.
const SOCKET: &str = "watchdog.sock";

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Directory of the configuration [env: WATCHDOG_CONFIG_DIR] [default: . if it holds monitors.d, else
    /// ~/.config/watchdog, else /etc/watchdog]
    #[arg(short, long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub config_dir: Option<PathBuf>,
    /// Directory of the state [env: WATCHDOG_DATA_DIR] [default: ~/.local/state/watchdog; root:
    /// /var/lib/watchdog]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub data_dir: Option<PathBuf>,
    /// Unix socket of the server [env: WATCHDOG_SOCKET] [default: $XDG_RUNTIME_DIR/watchdog.sock, else in
    /// the data directory]
    #[arg(long, global = true, value_name = "PATH", help_heading = "Global options")]
    pub socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// When to use colours: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t,
        hide_possible_values = true,
        help_heading = "Global options"
    )]
    pub color: Color,
}

/// What a process is told by its surroundings.
#[derive(Clone, Debug)]
pub struct Environment {
    vars: Vec<(OsString, OsString)>,
    cwd: PathBuf,
    root: bool,
}

impl Environment {
    /// The process's own.
    pub fn of_process() -> Self {
        Self {
            vars: std::env::vars_os().collect(),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            root: nix::unistd::geteuid().is_root(),
        }
    }

    /// Exactly these variables, an ordinary user, and the root directory.
    pub fn of(vars: &[(&str, &str)]) -> Self {
        let vars = vars.iter().map(|(k, v)| (OsString::from(k), OsString::from(v))).collect();
        Self { vars, cwd: PathBuf::from("/"), root: false }
    }

    /// A variable; an empty one counts as unset.
    pub fn var(&self, name: &str) -> Option<&OsStr> {
        let found = self.vars.iter().find(|(k, _)| k == name);
        found.map(|(_, v)| v.as_os_str()).filter(|v| !v.is_empty())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.var(name).map(|v| self.cwd.join(v))
    }

    /// An XDG base directory: the variable when it is absolute, as the specification demands, else
    /// its place in the home directory.
    fn base(&self, name: &str, in_home: &str) -> Option<PathBuf> {
        let set = self.var(name).map(PathBuf::from).filter(|p| p.is_absolute());
        set.or_else(|| self.path("HOME").map(|home| home.join(in_home)))
    }
}

/// Resolved settings; every path is absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the configuration is.
    pub config_dir: PathBuf,
    /// Where the server also listens, when asked to.
    pub listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    socket: Option<PathBuf>,
    /// Nobody named the socket, so that it is where the default says.
    socket_is_default: bool,
}

impl Settings {
    /// Where the state is.
    ///
    /// # Errors
    /// None was named, and there is no home directory to take the default from.
    pub fn data_dir(&self) -> Result<&Path, Failure> {
        self.data_dir.as_deref().ok_or_else(|| {
            Failure::text(Kind::Usage, "no place for the state: neither HOME nor XDG_STATE_HOME is set")
                .hint("name one with `--data-dir DIR`")
        })
    }

    /// Where the server listens.
    ///
    /// # Errors
    /// None was named, and there is no directory to take the default from.
    pub fn socket(&self) -> Result<&Path, Failure> {
        self.socket.as_deref().ok_or_else(|| {
            Failure::text(Kind::Usage, "no place for the socket: neither XDG_RUNTIME_DIR nor HOME is set")
                .hint("name it with `--socket PATH`")
        })
    }

    /// Where a server is looked for: [`socket`](Self::socket), or, when nobody named it and nothing is there,
    /// the default of a server that was started without `XDG_RUNTIME_DIR`, as by cron or `su`.
    ///
    /// # Errors
    /// None was named, and there is no directory to take the default from.
    pub fn server_socket(&self) -> Result<PathBuf, Failure> {
        let socket = self.socket()?;
        let other = self.data_dir.as_ref().filter(|_| self.socket_is_default).map(|dir| dir.join(SOCKET));
        Ok(other.filter(|other| !socket.exists() && other.exists()).unwrap_or_else(|| socket.to_owned()))
    }

    /// Resolves flags, environment and defaults.
    ///
    /// # Errors
    /// `WATCHDOG_LISTEN` is not an address.
    pub fn resolve(global: &Global, listen: Option<SocketAddr>, environment: &Environment) -> Result<Self, Failure> {
        let absolute = |p: &PathBuf| environment.cwd.join(p);
        let flag_or = |flag: &Option<PathBuf>, var: &str| flag.as_ref().map(absolute).or_else(|| environment.path(var));
        let config_dir = flag_or(&global.config_dir, "WATCHDOG_CONFIG_DIR").unwrap_or_else(|| config_dir(environment));
        let data_dir = flag_or(&global.data_dir, "WATCHDOG_DATA_DIR").or_else(|| data_dir(environment));
        let runtime = environment.var("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|p| p.is_absolute());
        let named = flag_or(&global.socket, "WATCHDOG_SOCKET");
        let socket_is_default = named.is_none();
        let socket = named.or_else(|| runtime.as_ref().or(data_dir.as_ref()).map(|dir| dir.join(SOCKET)));
        let listen = match (listen, environment.var("WATCHDOG_LISTEN")) {
            (Some(address), _) => Some(address),
            (None, None) => None,
            (None, Some(text)) => Some(
                parse_listen(&text.to_string_lossy())
                    .map_err(|e| Failure::text(Kind::Usage, format!("WATCHDOG_LISTEN: {e}")))?,
            ),
        };
        Ok(Self { config_dir, data_dir, socket, listen, socket_is_default })
    }
}

fn config_dir(environment: &Environment) -> PathBuf {
    let system = Path::new("/etc/watchdog").to_path_buf();
    if environment.cwd.join("monitors.d").is_dir() {
        return environment.cwd.clone();
    }
    match environment.base("XDG_CONFIG_HOME", ".config").map(|base| base.join("watchdog")) {
        // What does not exist yet is made where its user may write.
        Some(own) if own.is_dir() || (!environment.root && !system.is_dir()) => own,
        Some(_) | None => system,
    }
}

fn data_dir(environment: &Environment) -> Option<PathBuf> {
    if environment.root {
        return Some(PathBuf::from("/var/lib/watchdog"));
    }
    environment.base("XDG_STATE_HOME", ".local/state").map(|base| base.join("watchdog"))
}

/// Reads `127.0.0.1:8080`, `[::1]:8080` or `localhost:8080`.
///
/// # Errors
/// The text is not an address with a port.
pub fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:").and_then(|p| p.parse().ok()) {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| format!("`{text}` is not an address with a port, such as `127.0.0.1:8080`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(global: &Global, vars: &[(&str, &str)]) -> Settings {
        Settings::resolve(global, None, &Environment::of(vars)).unwrap()
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_default() {
        #[track_caller]
        fn check(flags: &Global, vars: &[(&str, &str)], data_dir: &str, socket: &str) {
            let settings = resolve(flags, vars);
            assert_eq!(settings.data_dir().unwrap(), Path::new(data_dir));
            assert_eq!(settings.socket().unwrap(), Path::new(socket));
        }
        let (none, home) = (Global::default(), ("HOME", "/home/u"));
        let state = "/home/u/.local/state/watchdog";
        check(&none, &[home], state, "/home/u/.local/state/watchdog/watchdog.sock");
        let told = [home, ("WATCHDOG_SOCKET", "/e.sock"), ("WATCHDOG_DATA_DIR", "/e"), ("XDG_RUNTIME_DIR", "/run/u")];
        check(&none, &told, "/e", "/e.sock");
        let flags = Global { socket: Some("f.sock".into()), ..Global::default() };
        check(&flags, &told, "/e", "/f.sock");
        check(&none, &[home, ("XDG_RUNTIME_DIR", "/run/u"), ("WATCHDOG_SOCKET", "")], state, "/run/u/watchdog.sock");
        check(&none, &[home, ("XDG_STATE_HOME", "/s")], "/s/watchdog", "/s/watchdog/watchdog.sock");
    }

    #[test]
    fn a_server_started_without_a_runtime_directory_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (run, data) = (dir.path().join("run"), dir.path().join("data"));
        for d in [&run, &data] {
            std::fs::create_dir(d).unwrap();
        }
        let vars = [("XDG_RUNTIME_DIR", run.to_str().unwrap()), ("WATCHDOG_DATA_DIR", data.to_str().unwrap())];
        let find = |flags: &Global| resolve(flags, &vars).server_socket().unwrap();
        let none = Global::default();
        assert_eq!(find(&none), run.join(SOCKET));
        std::fs::write(data.join(SOCKET), "").unwrap();
        assert_eq!(find(&none), data.join(SOCKET));
        assert_eq!(find(&Global { socket: Some("/s".into()), ..Global::default() }), Path::new("/s"));
        std::fs::write(run.join(SOCKET), "").unwrap();
        assert_eq!(find(&none), run.join(SOCKET));
    }

    #[test]
    fn the_configuration_is_where_monitors_are() {
        let dir = tempfile::tempdir().unwrap();
        let own = dir.path().join("home/.config/watchdog");
        let mut environment = Environment::of(&[("HOME", dir.path().join("home").to_str().unwrap())]);
        environment.cwd = dir.path().to_owned();
        std::fs::create_dir_all(&own).unwrap();
        assert_eq!(config_dir(&environment), own);
        std::fs::create_dir(dir.path().join("monitors.d")).unwrap();
        assert_eq!(config_dir(&environment), dir.path());
    }

    #[test]
    fn without_a_home_only_what_needs_one_fails() {
        let settings = resolve(&Global { socket: Some("/s".into()), ..Global::default() }, &[]);
        assert_eq!(settings.socket().unwrap(), Path::new("/s"));
        assert_eq!(settings.data_dir().unwrap_err().kind(), Kind::Usage);
        assert_eq!(resolve(&Global::default(), &[]).socket().unwrap_err().kind(), Kind::Usage);
        let root = Environment { root: true, ..Environment::of(&[]) };
        let settings = Settings::resolve(&Global::default(), None, &root).unwrap();
        assert_eq!(settings.data_dir().unwrap(), Path::new("/var/lib/watchdog"));
        assert_eq!(settings.config_dir, Path::new("/etc/watchdog"));
    }

    #[test]
    fn addresses_to_listen_on() {
        assert_eq!(parse_listen("localhost:80").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(parse_listen("[::1]:0").unwrap().to_string(), "[::1]:0");
        for bad in ["", "8080", "localhost", "example.com:80", "127.0.0.1:99999"] {
            assert!(parse_listen(bad).is_err(), "{bad}");
        }
        let told = Environment::of(&[("HOME", "/h"), ("WATCHDOG_LISTEN", "nonsense")]);
        assert_eq!(Settings::resolve(&Global::default(), None, &told).unwrap_err().kind(), Kind::Usage);
    }
}
