//! What the views come to.

use duban::Service;
use duban::server::views_of;
use duban_log::views::Digest;

use super::Office;

impl Office {
    /// The digest of every view, each at the head of the log.
    pub async fn digests(&self) -> Vec<(&'static str, Digest)> {
        let (views, head) = (&self.running().views, self.head().await);
        let mut digests = Vec::new();
        for view in views_of(&Service::ALL) {
            views.following(view.name).expect("it runs").reached(head).await;
            digests.push((view.name, view.digest(views).await.expect("it is read")));
        }
        digests
    }
}
