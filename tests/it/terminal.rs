//! A terminal of a certain width, for the output of a process.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
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
        self.person().read_to_end()
    }

    /// The person at the terminal of the processes that were started.
    pub(crate) fn person(self) -> Person {
        Person { controller: self.controller, seen: Vec::new() }
    }
}

/// A person at a terminal.
#[derive(Debug)]
pub(crate) struct Person {
    controller: File,
    seen: Vec<u8>,
}

impl Person {
    /// Reads until this text appears.
    pub(crate) fn read_until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.seen).contains(text) {
            assert!(self.read(), "{text} is not in {}", String::from_utf8_lossy(&self.seen));
        }
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) {
        self.controller.write_all(format!("{line}\n").as_bytes()).expect("typed");
    }

    /// Reads until the last process ends. Returns everything that was written.
    pub(crate) fn read_to_end(mut self) -> String {
        while self.read() {}
        String::from_utf8(self.seen).expect("UTF-8").replace("\r\n", "\n")
    }

    /// Reads more, unless the last process has closed the terminal.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.controller.read(&mut buffer) {
            Ok(count) => {
                self.seen.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            Err(error) => {
                let closed = Some(rustix::io::Errno::IO.raw_os_error());
                assert_eq!(error.raw_os_error(), closed, "{error}");
                false
            }
        }
    }
}
