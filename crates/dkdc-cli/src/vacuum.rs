//! `dkdc vacuum`: the store without what was deleted, and its space given back.

use crate::exit::Result;
use crate::output::{Output, say};
use crate::progress::Progress;
use crate::row;
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
The file is written anew from what is in it; writers wait meanwhile. erase and
prune do it by themselves, clear does not.

Example:
  dkdc vacuum";

pub(crate) fn run(stores: &Stores, output: &mut Output) -> Result<()> {
    let state = stores.existing()?;
    let progress = Progress::spinning("vacuuming");
    let vacuumed = state.vacuum();
    drop(progress);
    let vacuumed = vacuumed?;
    say(&format!(
        "{} bytes, before it {}",
        vacuumed.after, vacuumed.before
    ));
    output.report([
        ("bytes", vacuumed.after.into()),
        ("before", vacuumed.before.into()),
    ])?;
    row::left(&vacuumed.left)
}
