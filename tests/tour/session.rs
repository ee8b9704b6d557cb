//! Two terminals of a newcomer: the server in one, a shell in the other.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

use super::readme::Shown;
use crate::support::{DUBAN, root};

/// How long any line may take to come.
const PATIENCE: Duration = Duration::from_mins(2);
/// Where the README says that the server listens.
const SHOWN_AS: &str = "127.0.0.1:7350";
/// Before the exit code, once a command is done.
const DONE: char = '\u{1e}';

/// Whether the README is to be corrected.
#[allow(clippy::disallowed_methods, reason = "a test's own environment")]
pub(super) fn asked_to_write() -> bool {
    std::env::var("DUBAN_TOUR").is_ok_and(|said| said == "write")
}

/// What was started, where.
pub(super) struct Session {
    folder: TempDir,
    server: Option<Program>,
    shell: Option<Program>,
    address: String,
}

/// A program whose lines are read as they come.
struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Session {
    /// A folder of its own that looks like the checkout.
    pub(super) fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(root().join("seeds"), folder.path().join("seeds")).expect("a link");
        Self { folder, server: None, shell: None, address: String::new() }
    }

    /// Types it and gives what came.
    pub(super) fn run(&mut self, shown: &Shown) -> Vec<String> {
        let command = shown.command.as_str();
        let came = if let Some(words) = command.strip_prefix("cargo run --release -- serve") {
            self.serve(words, shown.lines.len())
        } else if command == "^C" {
            self.server.take().expect("a server to stop").stop();
            Vec::new()
        } else if command.starts_with("alias ") || command.starts_with("cargo test") {
            shown.lines.clone()
        } else {
            self.typed(command)
        };
        let server = format!(" --server http://{}", self.address);
        came.iter().map(|line| line.replace(&server, "").replace(&self.address, SHOWN_AS)).collect()
    }

    /// Starts the server and reads as many lines as are shown.
    fn serve(&mut self, words: &str, lines: usize) -> Vec<String> {
        let mut command = self.command(Path::new(DUBAN));
        command
            .arg("serve")
            .args(words.split_whitespace())
            .env("DUBAN_LISTEN", "127.0.0.1:0")
            .env("DUBAN_ADMIN", "127.0.0.1:0")
            .env("RUST_LOG", "warn");
        let server = Program::start(command);
        let came: Vec<String> = (0..lines).map(|_| server.line()).collect();
        let address = came.iter().find_map(|line| line.split_once("http://")?.1.split_once(". "));
        address.expect("it says where it listens").0.clone_into(&mut self.address);
        self.server = Some(server);
        came
    }

    fn typed(&mut self, typed: &str) -> Vec<String> {
        if self.shell.is_none() {
            let mut command = self.command(Path::new("sh"));
            command.env("DUBAN_SERVER", format!("http://{}", self.address)).stdin(Stdio::piped());
            let mut shell = Program::start(command);
            shell.say("exec 2>&1");
            self.shell = Some(shell);
        }
        let shell = self.shell.as_mut().expect("just started");
        // A line of its own, whether or not the last one was ended.
        shell.say(&format!("{typed}\nprintf '\\n{DONE}%s\\n' $?"));
        let mut came = Vec::new();
        let code = loop {
            let line = shell.line();
            match line.strip_prefix(DONE) {
                Some(code) => break code.to_owned(),
                None => came.push(line),
            }
        };
        came.pop_if(|line| line.is_empty());
        assert_eq!(code, "0", "$ {typed}\n{}", came.join("\n"));
        came
    }

    /// A program that knows nothing of this machine's settings, in the folder.
    #[allow(clippy::disallowed_methods, reason = "a test's own environment")]
    fn command(&self, program: &Path) -> Command {
        let beside = Path::new(DUBAN).parent().expect("it is in a folder");
        let path = format!("{}:{}", beside.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).env_clear().env("PATH", path).env("LANG", "C.UTF-8");
        command
    }

    /// Stops what still runs.
    pub(super) fn close(mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

impl Program {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("its lines"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { stdin: child.stdin.take(), child, lines }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("a shell"), "{line}").expect("it listens");
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line")
    }

    /// As Ctrl-C does; it must end well.
    fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill is there").success());
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
