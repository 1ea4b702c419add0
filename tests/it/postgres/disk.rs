//! A disk whose power can be cut: an ext4 file system in a file. It can be shut down, which loses what
//! was not yet written to the file.
//!
//! It requires root, a loop device, `mkfs.ext4` and Python.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::sleep;

use super::programs::{directory, give};

/// Sparse, and more than a node writes.
const SIZE: u64 = 4 << 30;
/// How often, and how many times, unmounting is tried.
const UNMOUNT_INTERVAL: Duration = Duration::from_millis(50);
const UNMOUNT_ATTEMPTS: usize = 400;

/// Shuts down the file systems of its arguments, without writing their journals.
const SHUT_DOWN: &str = "
import fcntl, os, struct, sys
FS_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, struct.pack('I', 2)
for disk in [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]:
    fcntl.ioctl(disk, FS_IOC_SHUTDOWN, NO_LOG_FLUSH)
";

/// A disk. It is removed when it is dropped.
pub(super) struct Disk {
    directory: TempDir,
    /// How often its power was restored.
    restored: AtomicU64,
}

impl Disk {
    /// Disks, or `None` if this machine or its user cannot make them.
    pub(super) fn create<const COUNT: usize>(promise: &str) -> Option<[Self; COUNT]> {
        let created: Result<Vec<_>, _> = (0..COUNT).map(|_| Self::new()).collect();
        let tried = created.and_then(|disks| {
            // A spare disk shows whether this machine can shut down a file system.
            let tried = Self::new()?;
            tried.shut_down(&[])?;
            Ok(disks)
        });
        match tried {
            Ok(disks) => disks.try_into().ok(),
            Err(reason) => {
                eprintln!("NOT TESTED: {promise}; {reason}");
                None
            }
        }
    }

    fn new() -> Result<Self, String> {
        let disk = Self { directory: directory(), restored: AtomicU64::new(0) };
        let image = File::create(disk.image()).expect("a file");
        image.set_len(SIZE).expect("a sparse file");
        fs::create_dir(disk.mount_point()).expect("a directory");
        run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(disk.image()))?;
        disk.mount()?;
        give(&disk.mount_point(), 0o700);
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join(format!("image-{}", self.restored.load(Ordering::Relaxed)))
    }

    fn mount_point(&self) -> PathBuf {
        self.directory.path().join("mount")
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.mount_point()))
    }

    /// Where the files of a database can be.
    pub(super) fn data(&self) -> PathBuf {
        self.mount_point().join("data")
    }

    /// Writes everything that it holds.
    pub(super) fn sync(&self) {
        run(Command::new("sync").arg("-f").arg(self.mount_point())).expect("synced");
    }

    /// Cuts the power of this disk and of others, at once.
    pub(super) fn cut_power(&self, others: &[&Self]) {
        self.shut_down(others).expect("shut down");
    }

    fn shut_down(&self, others: &[&Self]) -> Result<(), String> {
        let disks = [&[self], others].concat();
        let paths = disks.iter().map(|disk| disk.mount_point());
        run(Command::new("python3").args(["-c", SHUT_DOWN]).args(paths))
    }

    /// Reads the disk again as it was when its power was cut. No process uses it any more.
    pub(super) async fn restore_power(&self) {
        self.unmount().await.expect("unmounted");
        // The network namespaces of other tests have copies of the mount. As long as they exist, the
        // old image would be mounted as the same file system, which stays shut down.
        let old = self.image();
        self.restored.fetch_add(1, Ordering::Relaxed);
        let copied = run(Command::new("cp").arg("--sparse=always").arg(&old).arg(self.image()));
        copied.expect("copied");
        fs::remove_file(old).expect("removed");
        self.mount().expect("mounted");
    }

    async fn unmount(&self) -> Result<(), String> {
        let mut unmounted = Ok(());
        for _ in 0..UNMOUNT_ATTEMPTS {
            unmounted = run(Command::new("umount").arg(self.mount_point()));
            if unmounted.is_ok() {
                break;
            }
            // A process that was killed has not ended yet.
            sleep(UNMOUNT_INTERVAL).await;
        }
        unmounted
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may not be mounted, if it could not be made.
        let _ = run(Command::new("umount").arg("--lazy").arg(self.mount_point()));
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
