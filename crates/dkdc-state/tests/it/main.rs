//! The promises of dkdc-state, each a test named after it.

mod a_damaged_store_can_be_helped;
mod a_name_means_one_thing;
mod a_records_own_code_harms_nobody;
mod a_request_is_made_once;
mod acknowledged_writes_are_there;
mod adoption;
mod an_idle_file_is_complete;
mod bad_input_is_refused;
mod blobs_are_kept_once;
mod cases;
mod changes_resume;
mod check_counts_what_is_sound;
#[cfg(feature = "query")]
mod conditions_are_asked_of_the_answer;
mod content_is_cut_and_verified;
mod damage_is_named;
mod declarations_are_taken_at_their_word;
mod derive;
mod heads_lag_and_nobody_sees_it;
mod history_is_complete;
mod idx_always_increases;
mod large_batches_are_as_small_ones;
mod lists_do_not_depend_on_indexes;
mod many_processes_share_a_store;
#[cfg(feature = "query")]
mod mirror_files_are_shared;
#[cfg(feature = "query")]
mod mirror_files_may_change_under_a_reader;
mod moments_mean_commits;
mod nobody_waits_for_ever;
#[cfg(feature = "query")]
mod only_files_that_are_named_are_joined;
mod only_stores_are_opened;
mod other_programs_cannot_write;
mod pruning_takes_only_what_was_replaced;
#[cfg(feature = "query")]
mod questions_do_not_disturb_each_other;
mod salvage_costs_what_is_damaged;
#[cfg(feature = "query")]
mod scans_are_what_questions_see;
mod schemas_are_what_was_declared;
mod schemas_evolve;
#[expect(clippy::print_stdout, reason = "shown of a test that fails")]
mod seed;
mod skipped;
#[cfg(feature = "query")]
mod sql;
mod support;
mod the_file_stays_itself;
#[cfg(feature = "query")]
mod the_mirror_can_be_ordered;
#[cfg(feature = "query")]
mod the_mirror_is_a_cache;
#[cfg(feature = "query")]
mod the_model;
mod transactions_are_all_or_nothing;
mod values_come_back_exactly;
mod what_cannot_be_read_is_an_error;
mod what_is_erased_is_gone;
mod what_is_made_of_a_store_is_for_the_same_people;
mod who_may_only_read;
mod workers;
