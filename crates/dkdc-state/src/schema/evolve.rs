//! How a declared table and the stored one become one.
//!
//! Columns are added, renamed and made optional; types never change, and what is
//! optional is never required again; nothing is dropped, since another program
//! may still use it. What does not go together is reported as a whole, one line
//! for each difference.
//!
//! A default belongs to the column: the one it was made with stays. Were each
//! declaration to change it, two programs would take it from each other.

use super::{Column, ColumnDef, Index, IndexDef, IndexPart, PartKey, TableDef, TableSchema};
use crate::error::{Error, Result};
use crate::record::Idx;

/// One change of the stored table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The column at this place is new.
    AddColumn(usize),
    /// The column at this place has a new name.
    RenameColumn { at: usize, from: String },
    /// The column at this place need not have a value any more.
    Relax(usize),
    /// The index at this place is new.
    AddIndex(usize),
}

/// The table after the declaration, and what leads there.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) schema: TableSchema,
    pub(crate) steps: Vec<Step>,
}

impl Plan {
    /// One line, for the event.
    pub(crate) fn describe(&self) -> Vec<String> {
        let name = |at: usize| &self.schema.columns[at].name;
        self.steps
            .iter()
            .map(|step| match step {
                Step::AddColumn(at) => {
                    format!("add column {} {}", name(*at), self.schema.columns[*at].ty)
                }
                Step::RenameColumn { at, from } => format!("rename column {from} to {}", name(*at)),
                Step::Relax(at) => format!("column {} is optional", name(*at)),
                Step::AddIndex(at) => format!("add index {}", self.schema.indexes[*at].number),
            })
            .collect()
    }

    /// The columns that are new were not there before `idx`.
    pub(crate) fn set_since(&mut self, idx: Idx) {
        for step in &self.steps {
            if let Step::AddColumn(at) = step {
                let column = &mut self.schema.columns[*at];
                column.since = idx;
                column.initial = column.default.clone();
            }
        }
    }
}

/// A new table.
pub(crate) fn create(number: u32, declared: &TableDef) -> Result<TableSchema> {
    declared.check()?;
    let mut schema = TableSchema {
        number,
        name: declared.name.clone(),
        columns: declared.columns.iter().map(stored_column).collect(),
        indexes: Vec::new(),
        floor: Idx::ZERO,
    };
    for def in &declared.indexes {
        let index = stored_index(&schema, def)?;
        if !schema.indexes.iter().any(|known| same(known, &index)) {
            schema.indexes.push(index);
        }
    }
    Ok(schema)
}

/// What the declaration changes of the stored table.
///
/// # Errors
/// [`Error::SchemaMismatch`] with every difference that cannot be bridged.
pub(crate) fn evolve(stored: &TableSchema, declared: &TableDef, empty: bool) -> Result<Plan> {
    declared.check()?;
    let mut plan = Plan {
        schema: stored.clone(),
        steps: Vec::new(),
    };
    let mut differences = Vec::new();
    for def in &declared.columns {
        if let Err(difference) = take_column(&mut plan, def, empty) {
            differences.push(difference);
        }
    }
    if !differences.is_empty() {
        return Err(Error::SchemaMismatch {
            table: stored.name.clone(),
            differences,
        });
    }
    for def in &declared.indexes {
        let index = stored_index(&plan.schema, def)?;
        if !plan.schema.indexes.iter().any(|known| same(known, &index)) {
            plan.steps.push(Step::AddIndex(plan.schema.indexes.len()));
            plan.schema.indexes.push(index);
        }
    }
    Ok(plan)
}

fn take_column(plan: &mut Plan, def: &ColumnDef, empty: bool) -> Result<(), String> {
    let renamed = || def.was.as_deref().and_then(|was| plan.schema.position(was));
    let known = plan.schema.position(&def.name);
    let Some(at) = known.or_else(renamed) else {
        return add_column(plan, def, empty);
    };
    let column = &plan.schema.columns[at];
    if column.ty != def.ty {
        return Err(format!(
            "column {}: {} in the store, {} as declared; a type cannot change: \
             give the new column another name",
            def.name, column.ty, def.ty
        ));
    }
    if def.required && !column.required {
        return Err(format!(
            "column {}: optional in the store, required as declared; records may lack it: \
             declare it optional",
            def.name
        ));
    }
    let was_here = def.was.as_deref() == Some(column.name.as_str());
    if known.is_none() || was_here {
        rename_to(plan, at, &def.name)?;
    }
    let column = &mut plan.schema.columns[at];
    if column.required && !def.required {
        column.required = false;
        plan.steps.push(Step::Relax(at));
    }
    Ok(())
}

fn add_column(plan: &mut Plan, def: &ColumnDef, empty: bool) -> Result<(), String> {
    refuse_taken(&plan.schema, &def.name, None)?;
    if def.required && def.default.is_none() && !empty {
        return Err(format!(
            "column {}: new and required, but the records in the store do not have it; \
             make it optional or give it a default",
            def.name
        ));
    }
    plan.steps.push(Step::AddColumn(plan.schema.columns.len()));
    plan.schema.columns.push(stored_column(def));
    Ok(())
}

fn rename_to(plan: &mut Plan, at: usize, name: &str) -> Result<(), String> {
    if plan.schema.columns[at].name == name {
        return Ok(());
    }
    refuse_taken(&plan.schema, name, Some(at))?;
    let column = &mut plan.schema.columns[at];
    let from = std::mem::replace(&mut column.name, name.to_owned());
    column.former.push(from.clone());
    plan.steps.push(Step::RenameColumn { at, from });
    Ok(())
}

/// A name means one column for good, whatever that is called now: a program
/// that still knows it by an earlier name must not meet another one. SQLite
/// tells names apart without case.
fn refuse_taken(schema: &TableSchema, name: &str, by: Option<usize>) -> Result<(), String> {
    let others = schema.columns.iter().enumerate();
    for (_, other) in others.filter(|(at, _)| Some(*at) != by) {
        if other.name == name {
            return Err(format!("there is a column {name} already"));
        }
        if other.name.eq_ignore_ascii_case(name) {
            return Err(format!(
                "column {name}: the store has {}, which differs only in case",
                other.name
            ));
        }
        if other
            .former
            .iter()
            .any(|former| former.eq_ignore_ascii_case(name))
        {
            return Err(format!(
                "column {name}: the column {} was called so before, and programs may \
                 still know it by that name",
                other.name
            ));
        }
    }
    Ok(())
}

/// Renames a column of the stored table.
pub(crate) fn rename(stored: &TableSchema, from: &str, to: &str) -> Result<Plan> {
    let (at, column) = stored.column(from)?;
    let mut declared = TableDef::new(&stored.name);
    declared.columns.push(ColumnDef::new(to, column.ty));
    declared.check()?;
    let mut plan = Plan {
        schema: stored.clone(),
        steps: Vec::new(),
    };
    rename_to(&mut plan, at, to).map_err(|why| Error::InvalidSchema {
        table: stored.name.clone(),
        why,
    })?;
    Ok(plan)
}

fn stored_column(def: &ColumnDef) -> Column {
    let default = def.default.clone().filter(|value| !value.is_null());
    Column {
        name: def.name.clone(),
        former: Vec::new(),
        ty: def.ty,
        required: def.required,
        // TableDef::check has passed it.
        default: default.and_then(|value| value.check(def.ty).ok()),
        since: Idx::ZERO,
        initial: None,
    }
}

fn stored_index(schema: &TableSchema, def: &IndexDef) -> Result<Index> {
    let part = |column: &super::IndexColumn| {
        let key = match schema.position(&column.name) {
            Some(at) => PartKey::Column(crate::log::append::column_number(at)),
            None if column.name == "id" => PartKey::Id,
            None if column.name == "idx" => PartKey::Idx,
            None => schema.column(&column.name).map(|_| PartKey::Id)?,
        };
        Ok(IndexPart {
            key,
            descending: column.descending,
        })
    };
    let last = schema.indexes.iter().map(|index| index.number).max();
    Ok(Index {
        number: last.unwrap_or(0) + 1,
        parts: def.columns.iter().map(part).collect::<Result<_>>()?,
        unique: def.unique,
    })
}

fn same(a: &Index, b: &Index) -> bool {
    a.parts == b.parts && a.unique == b.unique
}
