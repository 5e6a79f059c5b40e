//! The broker's table of clients.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::list::Wanted;
use crate::recorded::Version;
use crate::row::Row;

/// How many pages are remembered until the fleet changes.
const REMEMBERED: usize = 256;

/// Clients by ID and age, like the broker's ordered table, and the pages that were told since it last changed.
pub(crate) struct Fleet {
    version: Version,
    rows: BTreeMap<(String, u64), Row>,
    added: u64,
    pages: HashMap<Wanted, Arc<[u8]>>,
}

impl Fleet {
    pub(crate) fn new(version: Version) -> Self {
        Self { version, rows: BTreeMap::new(), added: 0, pages: HashMap::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn add(&mut self, row: Row) {
        let row = row.resolved(self.version);
        let id = row.key().expect("a row without a clientid is added with known_as()");
        self.added += 1;
        self.rows.insert((id, self.added), row);
        self.pages.clear();
    }

    fn keys(&self, id: &str) -> Vec<(String, u64)> {
        self.range(id).map(|(key, _)| key.clone()).collect()
    }

    fn range(&self, id: &str) -> impl DoubleEndedIterator<Item = (&(String, u64), &Row)> {
        self.rows.range((id.to_owned(), 0)..=(id.to_owned(), u64::MAX))
    }

    /// Changes every row of this client; a change of its ID moves it.
    pub(crate) fn change(&mut self, id: &str, change: impl Fn(Row) -> Row) {
        let keys = self.keys(id);
        assert!(!keys.is_empty(), "no client {id}");
        for key in keys {
            let row = change(self.rows[&key].clone()).resolved(self.version);
            let new_id = row.key().unwrap_or_else(|| key.0.clone());
            self.rows.remove(&key);
            self.rows.insert((new_id, key.1), row);
        }
        self.pages.clear();
    }

    pub(crate) fn disconnect(&mut self, id: &str) {
        let version = self.version;
        self.change(id, |row| row.disconnected(version));
    }

    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let keys = self.keys(id);
        for key in &keys {
            self.rows.remove(key);
        }
        self.pages.clear();
        !keys.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.pages.clear();
    }

    /// The text of a client: of its oldest row, when it has several.
    pub(crate) fn lookup(&self, id: &str) -> Option<Vec<u8>> {
        let (_, row) = self.range(id).next()?;
        let mut text = Vec::with_capacity(1_280);
        row.write(&mut text);
        Some(text)
    }

    /// The whole body of a page of the list.
    pub(crate) fn page(&mut self, wanted: &Wanted) -> Arc<[u8]> {
        if let Some(page) = self.pages.get(wanted) {
            return Arc::clone(page);
        }
        let page: Arc<[u8]> = self.write_page(wanted).into();
        if self.pages.len() >= REMEMBERED {
            self.pages.clear();
        }
        self.pages.insert(wanted.clone(), Arc::clone(&page));
        page
    }

    fn write_page(&self, wanted: &Wanted) -> Vec<u8> {
        let Some(ids) = &wanted.ids else {
            let rows = self.rows.values();
            return match self.version {
                Version::V5_8_9 => write(rows.rev(), self.rows.len(), wanted),
                Version::V5_0_26 => write(rows, self.rows.len(), wanted),
            };
        };
        let mut ids = ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let found: Vec<&Row> =
            ids.iter().rev().flat_map(|id| self.range(id).rev()).map(|(_, row)| row).collect();
        write(found.iter().copied(), found.len(), wanted)
    }
}

fn write<'a>(rows: impl Iterator<Item = &'a Row>, count: usize, wanted: &Wanted) -> Vec<u8> {
    let skipped = wanted.page.saturating_sub(1).saturating_mul(wanted.limit);
    let rows = rows.skip(usize::try_from(skipped).unwrap_or(usize::MAX));
    let mut out = b"{\"data\":[".to_vec();
    let mut told = 0;
    for row in rows.take(usize::try_from(wanted.limit).unwrap_or(usize::MAX)) {
        if told > 0 {
            out.push(b',');
        }
        match &wanted.fields {
            Some(fields) => row.write_fields(fields, &mut out),
            None => row.write(&mut out),
        }
        told += 1;
    }
    // As recorded: a full page claims that there is another one, even where it is the last.
    let has_next = told == wanted.limit;
    let (limit, page) = (wanted.limit, wanted.page);
    out.extend_from_slice(b"],\"meta\":");
    let meta = format!("{{\"count\":{count},\"hasnext\":{has_next},\"limit\":{limit},\"page\":{page}}}}}");
    out.extend_from_slice(meta.as_bytes());
    out
}
