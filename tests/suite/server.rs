//! The real binary under test: started on a directory of its own, asked over its socket, killed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest wait for a state that must come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with configuration, data and socket; the server may come and go.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("conf/monitors.d")).unwrap();
        Self { dir }
    }

    pub fn config(&self) -> PathBuf {
        self.dir.path().join("conf")
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.config().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The command with this place's paths, to which arguments can be added.
    pub fn command(&self) -> Command {
        let mut c = Command::new(env!("CARGO_BIN_EXE_watchdog"));
        c.env_remove("NO_COLOR").env("XDG_RUNTIME_DIR", self.dir.path());
        c.arg("-c").arg(self.config()).arg("--data-dir").arg(self.data()).arg("--socket").arg(self.socket());
        c
    }

    /// What servers have logged here.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("stderr")).unwrap()
    }

    /// Starts `serve` and waits for its ready line.
    pub fn serve(&self) -> Server {
        self.serve_with(|_| ())
    }

    /// Starts `serve` without waiting.
    pub fn begin(&self) -> Child {
        self.spawn(|_| ())
    }

    fn spawn(&self, change: impl FnOnce(&mut Command)) -> Child {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("stderr")).unwrap();
        let mut command = self.command();
        change(&mut command);
        command.arg("serve").stdout(Stdio::piped()).stderr(log).spawn().unwrap()
    }

    /// As [`serve`](Self::serve), with a command that `change` has changed.
    pub fn serve_with(&self, change: impl FnOnce(&mut Command)) -> Server {
        let mut child = self.spawn(change);
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        if !ready.starts_with("ready") {
            panic!("the server said {ready:?}\n{}", self.log());
        }
        let http = ready.split(' ').find_map(|w| w.strip_prefix("http=")).unwrap().to_owned();
        Server { child, socket: self.socket(), http }
    }
}

pub struct Server {
    child: Child,
    socket: PathBuf,
    /// Where it listens over TCP, if it was asked to.
    http: String,
}

impl Server {
    pub fn get(&self, path: &str) -> Value {
        request(&self.socket, "GET", path, "")
    }

    pub fn text(&self, path: &str) -> String {
        exchange(&self.socket, "GET", path, "")
    }

    pub fn post(&self, path: &str) -> Value {
        request(&self.socket, "POST", path, "null")
    }

    /// The monitor's line of the board.
    pub fn row(&self, name: &str) -> Option<Value> {
        self.get("/api/v1/board")["monitors"].as_array().unwrap().iter().find(|m| m["name"] == name).cloned()
    }

    /// Address and port of its TCP listener.
    pub fn http(&self) -> &str {
        &self.http
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: nothing is flushed, nothing is said.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, without waiting.
    pub fn terminate(&self) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    }

    /// The exit code, once it has ended by itself.
    pub fn ended(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }

    /// SIGTERM, and the exit code.
    pub fn stop(mut self) -> i32 {
        self.terminate();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request over the Unix socket; the reply must be JSON.
pub fn request(socket: &Path, method: &str, path: &str, body: &str) -> Value {
    let reply = exchange(socket, method, path, body);
    serde_json::from_str(&reply).unwrap_or_else(|e| panic!("{method} {path}: {e}: {reply}"))
}

/// One request over the Unix socket; gives the reply's body.
pub fn exchange(socket: &Path, method: &str, path: &str, body: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // In one piece: a body that arrives after the reply resets the connection.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (_, body) = reply.split_once("\r\n\r\n").unwrap();
    body.to_owned()
}

/// Waits until `state` gives a value; panics with `what` when it does not.
#[track_caller]
pub fn wait_for<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = state() {
            return value;
        }
        assert!(Instant::now() < end, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
