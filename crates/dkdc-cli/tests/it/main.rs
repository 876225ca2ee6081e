//! The command as its users meet it: the real binary, in folders of its own.
//!
//! Each module is a promise, and opens with the story of how it could fail.
#![cfg(unix)]

mod a_conflict_is_told;
mod a_lake_file_is_whole_or_not_there;
mod a_reader_may_leave;
mod a_store_can_be_kept;
mod a_terminal_obeys_no_value;
mod an_edit_changes_what_it_names;
mod bad_input_is_one_line_and_one_code;
mod changes_can_be_resumed;
mod clearing_is_deliberate;
mod damage_is_told;
mod deleted_records_come_back;
mod erasing_is_deliberate;
mod exports_are_whole_files;
mod files_are_named_in_many_ways;
mod folders_are_versioned;
mod help_shows_an_example;
mod ids_may_be_cut_short;
mod imports_are_all_or_nothing;
mod json_is_exact_or_refused;
mod many_rows_are_all_or_nothing;
mod memory_stays_flat;
mod reading_needs_no_write_permission;
mod results_are_the_same_in_every_format;
mod shell;
mod sql_reads_files_of_the_lake;
mod sql_reads_one_snapshot;
mod tables_fit_the_terminal;
mod tables_grow;
mod the_past_can_be_read;
mod the_posts_story;
mod the_store_is_the_one_meant;
mod the_tour_is_what_happens;
