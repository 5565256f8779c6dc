//! `diskstats`: what disks have done, and which they are.

use crate::base::outcome::Sample;
use crate::collect::host::files::text;
use crate::collect::metric::Metric;

/// The kernel counts disk sectors of this size whatever the disk's own is (Documentation/block/stat.rst).
const SECTOR: f64 = 512.0;

/// Columns of `/proc/diskstats` behind the name (Documentation/admin-guide/iostats.rst).
pub const COLUMNS: [Metric; 17] = [
    Metric::counter("node_disk_reads_completed_total", "Reads that were done"),
    Metric::counter("node_disk_reads_merged_total", "Reads that were joined to one beside them before they were done"),
    Metric::counter("node_disk_read_bytes_total", "Bytes that were read"),
    Metric::counter("node_disk_read_time_seconds_total", "Time that all reads took together"),
    Metric::counter("node_disk_writes_completed_total", "Writes that were done"),
    Metric::counter(
        "node_disk_writes_merged_total",
        "Writes that were joined to one beside them before they were done",
    ),
    Metric::counter("node_disk_written_bytes_total", "Bytes that were written"),
    Metric::counter("node_disk_write_time_seconds_total", "Time that all writes took together"),
    Metric::gauge("node_disk_io_now", "Reads and writes that are under way"),
    Metric::counter("node_disk_io_time_seconds_total", "Time in which the disk had something to do"),
    Metric::counter(
        "node_disk_io_time_weighted_seconds_total",
        "Time in which a disk had something to do, times how much that was",
    ),
    Metric::counter("node_disk_discards_completed_total", "Discards that were done"),
    Metric::counter("node_disk_discards_merged_total", "Discards that were joined to one beside them"),
    Metric::counter("node_disk_discarded_sectors_total", "Sectors of 512 bytes that were discarded"),
    Metric::counter("node_disk_discard_time_seconds_total", "Time that all discards took together"),
    Metric::counter("node_disk_flush_requests_total", "Flushes of the disk's own cache that were done"),
    Metric::counter("node_disk_flush_requests_time_seconds_total", "Time that all flushes took together"),
];
/// What a value of each is multiplied by.
const FACTORS: [f64; 17] =
    [1.0, 1.0, SECTOR, 0.001, 1.0, 1.0, SECTOR, 0.001, 1.0, 0.001, 0.001, 1.0, 1.0, 1.0, 0.001, 1.0, 0.001];

/// What else is told of disks.
pub const METRICS: &[Metric] =
    &[Metric::gauge("node_disk_info", "Always 1; numbers, model and serial number of a disk")];

/// All disks.
pub fn samples(out: &mut Vec<Sample>) {
    for line in text("/proc/diskstats").unwrap_or_default().lines() {
        let Some((major, minor, name, values)) = disk(line) else { continue };
        for ((column, factor), value) in COLUMNS.iter().zip(FACTORS).zip(values) {
            out.push(Sample::new(column.name, value * factor).label("device", name));
        }
        // What udev has found out; containers have none of it.
        let known = text(format!("/run/udev/data/b{major}:{minor}")).unwrap_or_default();
        let of = |key: &str| {
            let line = known.lines().filter_map(|l| l.strip_prefix("E:")?.split_once('=')).find(|(k, _)| *k == key);
            line.map_or("", |(_, value)| value)
        };
        out.push(
            Sample::new("node_disk_info", 1.0)
                .label("device", name)
                .label("major", major)
                .label("minor", minor)
                .label("path", of("ID_PATH"))
                .label("wwn", of("ID_WWN"))
                .label("model", of("ID_MODEL"))
                .label("serial", of("ID_SERIAL_SHORT"))
                .label("revision", of("ID_REVISION")),
        );
    }
}

/// Numbers, name and columns of a line.
fn disk(line: &str) -> Option<(&str, &str, &str, impl Iterator<Item = f64>)> {
    let mut words = line.split_ascii_whitespace();
    let (major, minor, name) = (words.next()?, words.next()?, words.next()?);
    let values = words.map_while(|w| w.parse().ok());
    (!is_partition(name)).then_some((major, minor, name, values))
}

/// What node_exporter leaves out by default: partitions, loop devices, RAM disks.
fn is_partition(name: &str) -> bool {
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if base.len() == name.len() {
        return false;
    }
    matches!(base, "ram" | "zram" | "loop" | "fd")
        || (base.len() == 3 && ["hd", "sd", "vd"].iter().any(|p| base.starts_with(p)))
        || (base.len() == 4 && base.starts_with("xvd"))
        || (base.starts_with("nvme") && base.ends_with('p'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_disks_are_kept_and_partitions_are_not() {
        for name in ["sda", "vdb", "nvme0n1", "dm-0", "md0", "mmcblk0"] {
            assert!(!is_partition(name), "{name}");
        }
        for name in ["sda1", "vdb12", "nvme0n1p2", "loop0", "ram3", "zram0", "xvda1", "fd0"] {
            assert!(is_partition(name), "{name}");
        }
    }

    #[test]
    fn older_kernels_have_fewer_columns() {
        let (major, _, name, values) = disk(" 254 0 vda 1 2 3 4 5 6 7 8 9 10 11").unwrap();
        assert_eq!((major, name, values.count()), ("254", "vda", 11));
        assert!(disk(" 254 0").is_none());
    }
}
