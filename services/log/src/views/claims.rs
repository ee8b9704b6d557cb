//! What the views say of themselves, read beside whoever runs them: an export takes it along, for those who build
//! them again from the events.

use super::digest::digest;
use super::store::Reading;
use super::{Digest, Entry, postgres, sqlite};
use crate::append::LogIdentity;
use crate::engine::Location;
use crate::moving::Claim;

/// The digest of each of these views, where it stands. Left out is what is not there, is of another log or
/// epoch, or was written by another version.
pub(crate) async fn claims_of(
    location: &Location,
    identity: LogIdentity,
    views: &[Entry],
) -> Result<Vec<Claim>, sqlx::Error> {
    let names: Vec<&str> = views.iter().map(|view| view.name).collect();
    let reading = match location {
        Location::Folder(folder) => sqlite::Reading::of(folder, identity).await?.map(Reading::Sqlite),
        Location::Postgres(url) => postgres::Reading::of(url, identity, &names).await?.map(Reading::Postgres),
    };
    let mut claims = Vec::new();
    let Some(mut reading) = reading else { return Ok(claims) };
    for view in views {
        let Some(standing) = reading.standing(view.name).await? else { continue };
        if standing.version == view.shape.version {
            let Digest { position, rows, sha256 } =
                digest(&mut reading, &view.shape, view.name, standing.position).await?;
            claims.push(Claim { view: view.name.to_owned(), position, rows, sha256: hex::encode(sha256) });
        }
    }
    Ok(claims)
}
