//! Views built anew while they are served from: beside the server on Postgres, by the server in its folder.

use std::process::{Command, Output};

use duban_log::Location;
use serde_json::Value;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;

use crate::support::{DUBAN, Office};

/// `duban rebuild`, told where the running server's views are.
async fn rebuild(office: &Office, view: &str) -> Output {
    let (place, admin) = (office.place(), office.admin().to_string());
    let mut command = Command::new(DUBAN);
    command.args(["rebuild", view, "-o", "json"]);
    match place.location() {
        Location::Folder(_) => command.args(["--admin", &admin]),
        Location::Postgres(_) => command.args(place.flags()),
    };
    tokio::task::spawn_blocking(move || command.output().expect("the binary runs")).await.expect("it ends")
}

/// Changes what a view says behind its back.
async fn tamper(office: &Office, change: &str) {
    let changed = match office.place().location() {
        Location::Folder(folder) => {
            let file = folder.join("views.db");
            let url = format!("sqlite://{}", file.display());
            let mut connection = SqliteConnection::connect(&url).await.expect("the views are there");
            let sql = format!("UPDATE agency_names SET {change}");
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .expect("changed")
                .rows_affected()
        }
        Location::Postgres(url) => {
            let mut connection = PgConnection::connect(&url).await.expect("the views are there");
            let sql = format!("UPDATE duban_views.agency_names SET {change}");
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .execute(&mut connection)
                .await
                .expect("changed")
                .rows_affected()
        }
    };
    assert!(changed > 0);
}

fn digests(output: &Output) -> (String, String) {
    let text = String::from_utf8_lossy(&output.stdout);
    let said: Value = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
    let row = said[0].as_object().unwrap_or_else(|| panic!("{said}"));
    let digest = |name: &str| row[name].as_str().expect("a digest").to_owned();
    (digest("before"), digest("after"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_rebuilt_while_it_is_served_from() {
    let office = Office::open().await;
    office.register_agencies(&["fgw", "czt"]).await;
    // What the views have been told they may gather for a moment.
    office.digests().await;
    let sound = rebuild(&office, "agency_names").await;
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stderr));
    let (before, after) = digests(&sound);
    assert_eq!(before, after);

    tamper(&office, "text = 'forged'").await;
    let repaired = rebuild(&office, "agency_names").await;
    assert_eq!(repaired.status.code(), Some(7), "{}", String::from_utf8_lossy(&repaired.stderr));
    let (forged, right) = digests(&repaired);
    assert_ne!(forged, right);
    assert_eq!(right, before);

    // It goes on in its new table.
    office.register_agencies(&["jtt"]).await;
    let unknown = rebuild(&office, "no_such_view").await;
    assert_eq!(unknown.status.code(), Some(2));
    office.verify().await;
}
