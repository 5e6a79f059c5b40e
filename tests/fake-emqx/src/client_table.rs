//! The broker's table of clients.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use crate::list_query::ListQuery;
use crate::recorded::Version;
use crate::retained::RetainedStore;
use crate::row::Row;
use crate::shared::lock;

/// Maximum number of cached pages.
const CACHED_PAGES: usize = 256;

/// Clients by ID and age, like the broker's ordered table, and a cache of pages that every change clears.
pub(crate) struct ClientTable {
    version: Version,
    rows: BTreeMap<(String, u64), Row>,
    added: u64,
    pages: HashMap<ListQuery, Arc<[u8]>>,
    /// Learns of each client that connects or disconnects.
    retained: Arc<Mutex<RetainedStore>>,
}

impl ClientTable {
    pub(crate) fn new(version: Version, retained: Arc<Mutex<RetainedStore>>) -> Self {
        Self { version, rows: BTreeMap::new(), added: 0, pages: HashMap::new(), retained }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn add(&mut self, row: Row) {
        let row = row.resolved(self.version);
        let id = row.key().expect("a row without a clientid needs known_as()");
        self.added += 1;
        if row.connection().is_some() {
            self.came_or_went(&id);
        }
        self.rows.insert((id, self.added), row);
        self.pages.clear();
    }

    fn keys(&self, id: &str) -> Vec<(String, u64)> {
        self.range(id).map(|(key, _)| key.clone()).collect()
    }

    fn range(&self, id: &str) -> impl DoubleEndedIterator<Item = (&(String, u64), &Row)> {
        self.rows.range((id.to_owned(), 0)..=(id.to_owned(), u64::MAX))
    }

    /// Changes every row of this client. A change of the ID moves the row.
    pub(crate) fn change(&mut self, id: &str, change: impl Fn(Row) -> Row) {
        let keys = self.keys(id);
        assert!(!keys.is_empty(), "no client {id}");
        for key in keys {
            let row = change(self.rows[&key].clone()).resolved(self.version);
            let new_id = row.key().unwrap_or_else(|| key.0.clone());
            let former = self.rows.remove(&key);
            if former.is_some_and(|former| former.connection() != row.connection()) {
                self.came_or_went(&new_id);
            }
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
            if self.rows.remove(key).is_some_and(|row| row.connection().is_some()) {
                self.came_or_went(id);
            }
        }
        self.pages.clear();
        !keys.is_empty()
    }

    fn came_or_went(&self, id: &str) {
        lock(&self.retained).client_came_or_went(id);
    }

    pub(crate) fn clear(&mut self) {
        for ((id, _), _) in self.rows.iter().filter(|(_, row)| row.connection().is_some()) {
            self.came_or_went(id);
        }
        self.rows.clear();
        self.pages.clear();
    }

    /// The JSON of a client's oldest row.
    pub(crate) fn lookup(&self, id: &str) -> Option<Vec<u8>> {
        let (_, row) = self.range(id).next()?;
        let mut text = Vec::with_capacity(1_280);
        row.write(&mut text);
        Some(text)
    }

    /// The JSON of a client's subscriptions.
    pub(crate) fn subscriptions(&self, id: &str) -> Option<String> {
        let (_, row) = self.range(id).next()?;
        Some(row.subscriptions(self.version))
    }

    /// The body of a page of the list.
    pub(crate) fn page(&mut self, query: &ListQuery) -> Arc<[u8]> {
        if let Some(page) = self.pages.get(query) {
            return Arc::clone(page);
        }
        let page: Arc<[u8]> = self.write_page(query).into();
        if self.pages.len() >= CACHED_PAGES {
            self.pages.clear();
        }
        self.pages.insert(query.clone(), Arc::clone(&page));
        page
    }

    fn write_page(&self, query: &ListQuery) -> Vec<u8> {
        let Some(ids) = &query.ids else {
            if !query.group.is_none() {
                let rows: Vec<_> = self.rows.values().rev().filter(|row| row.passes(&query.group)).collect();
                return self.write(rows.iter().copied(), rows.len(), query);
            }
            let rows = self.rows.values();
            return match self.version {
                Version::V6_2_2 | Version::V5_8_9 => self.write(rows.rev(), self.rows.len(), query),
                Version::V5_0_26 => self.write(rows, self.rows.len(), query),
            };
        };
        let mut ids = ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let found: Vec<&Row> =
            ids.iter().rev().flat_map(|id| self.range(id).rev()).map(|(_, row)| row).collect();
        self.write(found.iter().copied(), found.len(), query)
    }

    fn write<'a>(&self, rows: impl Iterator<Item = &'a Row>, count: usize, query: &ListQuery) -> Vec<u8> {
        let skipped = query.page.saturating_sub(1).saturating_mul(query.limit);
        let rows = rows.skip(usize::try_from(skipped).unwrap_or(usize::MAX));
        let mut out = b"{\"data\":[".to_vec();
        let mut written = 0;
        for row in rows.take(usize::try_from(query.limit).unwrap_or(usize::MAX)) {
            if written > 0 {
                out.push(b',');
            }
            match &query.fields {
                Some(fields) => row.write_fields(fields, &mut out),
                None => row.write(&mut out),
            }
            written += 1;
        }
        // As recorded: a full page claims that another one follows, even if it is the last.
        let has_next = written == query.limit;
        let (limit, page) = (query.limit, query.page);
        out.extend_from_slice(b"],\"meta\":");
        let meta = match self.version {
            // A list by parts of names is not counted, and knows its end.
            _ if query.group.like_clientid.is_some() => {
                let has_next = skipped.saturating_add(written) < count as u64;
                format!("{{\"limit\":{limit},\"page\":{page},\"hasnext\":{has_next}}}}}")
            }
            Version::V6_2_2 => {
                format!("{{\"count\":{count},\"limit\":{limit},\"page\":{page},\"hasnext\":{has_next}}}}}")
            }
            _ => format!("{{\"count\":{count},\"hasnext\":{has_next},\"limit\":{limit},\"page\":{page}}}}}"),
        };
        out.extend_from_slice(meta.as_bytes());
        out
    }
}
