//! `dkdc head`: the newest link of each hash chain, to keep elsewhere.

use dkdc_state::ChainHead;

use crate::exit::Result;
use crate::output::{Column, Format, Output, Sheet};
use crate::store::Stores;

pub(crate) const EXAMPLE: &str = "\
A line for each table, and for the events: table, idx, hash. Kept where nobody
who can write the store can write, they prove later that nothing was cut off or
rewritten.

Example:
  dkdc head > heads.txt
  dkdc check --expect heads.txt";

pub(crate) fn run(stores: &Stores, output: &mut Output) -> Result<()> {
    let heads = stores.existing()?.chain_heads()?;
    if output.format() == Format::Table {
        return heads
            .iter()
            .try_for_each(|head| output.line(&head.to_string()));
    }
    let row = |head: ChainHead| {
        vec![
            head.table.as_str().into(),
            head.idx.into(),
            head.hash.as_str().into(),
        ]
    };
    let columns = vec![
        Column::new("table", "string"),
        Column::new("idx", "timestamp(6)"),
        Column::new("hash", "string"),
    ];
    output.sheet(Sheet::of(columns, heads.into_iter().map(row).collect()))
}
