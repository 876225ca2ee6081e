//! What dkdc-lake promises, a module per promise.

mod a_files_kind_is_told;
mod a_name_is_user_path_and_filename;
mod a_put_changes_what_it_names;
mod a_version_may_be_expected;
mod an_update_is_the_whole_file;
mod content_comes_back_as_it_was;
mod content_takes_what_it_must;
mod damage_is_told_for_what_it_is;
mod deleted_files_come_back;
mod entries_are_of_one_moment;
mod errors_name_the_file;
#[cfg(unix)]
mod folders_go_in_and_out;
mod lists_are_newest_first;
#[cfg(unix)]
mod nothing_outside_the_target_is_written;
mod one_file_holds_everything;
mod original_files_open;
mod patterns_mean_files;
mod the_past_can_be_read;
mod the_posts_story;
mod unchanged_files_cost_a_stat;
mod what_is_left_out_stays_out;
mod writers_do_not_race;

use dkdc_lake::{Edit, File, FileName, Lake, Versioned};
use tempfile::TempDir;

/// What a test returns: `?` on whatever goes wrong.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A new lake; its store goes with the folder.
fn empty() -> Result<(TempDir, Lake), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let lake = Lake::open(folder.path().join("data.db"))?;
    Ok((folder, lake))
}

/// Puts text under a name such as `a/b.txt`.
fn put(lake: &Lake, name: &str, text: &str) -> Result<Versioned<File>, dkdc_lake::Error> {
    Ok(lake
        .put(&name.parse()?, &Edit::new(), text.as_bytes())?
        .file)
}

/// The text of the current file of this name.
fn text(lake: &Lake, name: &FileName) -> Result<String, Box<dyn std::error::Error>> {
    Ok(String::from_utf8(lake.read_to_vec(name)?)?)
}

/// The names, in the order of the list.
fn names(list: &[Versioned<File>]) -> Vec<String> {
    list.iter().map(|file| file.name().to_string()).collect()
}

/// Bytes that do not shrink, and do not repeat in any simple way.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Alters a store that nobody has open, as a broken disk or another program would.
fn altered(store: &std::path::Path, script: &str) {
    let mut sqlite = std::process::Command::new("sqlite3");
    let done = sqlite.arg(store).arg(script).status();
    assert!(done.expect("sqlite3 runs").success());
}
