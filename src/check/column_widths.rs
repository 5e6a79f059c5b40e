//! Fits the columns of a table into a terminal.
//!
//! Numbers are never wrapped, and text only between words. To save width, these give way in this order: the padding,
//! the words of a cell (wrapped to several lines), long names, and last whole columns.

/// Width needs of a column.
#[derive(Debug, Clone, Copy)]
pub(super) struct ColumnNeeds {
    /// Width at which nothing is wrapped.
    pub(super) natural: usize,
    /// Smallest readable width.
    pub(super) minimum: usize,
    /// Whether the column may be hidden.
    pub(super) can_hide: bool,
}

/// Widths of all columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ColumnWidths {
    /// Spaces on either side of a cell.
    pub(super) padding: usize,
    /// Width of each column without padding; `None` for a hidden one.
    pub(super) widths: Vec<Option<usize>>,
}

/// Fits the columns into `room`, or gives each its natural width if that is not known.
///
/// Columns are hidden from the left: the ones on the right say most about a client's health.
pub(super) fn fit(columns: &[ColumnNeeds], room: Option<usize>) -> ColumnWidths {
    let natural: Vec<_> = columns.iter().map(|needs| Some(needs.natural)).collect();
    let Some(room) = room else {
        return ColumnWidths { padding: 1, widths: natural };
    };
    if let Some(padding) = [1, 0].into_iter().find(|padding| total(&natural, *padding) <= room) {
        return ColumnWidths { padding, widths: natural };
    }

    let mut widths: Vec<_> = columns.iter().map(|needs| Some(needs.minimum)).collect();
    for (index, _) in columns.iter().enumerate().filter(|(_, needs)| needs.can_hide) {
        if total(&widths, 0) <= room {
            break;
        }
        widths[index] = None;
    }
    let mut spare = room.saturating_sub(total(&widths, 0));
    for (width, needs) in widths.iter_mut().zip(columns) {
        if let Some(width) = width {
            let more = spare.min(needs.natural.saturating_sub(*width));
            *width += more;
            spare -= more;
        }
    }
    ColumnWidths { padding: 0, widths }
}

/// Returns the width of a table: its columns, and a line before, between and after them.
fn total(widths: &[Option<usize>], padding: usize) -> usize {
    1 + widths.iter().flatten().map(|width| width + 2 * padding + 1).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: ColumnNeeds = ColumnNeeds { natural: 22, minimum: 10, can_hide: false };
    const TIME: ColumnNeeds = ColumnNeeds { natural: 10, minimum: 7, can_hide: true };
    const COUNT: ColumnNeeds = ColumnNeeds { natural: 5, minimum: 5, can_hide: true };
    const COLUMNS: [ColumnNeeds; 3] = [NAME, TIME, COUNT];

    fn fitted(room: Option<usize>) -> (usize, [Option<usize>; 3]) {
        let fitted = fit(&COLUMNS, room);
        (fitted.padding, fitted.widths.try_into().expect("a width for each column"))
    }

    #[test]
    fn without_a_known_width_each_column_has_its_natural_one() {
        assert_eq!(fitted(None), (1, [Some(22), Some(10), Some(5)]));
    }

    #[test]
    fn the_least_important_gives_way_first() {
        assert_eq!(fitted(Some(47)), (1, [Some(22), Some(10), Some(5)]));
        assert_eq!(fitted(Some(46)), (0, [Some(22), Some(10), Some(5)]), "padding");
        assert_eq!(fitted(Some(41)), (0, [Some(22), Some(10), Some(5)]), "padding");
        assert_eq!(fitted(Some(40)), (0, [Some(22), Some(9), Some(5)]), "times");
        assert_eq!(fitted(Some(38)), (0, [Some(22), Some(7), Some(5)]), "times");
        assert_eq!(fitted(Some(37)), (0, [Some(21), Some(7), Some(5)]), "names");
        assert_eq!(fitted(Some(26)), (0, [Some(10), Some(7), Some(5)]), "names");
        assert_eq!(fitted(Some(25)), (0, [Some(17), None, Some(5)]), "one column");
        assert_eq!(fitted(Some(17)), (0, [Some(15), None, None]), "two columns");
    }

    #[test]
    fn a_table_is_never_wider_than_its_terminal_if_its_minimum_fits() {
        for room in 12..60 {
            let fitted = fit(&COLUMNS, Some(room));
            assert!(total(&fitted.widths, fitted.padding) <= room, "{room}: {fitted:?}");
        }
        assert_eq!(fitted(Some(0)), (0, [Some(10), None, None]));
    }
}
