//! A server of one's own.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

/// Where distributions put the binaries, one folder for each major version.
const DISTRIBUTION: &str = "/usr/lib/postgresql";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
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
        let server = Self { folder, binaries, port, keeper };
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
        std::fs::remove_file(self.folder.path().join("data/postmaster.pid")).ok();
        self.keeper = keep(&self.binaries, self.folder.path(), self.port);
        self.ready().await;
    }

    /// Sends a signal to every process of the server and waits until they are gone.
    pub fn end(&mut self, signal: &str) {
        // The keeper leads the group that all of them are in.
        let group = format!("-{}", self.keeper.id());
        Command::new("kill").args([&format!("-{signal}"), "--", &group]).status().expect("kill is there");
        self.keeper.wait().ok();
    }

    async fn ready(&self) {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.options().connect().await {
                Ok(connection) => return drop(sqlx::Connection::close(connection).await),
                Err(error) => {
                    assert!(tokio::time::Instant::now() < until, "Postgres does not start: {error}");
                }
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
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
        "'{}' -D '{}' -p {port} {settings} <&- & read -r _; kill -QUIT $!; wait; rm -rf '{}'",
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
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}
