//! A server of one's own.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

/// Where distributions put the binaries, one folder for each major version.
const DISTRIBUTION: &str = "/usr/lib/postgresql";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// One that does not listen by then has given up, since something of the one before was still there: it is started
/// again.
const LISTENS: Duration = Duration::from_secs(5);
/// Where connections get their own ports begins here or above; a server's port is below, so that none takes it while
/// the server is down.
const EPHEMERAL: u16 = 32_768;
/// How many ports there are to choose from.
const PORTS: u32 = 20_000;
/// What the server says, in its folder.
const SAID: &str = "said";
/// Settings of every server: durable as in earnest, small, reachable on loopback alone.
const SETTINGS: [&str; 8] = [
    "listen_addresses=127.0.0.1",
    "fsync=on",
    "max_connections=400",
    "shared_buffers=128MB",
    "log_min_messages=fatal",
    "unix_socket_directories=",
    "max_wal_size=4GB",
    "password_encryption=scram-sha-256",
];

/// A Postgres in a temporary folder, on a port of its own, trusting whoever is on this machine.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
    /// Ends the server when its input closes: also when this process is killed.
    keeper: Child,
}

impl Server {
    /// Starts one; `None` where the machine has no Postgres.
    pub async fn start() -> Option<Self> {
        let binaries = binaries()?;
        let folder = tempfile::Builder::new().prefix("duban-postgres-").tempdir().expect("a folder");
        if let Some((uid, gid)) = unprivileged() {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).expect("the folder is given away");
        }
        let data = folder.path().join("data");
        let made = as_unprivileged(Command::new(binaries.join("initdb")))
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .status()
            .expect("initdb runs");
        assert!(made.success(), "initdb makes a cluster");
        let port = free_port();
        let keeper = keep(&binaries, folder.path(), port);
        let mut server = Self { folder, binaries, port, keeper };
        server.ready().await;
        Some(server)
    }

    /// How its superuser connects.
    pub fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .database("postgres")
            .disable_statement_logging()
    }

    /// Kills every process of the server at once, as a power cut would, and starts it again.
    pub async fn crash(&mut self) {
        self.end("KILL");
        self.start_again().await;
    }

    /// Starts it again at the same port after it was [ended](Server::end).
    pub async fn start_again(&mut self) {
        self.keep();
        self.ready().await;
    }

    fn keep(&mut self) {
        std::fs::remove_file(self.folder.path().join("data/postmaster.pid")).ok();
        self.keeper = keep(&self.binaries, self.folder.path(), self.port);
    }

    /// Sends a signal to every process of the server and waits until they are gone.
    pub fn end(&mut self, signal: &str) {
        // The keeper leads the group that all of them are in.
        let group = format!("-{}", self.keeper.id());
        Command::new("kill").args([&format!("-{signal}"), "--", &group]).status().expect("kill is there");
        self.keeper.wait().ok();
    }

    async fn ready(&mut self) {
        let until = tokio::time::Instant::now() + PATIENCE;
        let mut listens = tokio::time::Instant::now() + LISTENS;
        loop {
            let error = match self.options().connect().await {
                Ok(connection) => return drop(sqlx::Connection::close(connection).await),
                Err(error) => error,
            };
            let now = tokio::time::Instant::now();
            assert!(now < until, "Postgres does not start: {error}\n{}", self.said());
            if !matches!(error, sqlx::Error::Io(_)) {
                // It is there, and busy with what it was in the middle of.
                listens = now + LISTENS;
            } else if now > listens {
                self.end("KILL");
                self.keep();
                listens = now + LISTENS;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// Why it does not start.
    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join(SAID)).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end("KILL");
    }
}

/// The newest binaries: of the distribution, or on the path.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DISTRIBUTION).into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let installed = versions
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/postgres").exists() && path.join("bin/initdb").exists())
        .max_by_key(|path| number(path))
        .map(|path| path.join("bin"));
    installed.or_else(|| {
        #[allow(clippy::disallowed_methods, reason = "where programs are is the machine's to say")]
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .find(|folder| folder.join("postgres").exists() && folder.join("initdb").exists())
    })
}

/// Starts the server below a shell that waits for the end of its input and then takes all of it away, in a process
/// group of their own.
fn keep(binaries: &Path, folder: &Path, port: u16) -> Child {
    let settings = format!("-c {}", SETTINGS.join(" -c "));
    let script = format!(
        "'{}' -D '{}' -p {port} {settings} <&- 2>>{SAID} & read -r _; kill -QUIT $!; wait; rm -rf '{}'",
        binaries.join("postgres").display(),
        folder.join("data").display(),
        folder.display(),
    );
    as_unprivileged(Command::new("sh"))
        .args(["-c", &script])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("sh runs")
}

/// Postgres refuses to run as root: then it runs as the user of its packages.
fn as_unprivileged(mut command: Command) -> Command {
    if let Some((uid, gid)) = unprivileged() {
        command.uid(uid).gid(gid);
    }
    command
}

/// The user and group to run as; `None` if we are not root.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt as _;
    let ourselves = std::fs::metadata("/proc/self").ok()?.uid();
    if ourselves != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.starts_with(&format!("{name}:")))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

fn free_port() -> u16 {
    // Where this program has looked nobody of it looks again, and other programs begin elsewhere.
    static LOOKED: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(61);
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let next = || {
        let offset = start.wrapping_add(LOOKED.fetch_add(1, Ordering::Relaxed)) % PORTS;
        EPHEMERAL - 1 - u16::try_from(offset).unwrap_or_default()
    };
    (0..PORTS).map(|_| next()).find(free).expect("a port")
}
