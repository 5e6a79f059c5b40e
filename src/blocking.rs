//! Work that may block for long, such as resolving a name or reading a file, on detached threads.
//!
//! A hung disk or a silent name server must delay only those who need its result: each key has at most one thread,
//! whose result is shared by all callers while it runs. The threads are detached, because dropping a runtime waits
//! for the tasks of its own blocking pool, and neither a scrape nor the end of the process may wait for them.

use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use tokio::sync::oneshot;

/// Blocking work in progress, at most one task per key.
pub(crate) struct Blocking<K, T: Clone>(Arc<Mutex<Running<K, T>>>);

type Running<K, T> = HashMap<K, Shared<oneshot::Receiver<T>>>;

impl<K, T> Blocking<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Returns a set with no work in progress.
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// Returns the result of the work that is in progress for `key`, which is `work` unless there was some already.
    ///
    /// Dropping the future abandons the result, not the work.
    ///
    /// # Errors
    /// A thread that cannot be started, or that panicked.
    pub(crate) async fn run(&self, key: K, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        self.join_or_start(key, work)?.await.map_err(panicked)
    }

    /// Does the same from a thread that may block, and waits at most `limit` for the result.
    ///
    /// # Errors
    /// As of [`Self::run`], or `TimedOut` when the work has not ended yet. It goes on.
    pub(crate) fn wait(
        &self,
        key: K,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let deadline = Instant::now() + limit;
        let mut result = self.join_or_start(key, work)?;
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            if let Poll::Ready(result) = result.poll_unpin(&mut Context::from_waker(&waker)) {
                return result.map_err(panicked);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::park_timeout(left);
        }
    }

    fn join_or_start(
        &self,
        key: K,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<Shared<oneshot::Receiver<T>>> {
        let mut running = lock(&self.0);
        if let Some(result) = running.get(&key) {
            return Ok(result.clone());
        }
        let (entries, entry_key) = (Arc::clone(&self.0), key.clone());
        let result = detach(move || {
            // Removed before the result is sent, so that a caller that has it and calls again starts a new read.
            let _entry = Entry { running: entries, key: entry_key };
            work()
        })?;
        let result = result.shared();
        running.insert(key, result.clone());
        Ok(result)
    }
}

/// Work that runs once at a time. All callers that arrive during a run share the next one, so that at most one runs and
/// one waits.
pub(crate) struct Coalesced<T: Clone>(Arc<Mutex<Runs<T>>>);

struct Runs<T: Clone> {
    is_running: bool,
    /// The run that has not begun.
    next: Option<Run<T>>,
}

type Run<T> = (oneshot::Sender<T>, Shared<oneshot::Receiver<T>>);

impl<T: Clone + Send + Sync + 'static> Coalesced<T> {
    /// Returns one of which nothing runs.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Runs { is_running: false, next: None })))
    }

    /// Returns the result of a run that begins after this call.
    ///
    /// Dropping the future abandons the result, not the work.
    ///
    /// # Errors
    /// A thread that cannot be started, or that panicked.
    pub(crate) async fn run(&self, work: impl Fn() -> T + Send + 'static) -> io::Result<T> {
        self.join_or_start(work)?.await.map_err(panicked)
    }

    fn join_or_start(&self, work: impl Fn() -> T + Send + 'static) -> io::Result<Shared<oneshot::Receiver<T>>> {
        let mut runs = lock(&self.0);
        let (_, result) = runs.next.get_or_insert_with(|| {
            let (sender, receiver) = oneshot::channel();
            (sender, receiver.shared())
        });
        let result = result.clone();
        if !runs.is_running {
            let end = EndOfRuns(Arc::clone(&self.0));
            let started = detach(move || {
                while let Some((sender, _)) = end.take_next() {
                    // The receiver may be gone.
                    let _ = sender.send(work());
                }
            });
            if let Err(error) = started {
                runs.next = None;
                return Err(error);
            }
            runs.is_running = true;
        }
        Ok(result)
    }
}

/// Ends the runs, by a panic too.
struct EndOfRuns<T: Clone>(Arc<Mutex<Runs<T>>>);

impl<T: Clone> EndOfRuns<T> {
    /// Takes the run that waits. Where there is none the runs have ended.
    fn take_next(&self) -> Option<Run<T>> {
        let mut runs = lock(&self.0);
        let next = runs.next.take();
        runs.is_running = next.is_some();
        next
    }
}

impl<T: Clone> Drop for EndOfRuns<T> {
    fn drop(&mut self) {
        if thread::panicking() {
            let mut runs = lock(&self.0);
            (runs.is_running, runs.next) = (false, None);
        }
    }
}

/// Runs `work` on a thread of its own, which does not delay the end of the process.
///
/// # Errors
/// A thread that cannot be started.
pub(crate) async fn run_detached<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    detach(work)?.await.map_err(panicked)
}

fn detach<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<oneshot::Receiver<T>> {
    let (sender, receiver) = oneshot::channel();
    thread::Builder::new().name("blocking".to_owned()).spawn(move || {
        // The receiver may be gone.
        let _ = sender.send(work());
    })?;
    Ok(receiver)
}

fn panicked(_: oneshot::error::RecvError) -> io::Error {
    io::Error::other("the thread that did the work panicked")
}

/// An entry of the work in progress, removed when the work ends, even by a panic.
struct Entry<K: Eq + Hash, T: Clone> {
    running: Arc<Mutex<Running<K, T>>>,
    key: K,
}

impl<K: Eq + Hash, T: Clone> Drop for Entry<K, T> {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.key);
    }
}

/// Wakes a thread that waits for a result.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn everyone_who_asks_meanwhile_shares_one_thread_and_its_result() {
        let blocking = Blocking::new();
        let runs = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel::<()>();
        let first = {
            let runs = Arc::clone(&runs);
            blocking.join_or_start("name", move || {
                runs.fetch_add(1, Ordering::SeqCst);
                released.recv().ok();
                runs.load(Ordering::SeqCst)
            })
        };
        let first = first.expect("a thread starts");
        let second = blocking.join_or_start("name", || 99).expect("no thread is needed");
        assert_eq!(blocking.run("other", || 7).await.ok(), Some(7), "another key has its own thread");
        release.send(()).expect("the thread waits");
        assert_eq!((first.await, second.await), (Ok(1), Ok(1)));
        assert_eq!(blocking.run("name", || 2).await.ok(), Some(2), "work that has ended is not shared");
    }

    #[tokio::test]
    async fn a_thread_waits_until_the_result_or_the_limit() {
        let blocking = Blocking::new();
        assert_eq!(blocking.wait("name", Duration::from_secs(60), || 1).ok(), Some(1));
        let (release, released) = mpsc::channel::<()>();
        let work = move || {
            released.recv().ok();
            2
        };
        let error = blocking.wait("name", Duration::from_millis(1), work).expect_err("it is not released");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        release.send(()).expect("the work goes on");
    }

    #[tokio::test]
    async fn one_run_is_in_flight_and_one_waits_whatever_the_number_of_requests() {
        let coalesced = Coalesced::new();
        let runs = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let (started, starts) = mpsc::channel::<()>();
        let start = || {
            let (runs, released, started) = (Arc::clone(&runs), Arc::clone(&released), started.clone());
            let work = move || {
                let run = runs.fetch_add(1, Ordering::SeqCst);
                started.send(()).ok();
                lock(&released).recv().ok();
                run
            };
            coalesced.join_or_start(work).expect("a thread starts")
        };
        let first = start();
        starts.recv().expect("the first run begins");
        let others: Vec<_> = (0..1_000).map(|_| start()).collect();
        release.send(()).expect("the thread waits");
        assert_eq!(first.await, Ok(0));
        starts.recv().expect("the second run begins");
        release.send(()).expect("the thread waits");
        for other in others {
            assert_eq!(other.await, Ok(1));
        }
        release.send(()).expect("a receiver waits");
        assert_eq!(start().await, Ok(2), "work that has ended is not shared");
    }

    #[tokio::test]
    async fn a_run_that_panics_fails_those_who_wait_and_no_later_one() {
        let coalesced: Coalesced<u8> = Coalesced::new();
        assert!(coalesced.run(|| panic!("on purpose")).await.is_err());
        while lock(&coalesced.0).is_running {
            thread::yield_now();
        }
        assert_eq!(coalesced.run(|| 1).await.ok(), Some(1));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_ends_the_entry() {
        let blocking: Blocking<&str, u8> = Blocking::new();
        let result = blocking.run("name", || panic!("on purpose")).await;
        assert!(result.is_err());
        assert_eq!(blocking.run("name", || 1).await.ok(), Some(1));
    }
}
