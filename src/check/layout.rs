//! How a table is fitted into a terminal.
//!
//! Numbers are never broken and words only between words, so what gives way is, in this order: the blanks beside
//! the rules, the words of a cell (to several lines), long names, and at last whole columns.

/// What a column needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needs {
    /// The width at which nothing of it is broken.
    pub(super) natural: usize,
    /// The width below which it cannot be read.
    pub(super) least: usize,
    /// Whether the table still says what it is for without this column.
    pub(super) dispensable: bool,
}

/// How the columns are set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Blanks on either side of a cell.
    pub(super) padding: usize,
    /// Width of each column without them; `None` for a column that is left out.
    pub(super) widths: Vec<Option<usize>>,
}

/// Fits the columns into so much room, or gives them all they need where nobody knows how much there is.
///
/// Columns are left out from the left: what says most about a client's health today stands to the right.
pub(super) fn fit(columns: &[Needs], room: Option<usize>) -> Layout {
    let natural: Vec<_> = columns.iter().map(|needs| Some(needs.natural)).collect();
    let Some(room) = room else {
        return Layout { padding: 1, widths: natural };
    };
    if let Some(padding) = [1, 0].into_iter().find(|padding| total(&natural, *padding) <= room) {
        return Layout { padding, widths: natural };
    }

    let mut widths: Vec<_> = columns.iter().map(|needs| Some(needs.least)).collect();
    for (index, _) in columns.iter().enumerate().filter(|(_, needs)| needs.dispensable) {
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
    Layout { padding: 0, widths }
}

/// The width of a table: its columns, and a rule before, between and behind them.
fn total(widths: &[Option<usize>], padding: usize) -> usize {
    1 + widths.iter().flatten().map(|width| width + 2 * padding + 1).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: Needs = Needs { natural: 22, least: 10, dispensable: false };
    const TIME: Needs = Needs { natural: 10, least: 7, dispensable: true };
    const COUNT: Needs = Needs { natural: 5, least: 5, dispensable: true };
    const COLUMNS: [Needs; 3] = [NAME, TIME, COUNT];

    fn fitted(room: Option<usize>) -> (usize, [Option<usize>; 3]) {
        let layout = fit(&COLUMNS, room);
        (layout.padding, layout.widths.try_into().expect("a width for each column"))
    }

    #[test]
    fn without_a_known_width_nothing_gives_way() {
        assert_eq!(fitted(None), (1, [Some(22), Some(10), Some(5)]));
    }

    #[test]
    fn what_gives_way_first_can_be_spared_most() {
        assert_eq!(fitted(Some(47)), (1, [Some(22), Some(10), Some(5)]));
        assert_eq!(fitted(Some(46)), (0, [Some(22), Some(10), Some(5)]), "the blanks");
        assert_eq!(fitted(Some(41)), (0, [Some(22), Some(10), Some(5)]), "the blanks");
        assert_eq!(fitted(Some(40)), (0, [Some(22), Some(9), Some(5)]), "the times");
        assert_eq!(fitted(Some(38)), (0, [Some(22), Some(7), Some(5)]), "the times");
        assert_eq!(fitted(Some(37)), (0, [Some(21), Some(7), Some(5)]), "the name");
        assert_eq!(fitted(Some(26)), (0, [Some(10), Some(7), Some(5)]), "the name");
        assert_eq!(fitted(Some(25)), (0, [Some(17), None, Some(5)]), "a column");
        assert_eq!(fitted(Some(17)), (0, [Some(15), None, None]), "two columns");
    }

    #[test]
    fn a_table_is_never_wider_than_its_terminal_while_its_least_fits() {
        for room in 12..60 {
            let layout = fit(&COLUMNS, Some(room));
            assert!(total(&layout.widths, layout.padding) <= room, "{room}: {layout:?}");
        }
        assert_eq!(fitted(Some(0)), (0, [Some(10), None, None]));
    }
}
