//! The monitors that are scheduled, by place and by name.

use crate::base::name::{ByMonitor, MonitorName};
use crate::engine::scheduler::Entry;
use crate::engine::scheduler::calendar::Due;

/// Where a monitor stands, in one of its forms: a place is given anew, with another generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    index: u32,
    generation: u32,
}

/// One entry per monitor. What happens with every slot finds it by place, without a look at its name.
#[derive(Default)]
pub(super) struct Entries {
    list: Vec<Option<(u32, Entry)>>,
    free: Vec<u32>,
    places: ByMonitor<u32>,
    generation: u32,
}

impl Entries {
    /// The entry at a place, unless its monitor has another form by now.
    pub(super) fn at(&mut self, place: Place) -> Option<&mut Entry> {
        let (generation, entry) = self.list.get_mut(place.index as usize)?.as_mut()?;
        (*generation == place.generation).then_some(entry)
    }

    /// The entry of a monitor.
    pub(super) fn get(&self, name: &MonitorName) -> Option<&Entry> {
        self.list.get(*self.places.get(name)? as usize)?.as_ref().map(|(_, entry)| entry)
    }

    /// Where a monitor stands.
    pub(super) fn place(&self, name: &MonitorName) -> Option<Place> {
        let index = *self.places.get(name)?;
        let generation = self.list.get(index as usize)?.as_ref()?.0;
        Some(Place { index, generation })
    }

    /// Adds the entry of a monitor that has none.
    pub(super) fn insert(&mut self, entry: Entry) -> Place {
        self.generation = self.generation.wrapping_add(1);
        let (name, generation) = (entry.monitor.name.clone(), self.generation);
        let index = self.free.pop().unwrap_or_else(|| {
            self.list.push(None);
            self.list.len() as u32 - 1
        });
        if let Some(place) = self.list.get_mut(index as usize) {
            *place = Some((generation, entry));
        }
        self.places.insert(name, index);
        Place { index, generation }
    }

    /// Removes the entry of a monitor.
    pub(super) fn remove(&mut self, name: &MonitorName) -> Option<Entry> {
        let index = self.places.remove(name)?;
        self.free.push(index);
        Some(self.list.get_mut(index as usize)?.take()?.1)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.list.iter().flatten().map(|(_, entry)| entry)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.list.iter_mut().flatten().map(|(_, entry)| entry)
    }

    /// When to wake for each monitor that is not paused.
    pub(super) fn due(&self) -> impl Iterator<Item = Due> {
        (0..).zip(&self.list).filter_map(|(index, entry)| {
            let (generation, entry) = entry.as_ref()?;
            let place = Place { index, generation: *generation };
            (!entry.monitor.paused).then(|| entry.due(place))
        })
    }
}
