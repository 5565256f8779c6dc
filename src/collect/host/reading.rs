//! One look at the machine, on a thread that may hang without anybody waiting for it.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use crate::base::outcome::Sample;
use crate::base::time::Timestamp;
use crate::collect::fault::Fault;
use crate::collect::host::cpu::Stat;
use crate::collect::host::memory::Memory;
use crate::collect::host::processes::Processes;
use crate::collect::host::{disks, kernel, network, protocols, sensors, timex};

/// What is looked at. Processors, memory and load always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// `diskstats`
    pub disks: bool,
    /// `netdev`
    pub traffic: bool,
    /// `netclass`
    pub devices: bool,
    /// `netstat` and the other protocols.
    pub protocols: bool,
    /// `vmstat`, `pressure` and the other small ones.
    pub kernel: bool,
    /// `timex`
    pub timex: bool,
    /// `hwmon`, `thermal_zone`
    pub sensors: bool,
    /// `interrupts`
    pub interrupts: bool,
    /// `processes`
    pub processes: bool,
}

/// What was seen.
#[derive(Debug)]
pub struct Reading {
    /// Processors and load.
    pub stat: Stat,
    /// Memory.
    pub memory: Memory,
    /// Processes, where they were to be looked at.
    pub processes: Option<Processes>,
    /// Series of all that was looked at.
    pub samples: Vec<Sample>,
}

/// The right to look: one thread at a time, so that a device whose driver hangs costs one thread and not
/// one per probe.
#[derive(Debug)]
pub struct Reader(Arc<Semaphore>);

impl Default for Reader {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Reader {
    /// Looks, until `deadline`.
    ///
    /// # Errors
    /// `/proc` is not there or not readable, or reading hangs. Single devices may be missing, as in containers.
    pub async fn read(&self, choice: Choice, now: Timestamp, deadline: Instant) -> Result<Reading, Fault> {
        self.run(deadline, move || Reading::now(choice, now)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        deadline: Instant,
        look: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let hangs = |what: &str| Fault::local("local_host", what.to_owned());
        let turn = timeout_at(deadline, Arc::clone(&self.0).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(hangs("an earlier look at this machine hangs")) };
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            look()
        });
        match timeout_at(deadline, work).await {
            Ok(Ok(reading)) => reading,
            Ok(Err(_)) => Err(hangs("the look at this machine was broken off")),
            Err(_) => Err(hangs("reading this machine's state took too long")),
        }
    }
}

impl Reading {
    fn now(choice: Choice, now: Timestamp) -> Result<Self, Fault> {
        let (stat, memory) = (Stat::now()?, Memory::now()?);
        let mut out = Vec::with_capacity(600);
        stat.samples(&mut out);
        memory.samples(&mut out);
        for (wanted, look) in [
            (choice.disks, disks::samples as fn(&mut Vec<Sample>)),
            (choice.traffic, network::traffic),
            (choice.devices, network::facts),
            (choice.protocols, protocols::samples),
            (choice.timex, timex::samples),
            (choice.sensors, sensors::samples),
            (choice.interrupts, kernel::interrupts),
        ] {
            if wanted {
                look(&mut out);
            }
        }
        if choice.kernel {
            kernel::samples(now, &mut out);
        }
        let processes = choice.processes.then(Processes::now);
        if let Some(processes) = &processes {
            processes.samples(&mut out);
        }
        Ok(Self { stat, memory, processes, samples: out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hanging_device_costs_one_thread() {
        let reader = Reader::default();
        let (release, hanging) = std::sync::mpsc::channel::<()>();
        let (began, mut begun) = tokio::sync::mpsc::channel::<()>(1);
        let look = move || {
            let _ = began.try_send(());
            let _ = hanging.recv();
            Ok(())
        };
        let mut first = Box::pin(reader.run(Instant::now() + std::time::Duration::from_secs(60), look));
        tokio::select! {
            _ = &mut first => panic!("the device does not answer"),
            _ = begun.recv() => {}
        }
        drop(first);
        for _ in 0..3 {
            let second =
                reader.run(Instant::now(), || -> Result<(), Fault> { panic!("no second thread begins") }).await;
            let why = second.unwrap_err();
            assert_eq!((why.class(), why.message()), ("local_host", "an earlier look at this machine hangs"));
        }
        drop(release);
        // It answers again.
        reader.run(Instant::now() + std::time::Duration::from_secs(60), || Ok(())).await.unwrap();
    }
}
