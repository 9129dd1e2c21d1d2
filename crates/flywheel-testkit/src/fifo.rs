use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, mkfifoat};
use tempfile::TempDir;

/// A named pipe between a program that writes and a reader that reads only when told to.
#[derive(Debug)]
pub struct Fifo {
    folder: TempDir,
    end: File,
}

/// Written in one piece or not at all.
const PIECE: usize = 4096;

impl Default for Fifo {
    fn default() -> Self {
        Self::new()
    }
}

impl Fifo {
    /// Makes one in a folder of its own. Whoever opens it to write need not wait for a reader.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = path_in(folder.path());
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
        // Open at both ends, it is never at its end.
        let end = OpenOptions::new().read(true).write(true).custom_flags(nonblock).open(path).unwrap();
        Self { folder, end }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        path_in(self.folder.path())
    }

    /// Fills it up with empty lines, so that whoever writes into it waits until it is read.
    pub fn fill(&mut self) {
        for piece in [PIECE, 1] {
            let lines = vec![b'\n'; piece];
            loop {
                match self.end.write(&lines) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("filling a pipe: {error}"),
                }
            }
        }
    }

    /// Takes out everything that is in it now.
    pub fn read(&mut self) -> String {
        let mut all = Vec::new();
        let mut part = [0; PIECE];
        loop {
            match self.end.read(&mut part) {
                Ok(length) => all.extend_from_slice(&part[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("reading a pipe: {error}"),
            }
        }
        String::from_utf8(all).unwrap()
    }
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join("fifo")
}
