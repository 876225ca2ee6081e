//! Which columns of a table are shown, and how wide.
//!
//! Where everything fits, everything is shown. Where it does not, columns that
//! hold nothing but NULL go first, then long text is shortened, and at last
//! columns go, from the right. Numbers and times are whole or not there: half of
//! one says something else. What names a version or a record is there, and
//! whole, however narrow the screen. No I/O happens here.

/// What is known of a column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    /// Of its name.
    pub(super) name: usize,
    /// Of its name, its type and its cells: the widest.
    pub(super) natural: usize,
    /// True when it has cells, and all of them are NULL.
    pub(super) only_nulls: bool,
    /// True when a shortened cell still says something.
    pub(super) text: bool,
    /// True when it names a version or a record: never cut, never left out.
    pub(super) key: bool,
}

/// The columns to show.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Place and width of each column shown.
    pub(super) shown: Vec<(usize, usize)>,
    /// Places of those that hold only NULL and had to go.
    pub(super) nulls: Vec<usize>,
    /// Places of others that had to go.
    pub(super) cut: Vec<usize>,
}

/// A frame takes this much beside each cell, and once more at the end.
const BESIDE: usize = 3;
/// Text is first shortened to this.
const TEXT_FLOOR: usize = 12;
/// No text is narrower than this: less is no text, and the room is another's.
const FLOOR: usize = 8;

/// Lays columns out in `width`; `None`: as wide as they are.
pub(super) fn fit(columns: &[Measure], width: Option<usize>) -> Layout {
    let all: Vec<usize> = (0..columns.len()).collect();
    let mut layout = Layout::default();
    let mut shown = all.clone();
    if let Some(width) = width {
        if total(columns, &shown) > width && shown.iter().any(|at| !columns[*at].only_nulls) {
            let goes = |at: &&usize| columns[**at].only_nulls && !columns[**at].key;
            (layout.nulls, shown) = all.iter().partition(goes);
        }
        while least(columns, &shown) > width {
            let Some(last) = shown.iter().rposition(|at| !columns[*at].key) else {
                break;
            };
            if shown.len() == 1 {
                break;
            }
            layout.cut.push(shown.remove(last));
        }
        layout.cut.reverse();
    }
    let mut widths: Vec<usize> = shown.iter().map(|at| columns[*at].natural).collect();
    if let Some(width) = width {
        let room = width.saturating_sub(frame(shown.len()));
        let floors = |floor: fn(&Measure) -> usize| -> Vec<usize> {
            shown.iter().map(|at| floor(&columns[*at])).collect()
        };
        shrink(&mut widths, &floors(text_floor), room);
        shrink(&mut widths, &floors(floor), room);
    }
    layout.shown = shown.into_iter().zip(widths).collect();
    layout
}

fn frame(columns: usize) -> usize {
    columns * BESIDE + 1
}

fn total(columns: &[Measure], shown: &[usize]) -> usize {
    let widths: usize = shown.iter().map(|at| columns[*at].natural).sum();
    widths + frame(shown.len())
}

fn least(columns: &[Measure], shown: &[usize]) -> usize {
    let widths: usize = shown.iter().map(|at| floor(&columns[*at])).sum();
    widths + frame(shown.len())
}

fn text_floor(column: &Measure) -> usize {
    if column.text && !column.key {
        column.natural.min(column.name.max(TEXT_FLOOR))
    } else {
        column.natural
    }
}

fn floor(column: &Measure) -> usize {
    if column.text && !column.key {
        column.natural.min(FLOOR)
    } else {
        column.natural
    }
}

/// Takes from the widest, again and again, until the sum is `room` or every
/// width is at its floor.
fn shrink(widths: &mut [usize], floors: &[usize], room: usize) {
    let mut excess = widths.iter().sum::<usize>().saturating_sub(room);
    while excess > 0 {
        let able = (0..widths.len()).filter(|at| widths[*at] > floors[*at]);
        let Some(widest) = able.max_by_key(|at| (widths[*at], *at)) else {
            return;
        };
        widths[widest] -= 1;
        excess -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: usize, natural: usize) -> Measure {
        Measure {
            name,
            natural,
            only_nulls: false,
            text: true,
            key: false,
        }
    }

    fn nulls(name: usize, natural: usize) -> Measure {
        Measure {
            only_nulls: true,
            ..column(name, natural)
        }
    }

    /// The post's table of todos.
    fn todos() -> Vec<Measure> {
        let key = |column: Measure| Measure {
            key: true,
            ..column
        };
        vec![
            key(column(3, 26)),
            key(column(2, 6)),
            nulls(7, 7),
            nulls(7, 7),
            column(4, 17),
            Measure {
                text: false,
                ..column(8, 8)
            },
            nulls(6, 6),
            nulls(11, 11),
            nulls(6, 13),
        ]
    }

    #[test]
    fn what_fits_is_shown_whole() {
        for width in [None, Some(129)] {
            let layout = fit(&todos(), width);
            let widths: Vec<_> = layout.shown.iter().map(|(_, width)| *width).collect();
            assert_eq!(widths, [26, 6, 7, 7, 17, 8, 6, 11, 13], "{width:?}");
            assert!(layout.nulls.is_empty() && layout.cut.is_empty());
        }
    }

    #[test]
    fn columns_of_nulls_go_first() {
        let layout = fit(&todos(), Some(80));
        assert_eq!(layout.shown, [(0, 26), (1, 6), (4, 17), (5, 8)]);
        assert_eq!(layout.nulls, [2, 3, 6, 7, 8]);
        assert!(layout.cut.is_empty());
    }

    #[test]
    fn then_text_is_shortened_and_nothing_else() {
        let layout = fit(&todos(), Some(65));
        assert_eq!(layout.shown, [(0, 26), (1, 6), (4, 12), (5, 8)]);
        let layout = fit(&todos(), Some(61));
        assert_eq!(layout.shown, [(0, 26), (1, 6), (4, 8), (5, 8)]);
        assert!(layout.cut.is_empty());
        // No room for a number: it goes, and the text has what it leaves.
        for (width, text) in [(60, 17), (55, 13), (50, 8)] {
            let layout = fit(&todos(), Some(width));
            assert_eq!(layout.shown, [(0, 26), (1, 6), (4, text)], "{width}");
            assert_eq!(layout.cut, [5]);
        }
    }

    #[test]
    fn at_last_columns_go_from_the_right() {
        for width in [20, 40] {
            let layout = fit(&todos(), Some(width));
            assert_eq!(layout.shown, [(0, 26), (1, 6)], "{width}");
            assert_eq!(layout.cut, [4, 5]);
        }
        // Keys at the right stay, too.
        let mut columns = todos();
        columns.rotate_left(2);
        let layout = fit(&columns, Some(40));
        assert_eq!(layout.shown, [(7, 26), (8, 6)]);
    }

    #[test]
    fn keys_that_hold_only_nulls_stay() {
        let key = Measure {
            key: true,
            ..nulls(2, 6)
        };
        let layout = fit(&[key, column(4, 80), nulls(3, 6)], Some(60));
        assert_eq!(layout.shown, [(0, 6), (1, 47)]);
        assert_eq!(layout.nulls, [2]);
    }

    #[test]
    fn a_table_without_rows_keeps_its_columns() {
        let empty: Vec<_> = (0..8).map(|_| column(6, 6)).collect();
        assert_eq!(fit(&empty, Some(80)).shown.len(), 8);
        // One column is always there, however narrow the screen.
        assert_eq!(fit(&empty, Some(3)).shown, [(0, 6)]);
        assert_eq!(fit(&[], Some(3)), Layout::default());
    }
}
