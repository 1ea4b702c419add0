//! A terminal of a certain width, for the output of a process.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::fd::OwnedFd,
    process::Stdio,
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// A terminal without a person.
#[derive(Debug)]
pub(crate) struct Terminal {
    controller: File,
    device: File,
}

impl Terminal {
    /// A terminal with this many columns.
    pub(crate) fn new(columns: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&controller).expect("granted");
        unlockpt(&controller).expect("unlocked");
        let name = ptsname(&controller, Vec::new()).expect("a name");
        let name = name.to_str().expect("UTF-8");
        let device = OpenOptions::new().read(true).write(true).open(name).expect("a device");
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&device, size).expect("a size");
        Self { controller: controller.into(), device }
    }

    /// A standard stream of a process, on this terminal.
    pub(crate) fn stdio(&self) -> Stdio {
        OwnedFd::from(self.device.try_clone().expect("a descriptor")).into()
    }

    /// Everything that is written to the terminal until the last process ends.
    pub(crate) fn output(self) -> String {
        let Self { mut controller, device } = self;
        drop(device);
        let (mut output, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match controller.read(&mut buffer) {
                Ok(count) => output.extend_from_slice(&buffer[..count]),
                // The last process has closed the terminal.
                Err(error)
                    if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) =>
                {
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => unreachable!("{error}"),
            }
        }
        String::from_utf8(output).expect("UTF-8").replace("\r\n", "\n")
    }
}
