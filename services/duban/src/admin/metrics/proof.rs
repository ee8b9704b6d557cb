//! The audit trees and their witnesses in numbers.

use duban_domain::Position;
use duban_tree::State;
use duban_tree::witness::Standing;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::signed;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    tree: &'static str,
}

/// A value for each tree.
type Trees = Family<Of, Gauge>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct By {
    witness: String,
}

/// The trees that grow, and the witnesses that this process asks, as they are now.
pub(super) fn register(all: &duban_tree::Trees, head: Option<Position>, seen: &mut Registry) {
    register_witnesses(&all.witnesses(), seen);
    let [size, published, lag, at, healthy] = std::array::from_fn(|_| Trees::default());
    seen.register("tree_size", "How many leaves are stored", size.clone());
    seen.register("tree_healthy", "1 unless something is in the way of the next checkpoint", healthy.clone());
    seen.register("tree_published_size", "How many events the newest checkpoint covers", published.clone());
    seen.register("tree_lag_events", "How many events no checkpoint covers yet", lag.clone());
    seen.register_with_unit(
        "tree_published",
        "When the newest checkpoint was published, in time since 1970 UTC",
        Unit::Seconds,
        at.clone(),
    );
    for tree in all.iter() {
        let status = tree.status().borrow().clone();
        if status.state == State::Closed {
            continue;
        }
        let of = Of { tree: tree.id().algorithm.tag() };
        size.get_or_create(&of).set(signed(status.size));
        healthy.get_or_create(&of).set(i64::from(status.is_healthy()));
        let Some(newest) = tree.published() else { continue };
        published.get_or_create(&of).set(signed(newest.head.size));
        at.get_or_create(&of).set(newest.at.as_second());
        if let Some(head) = head {
            lag.get_or_create(&of).set(signed(head.saturating_sub(newest.head.size)));
        }
    }
}

/// Witnesses, by the names of their keys.
fn register_witnesses(standings: &[(String, Standing)], seen: &mut Registry) {
    if standings.is_empty() {
        return;
    }
    let [size, at] = std::array::from_fn(|_| Family::<By, Gauge>::default());
    let [cosigned, failed] = std::array::from_fn(|_| Family::<By, Counter>::default());
    seen.register("witness_cosigned_size", "How many events it has cosigned", size.clone());
    seen.register("witness_cosignatures", "How often it has cosigned", cosigned.clone());
    seen.register("witness_failures", "How often it was asked and gave no cosignature", failed.clone());
    seen.register_with_unit(
        "witness_cosigned",
        "When it cosigned last by its own clock, in time since 1970 UTC",
        Unit::Seconds,
        at.clone(),
    );
    for (name, standing) in standings {
        let by = By { witness: name.clone() };
        cosigned.get_or_create(&by).inc_by(standing.cosigned);
        failed.get_or_create(&by).inc_by(standing.failed);
        // It is asked about the SHA-256 tree of the log's epoch alone.
        if let Some(cosigned) = standing.sizes.values().max() {
            size.get_or_create(&by).set(signed(*cosigned));
        }
        if let Some(when) = standing.cosigned_at {
            at.get_or_create(&by).set(signed(when));
        }
    }
}
