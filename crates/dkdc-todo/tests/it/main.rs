//! What dkdc-todo promises, a module per promise.

mod a_list_can_be_read_only;
mod a_prefix_finds_one_todo;
mod an_edit_changes_what_it_names;
mod an_update_is_the_whole_todo;
mod deleted_todos_come_back;
mod errors_name_the_todo;
mod labels_keep_their_commas;
mod lists_come_in_order;
mod long_lists_are_of_one_moment;
mod new_ids_are_nobodys;
mod the_past_can_be_read;
mod the_posts_story;
mod todos_follow_their_user;

use dkdc_todo::{Todos, Versioned};
use tempfile::TempDir;

/// What a test returns: `?` on whatever goes wrong.
type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A new list; its store goes with the folder.
fn empty() -> Result<(TempDir, Todos), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let todos = Todos::open(folder.path().join("data.db"))?;
    Ok((folder, todos))
}

/// The ids, in the order of the list.
fn ids(list: &[Versioned<dkdc_todo::Todo>]) -> Vec<&str> {
    list.iter().map(|todo| todo.id.as_str()).collect()
}
