//! What any engine of the log must do. Each is a function of a fresh log; an engine runs them all by
//! `contract!(open)`, so that no engine can leave one out.

mod appending;
mod concurrency;
mod following;
mod reading;

pub(crate) use appending::*;
pub(crate) use concurrency::*;
pub(crate) use following::*;
pub(crate) use reading::*;

/// Runs every function of the contract as a test of its own, each on the log that `$open` gives.
#[macro_export]
macro_rules! contract {
    ($open:path: $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $name() {
                // Said loudly where the engine is missing.
                let Some(fixture) = $open().await else { return };
                $crate::contract::$name(&fixture).await;
                $crate::support::check(&$crate::support::everything(&fixture.log).await);
                fixture.log.close().await;
            }
        )*
    };
    ($open:path) => {
        $crate::contract! { $open:
            positions_are_dense_from_one
            a_condition_lets_through_what_is_as_it_was_read
            a_condition_refuses_what_has_changed
            a_condition_on_nothing_refuses_a_second_first
            a_condition_says_for_each_tag_how_far_it_was_read
            the_same_request_is_answered_alike_and_written_once
            a_retry_is_answered_although_its_condition_no_longer_holds
            a_request_id_is_not_reused_for_another_command
            a_request_id_is_a_principals_own
            what_changed_nothing_has_a_receipt_at_its_head
            a_body_is_kept_byte_for_byte
            the_envelope_is_kept_whole
            times_never_go_back
            the_same_request_a_hundred_times_at_once_is_written_once
            of_many_for_one_place_one_gets_it
            unrelated_appends_all_go_through
            a_counter_kept_by_many_misses_nothing
            a_failing_append_leaves_its_neighbours_alone
            a_page_ends_where_it_says
            what_is_filed_under_tags_comes_once_and_in_order
            a_subject_is_read_up_to_a_position
            an_instant_names_one_position_for_ever
            beyond_the_head_there_is_nothing
            a_feed_misses_nothing_and_then_waits
        }
    };
}
