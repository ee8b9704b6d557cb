//! `duban migrate`: the schema of a Postgres database, brought up to date by the role that owns it. A server
//! never does that by itself.

use duban_log::{Migration, Migrations};
use serde_json::{Value, json};

use crate::args::{MigrateAction, MigrateArgs};
use crate::away::waited_for;
use crate::failure::Failure;
use crate::output::Printer;

/// Shows the migrations, or applies what is missing.
pub(crate) async fn run(args: MigrateArgs, printer: &mut Printer) -> Result<(), Failure> {
    let mut migrations = waited_for(|| Migrations::connect(&args.log)).await?;
    match &args.action {
        MigrateAction::Status => {}
        MigrateAction::Up { dry_run: true, .. } => {
            for missing in migrations.list().await?.iter().filter(|migration| !migration.applied) {
                printer.say(missing.sql)?;
            }
            migrations.close().await;
            return Ok(());
        }
        MigrateAction::Up { app_role, dry_run: false } => {
            // What the database has beyond what is known here is refused before anything is applied.
            migrations.list().await?;
            migrations.up(app_role.as_deref()).await?;
        }
    }
    let mut list = printer.list("migrations");
    for migration in migrations.list().await? {
        list.push(shown(&migration))?;
    }
    list.end()?;
    migrations.close().await;
    Ok(())
}

fn shown(migration: &Migration) -> Value {
    let Migration { version, description, applied, sql: _ } = migration;
    json!({ "version": version.to_string(), "migration": description, "applied": applied })
}
