//! What is read from files, kept for a while, and read again so that a replaced file is seen without a restart.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::time::Instant;

use crate::collect::fault::Fault;
use crate::collect::files::Looks;

/// Files are read again after this long.
const MAX_AGE: Duration = Duration::from_secs(300);
/// How long a failure stands where nothing was ever loaded, so that whoever waited for it is told the same.
const STANDS: Duration = Duration::from_secs(1);

/// A value that is loaded when first needed, off the async threads, and again when it has grown old.
#[derive(Debug)]
pub struct Fresh<K, T> {
    key: K,
    load: fn(&K) -> Result<T, Fault>,
    loaded: ArcSwapOption<(T, Instant)>,
    looks: Looks,
    /// Held while loading: when that failed last, and why.
    loading: tokio::sync::Mutex<Option<(Instant, Fault)>>,
}

/// What was loaded, and when.
pub type Loaded<T> = Arc<(T, Instant)>;

impl<K: Clone + Send + 'static, T: Send + Sync + 'static> Fresh<K, T> {
    fn new(key: K, load: fn(&K) -> Result<T, Fault>) -> Self {
        let loading = tokio::sync::Mutex::default();
        Self { key, load, loaded: ArcSwapOption::empty(), looks: Looks::at_credentials(), loading }
    }

    /// The value, loaded now if need be.
    ///
    /// # Errors
    /// It was never loaded and cannot be.
    pub async fn get(&self) -> Result<Loaded<T>, Fault> {
        let fresh = |l: &(T, Instant)| l.1.elapsed() < MAX_AGE;
        if let Some(loaded) = &*self.loaded.load()
            && fresh(loaded)
        {
            return Ok(Arc::clone(loaded));
        }
        // One probe loads, the others wait for it.
        let mut failed = self.loading.lock().await;
        let old = self.loaded.load_full();
        let failed_within = |limit| failed.as_ref().filter(|(at, _)| at.elapsed() < limit);
        match &old {
            Some(loaded) if fresh(loaded) || failed_within(MAX_AGE).is_some() => return Ok(Arc::clone(loaded)),
            Some(_) => {}
            None => {
                if let Some((_, fault)) = failed_within(STANDS) {
                    return Err(fault.clone());
                }
            }
        }
        let (key, load) = (self.key.clone(), self.load);
        let fault = match self.looks.run_soon(move |_| load(&key)).await {
            Ok(Ok(value)) => {
                let loaded = Arc::new((value, Instant::now()));
                self.loaded.store(Some(Arc::clone(&loaded)));
                return Ok(loaded);
            }
            Ok(Err(fault)) | Err(fault) => fault,
        };
        *failed = Some((Instant::now(), fault.clone()));
        // A file that is being replaced must not blind anybody: what was loaded once goes on.
        let Some(old) = old else { return Err(fault) };
        tracing::warn!(error = fault.message(), "files cannot be read again; what they held before goes on");
        Ok(old)
    }
}

/// Equal values are shared by all monitors that need them, and dropped with the last of these.
///
/// Leaf data: locked while building monitors only.
#[derive(Debug)]
pub struct Shared<K, V>(Mutex<Option<HashMap<K, Weak<V>>>>);

impl<K: Eq + Hash + Clone, V> Shared<K, V> {
    /// Nothing yet.
    pub const fn empty() -> Self {
        Self(Mutex::new(None))
    }

    /// The value of `key`, made when nobody has it.
    pub fn get<E>(&self, key: &K, make: impl FnOnce() -> Result<V, E>) -> Result<Arc<V>, E> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        if let Some(value) = known.get(key).and_then(Weak::upgrade) {
            return Ok(value);
        }
        known.retain(|_, weak| weak.strong_count() > 0);
        let value = Arc::new(make()?);
        known.insert(key.clone(), Arc::downgrade(&value));
        Ok(value)
    }
}

impl<K: Eq + Hash + Clone + Send + 'static, T: Send + Sync + 'static> Shared<K, Fresh<K, T>> {
    /// The value that `load` reads for `key`, shared.
    pub fn fresh(&self, key: &K, load: fn(&K) -> Result<T, Fault>) -> Arc<Fresh<K, T>> {
        let made: Result<_, std::convert::Infallible> = self.get(key, || Ok(Fresh::new(key.clone(), load)));
        let Ok(fresh) = made;
        fresh
    }
}

/// Reads a file that must not be larger than `max`.
///
/// # Errors
/// It cannot be read, as a fault of this machine of the given class.
pub fn read_file(path: &std::path::Path, max: u64, class: &'static str) -> Result<Vec<u8>, Fault> {
    crate::collect::files::read(path, max)
        .map_err(|e| Fault::local(class, format!("`{}`: {}", path.display(), crate::collect::fault::describe(&e))))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_is_read_again_when_old_and_its_last_good_state_goes_on() {
        static POOL: Shared<PathBuf, Fresh<PathBuf, Vec<u8>>> = Shared::empty();
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_owned();
        std::fs::write(&path, "one").unwrap();
        let fresh = POOL.fresh(&path, |p| read_file(p, 100, "local_files"));
        assert_eq!(fresh.get().await.unwrap().0, b"one");
        std::fs::write(&path, "two").unwrap();
        assert_eq!(fresh.get().await.unwrap().0, b"one");
        tokio::time::advance(MAX_AGE).await;
        assert_eq!(POOL.fresh(&path, |_| unreachable!()).get().await.unwrap().0, b"two");
        tokio::time::advance(MAX_AGE).await;
        drop(file);
        assert_eq!(fresh.get().await.unwrap().0, b"two");
        std::fs::write(&path, "new").unwrap();
        assert_eq!(fresh.get().await.unwrap().0, b"two", "a failure is not repeated with each probe");
        tokio::time::advance(MAX_AGE).await;
        assert_eq!(fresh.get().await.unwrap().0, b"new");
        std::fs::remove_file(&path).unwrap();
    }

    #[tokio::test]
    async fn a_file_that_hangs_keeps_nobody_to_the_deadline() {
        let place = tempfile::tempdir().unwrap();
        let pipe = |name: &str| {
            let path = place.path().join(name);
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
            path
        };
        // Opening a pipe waits for whoever writes to it.
        let load = |path: &PathBuf| std::fs::read(path).map_err(|e| Fault::io("reading", &e));
        let (never, once) = (Fresh::new(pipe("never"), load), Fresh::new(pipe("once"), load));
        let (limit, old) = (Duration::from_secs(10), Instant::now() - MAX_AGE);
        once.loaded.store(Some(Arc::new((b"one".to_vec(), old))));
        let many = |fresh| {
            futures_util::future::join_all((0..100).map(move |_| tokio::time::timeout(limit, Fresh::get(fresh))))
        };
        let (never, once) = tokio::join!(many(&never), many(&once));
        for told in never {
            assert_eq!(told.unwrap().unwrap_err().class(), "local_files");
        }
        for loaded in once {
            assert_eq!(loaded.unwrap().unwrap().0, b"one");
        }
        for name in ["never", "once"] {
            // The threads that hang end.
            std::fs::write(place.path().join(name), "").unwrap();
        }
    }
}
