//! What was typed, done: one way for every call, one for every paged list, one for the log's streams.

mod events;
mod proofs;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use prost::Message;
use prost_reflect::{DynamicMessage, MethodDescriptor};
use serde_json::{Value, json};

use crate::args::{Ask, Cli, ClientCommand, Command, EventCommand};
use crate::client::{Client, Identity, Stream, schema};
use crate::failure::{Exit, Failure};
use crate::i18n::messages;
use crate::output::Printer;
use crate::{
    backup, evidence, export, healthy, import, key, load, migrate, rebuild, restore, serve, tree, verify,
    witness,
};

/// Runs the program: parses what was typed, does it, and ends with the code for how that went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut printer = Printer::new(cli.client.output, cli.client.lang());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            printer.fail(&Failure::other(format!("no threads can be started: {error}")));
            return Exit::Other.into();
        }
    };
    match runtime.block_on(act(cli, &mut printer)) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            printer.fail(&failure);
            failure.exit().into()
        }
    }
}

async fn act(cli: Cli, printer: &mut Printer) -> Result<(), Failure> {
    let Cli { client: args, command } = cli;
    match command {
        Command::Serve(serve) => serve::run(serve, printer).await,
        Command::Rebuild(rebuild) => rebuild::run(rebuild, printer).await,
        Command::Migrate(args) => migrate::run(args, printer).await,
        Command::Export(export) => export::run(export, printer).await,
        Command::Load(load) => load::run(load, printer).await,
        Command::Key(command) => key::run(command, printer).await,
        Command::Tree(command) => tree::run(command, printer).await,
        Command::Witness(command) => witness::run(command, printer).await,
        Command::Verify(args) => verify::run(args, printer).await,
        Command::Backup(backup) => backup::run(backup, printer).await,
        Command::Restore(restore) => restore::run(restore, printer).await,
        Command::Healthy(healthy) => healthy::run(healthy, printer).await,
        Command::Import(import) => {
            trace(args.verbose);
            let client = Client::of(&args)?;
            import::run(&import, &client, serve::throwaway(), printer).await
        }
        Command::Evidence(args_of) => {
            trace(args.verbose);
            let session = Session { client: Client::of(&args)?, identity: Identity::from(&args) };
            evidence::run(&args_of, &session, printer).await
        }
        Command::Client(command) => {
            trace(args.verbose);
            let session = Session { client: Client::of(&args)?, identity: Identity::from(&args) };
            session.run(&command, printer).await
        }
    }
}

/// With `-v`, what is called is said on stderr.
fn trace(verbose: bool) {
    if verbose {
        let filter = tracing_subscriber::EnvFilter::new("duban=debug");
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        lines.with_ansi(std::io::stderr().is_terminal()).without_time().init();
    }
}

/// A new id for a command.
pub(crate) fn request_id() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::other(format!("no randomness: {error}")))?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// One page of a list.
struct Page {
    items: Vec<Value>,
    /// The token of the next page; none: this was the last.
    next: Option<Value>,
    answer: Value,
}

/// Somebody's way to the services.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) identity: Identity,
}

impl Session {
    async fn run(&self, command: &ClientCommand, printer: &mut Printer) -> Result<(), Failure> {
        match command {
            ClientCommand::Event(EventCommand::List(listing)) => self.list_events(listing, printer).await,
            ClientCommand::Event(EventCommand::Show(event)) => {
                self.show_event(&event.listing(), printer).await
            }
            ClientCommand::Event(EventCommand::Follow(follow)) => self.follow(follow, printer).await,
            ClientCommand::Checkpoint(checkpoint) => {
                self.checkpoint(&checkpoint.ask().map_err(Failure::Usage)?, printer).await
            }
            ClientCommand::Prove(command) => self.prove(command, printer).await,
            other => {
                let ask = other.ask().map_err(Failure::Usage)?;
                let method = schema::method(&ask.rpc)
                    .ok_or_else(|| Failure::other(format!("there is no RPC {}", ask.rpc)))?;
                match schema::list_of(&method) {
                    Some(list) => self.pages(ask, &list, printer).await,
                    None => self.once(ask, &method, printer).await,
                }
            }
        }
    }

    /// A call with one answer. A command gets a request id if none was typed.
    async fn once(
        &self,
        mut ask: Ask,
        method: &MethodDescriptor,
        printer: &mut Printer,
    ) -> Result<(), Failure> {
        if schema::is_command(method) {
            let context = &mut ask.request["context"];
            if context.is_null() {
                *context = json!({});
            }
            if context["request_id"].is_null() {
                context["request_id"] = Value::from(request_id()?);
            }
        }
        let tried = ask.request["context"]["validate_only"] == Value::Bool(true);
        let reply = self.call(&ask.rpc, &ask.request).await?;
        printer.reply(&reply)?;
        if tried {
            printer.note(messages::TRIED.of(printer.lang()))?;
        }
        Ok(())
    }

    /// Every page of a list, up to `limit` items.
    async fn pages(&self, mut ask: Ask, list: &str, printer: &mut Printer) -> Result<(), Failure> {
        let limit = ask.request.as_object_mut().and_then(|fields| fields.remove("limit"));
        let limit = limit.and_then(|limit| limit.as_u64()).unwrap_or(u64::MAX);
        // Not every list is paged: who answers for one task comes at once.
        if let Some(page) = ask.request.get("page_size").and_then(Value::as_u64) {
            ask.request["page_size"] = Value::from(page.min(limit.max(1)));
        }
        let mut shown = printer.list(list);
        let answer = loop {
            let Page { items, next, answer } = self.page(&ask, list).await?;
            for item in items {
                if shown.len() < limit {
                    shown.push(item)?;
                }
            }
            match next {
                Some(next) if shown.len() < limit => ask.request["page_token"] = next,
                _ => break answer,
            }
        };
        shown.end()?;
        if answer.is_null() { Ok(()) } else { printer.answer(&answer).and_then(|()| printer.flush()) }
    }

    /// Every item of a list at once.
    pub(crate) async fn all_items(&self, rpc: &str, request: Value) -> Result<Vec<Value>, Failure> {
        let mut ask = Ask { rpc: rpc.to_owned(), request };
        let list = schema::method(rpc).and_then(|method| schema::list_of(&method)).unwrap_or_default();
        let mut all = Vec::new();
        loop {
            let Page { items, next, answer: _ } = self.page(&ask, &list).await?;
            all.extend(items);
            match next {
                Some(next) => ask.request["page_token"] = next,
                None => return Ok(all),
            }
        }
    }

    async fn page(&self, ask: &Ask, list: &str) -> Result<Page, Failure> {
        let mut reply = self.call(&ask.rpc, &ask.request).await?;
        let items = reply[list].as_array_mut().map(std::mem::take).unwrap_or_default();
        let next = reply
            .get_mut("nextPageToken")
            .map(Value::take)
            .filter(|next| next.as_str().is_some_and(|token| !token.is_empty()));
        Ok(Page { items, next, answer: reply["answer"].take() })
    }

    /// A call's answer as proto JSON.
    pub(crate) async fn call(&self, rpc: &str, request: &Value) -> Result<Value, Failure> {
        schema::to_json(&self.answered(rpc, request).await?)
    }

    /// A call's answer as what it is.
    pub(crate) async fn ask<M: Message + Default>(&self, rpc: &str, request: &Value) -> Result<M, Failure> {
        schema::typed(&self.answered(rpc, request).await?)
    }

    async fn answered(&self, rpc: &str, request: &Value) -> Result<DynamicMessage, Failure> {
        let (method, message) = schema::request(rpc, request).map_err(Failure::Usage)?;
        self.client.call(&self.identity, &method, &message).await
    }

    /// A call that answers with a stream.
    pub(crate) async fn open(&self, rpc: &str, request: &Value) -> Result<Stream, Failure> {
        let (method, message) = schema::request(rpc, request).map_err(Failure::Usage)?;
        self.client.stream(&self.identity, &method, &message).await
    }
}
