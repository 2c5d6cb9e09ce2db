//! Sorts more entries than fit into memory: sorted runs in temporary files, merged when they are read.
//!
//! An entry is an array of bytes that compares as what it stands for, so that sorting knows nothing of it. The files have
//! no name: they are gone when the process is, however it ends.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Runs that are merged at a time: each has a file open and a buffer.
const FAN_IN: usize = 256;

/// Takes entries in any order.
pub(super) struct Sorter<const N: usize> {
    directory: PathBuf,
    /// The most entries in memory.
    capacity: usize,
    entries: Vec<[u8; N]>,
    runs: Vec<Run>,
}

/// A sorted file.
struct Run {
    file: File,
    entries: u64,
}

impl<const N: usize> Sorter<N> {
    /// Uses so many bytes of memory, and the directory for what does not fit.
    pub(super) fn new(directory: PathBuf, memory: usize) -> Self {
        let capacity = (memory / N).max(FAN_IN);
        // Memory that is never touched costs nothing, and a vector that grows is there twice for a moment.
        Self { directory, capacity, entries: Vec::with_capacity(capacity), runs: Vec::new() }
    }

    /// Takes an entry.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub(super) fn push(&mut self, entry: [u8; N]) -> io::Result<()> {
        if self.entries.len() == self.capacity {
            self.spill()?;
        }
        self.entries.push(entry);
        Ok(())
    }

    /// All entries in their order.
    ///
    /// # Errors
    /// The directory cannot be written to or read from.
    pub(super) fn finish(mut self) -> io::Result<Sorted<N>> {
        if !self.runs.is_empty() {
            // The memory is needed for the buffers of the files.
            self.spill()?;
            return Sorted::merge(std::mem::take(&mut self.runs), self.buffer());
        }
        self.entries.sort_unstable();
        Sorted::of(vec![Source::Memory(self.entries.into_iter())])
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.runs.is_empty() {
            let place = self.directory.display();
            tracing::info!("--memory is too little for all at once: sorting in files at {place}");
        }
        self.entries.sort_unstable();
        let run = write(&self.directory, self.entries.drain(..).map(Ok))?;
        self.runs.push(run);
        if self.runs.len() == FAN_IN {
            let merged = Sorted::<N>::merge(std::mem::take(&mut self.runs), self.buffer())?;
            self.runs.push(write(&self.directory, merged)?);
        }
        Ok(())
    }

    fn buffer(&self) -> usize {
        (self.capacity * N / FAN_IN).clamp(N, 1 << 20)
    }
}

fn write<const N: usize>(
    directory: &Path,
    entries: impl Iterator<Item = io::Result<[u8; N]>>,
) -> io::Result<Run> {
    let failed = |error: io::Error| {
        let place = directory.display();
        io::Error::new(error.kind(), format!("cannot sort at {place} (--temp-dir): {error}"))
    };
    let mut file = BufWriter::new(tempfile::tempfile_in(directory).map_err(failed)?);
    let mut written = 0;
    for entry in entries {
        file.write_all(&entry?).map_err(failed)?;
        written += 1;
    }
    let mut file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.rewind().map_err(failed)?;
    Ok(Run { file, entries: written })
}

/// Gives entries in their order.
pub(super) struct Sorted<const N: usize> {
    /// The next entry of each source.
    next: BinaryHeap<Reverse<([u8; N], usize)>>,
    sources: Vec<Source<N>>,
}

enum Source<const N: usize> {
    Memory(std::vec::IntoIter<[u8; N]>),
    File(BufReader<File>, u64),
}

impl<const N: usize> Source<N> {
    fn next(&mut self) -> io::Result<Option<[u8; N]>> {
        match self {
            Self::Memory(entries) => Ok(entries.next()),
            Self::File(_, 0) => Ok(None),
            Self::File(file, left) => {
                let mut entry = [0; N];
                file.read_exact(&mut entry)?;
                *left -= 1;
                Ok(Some(entry))
            }
        }
    }
}

impl<const N: usize> Sorted<N> {
    fn merge(runs: Vec<Run>, buffer: usize) -> io::Result<Self> {
        let file = |run: Run| Source::File(BufReader::with_capacity(buffer, run.file), run.entries);
        Self::of(runs.into_iter().map(file).collect())
    }

    fn of(mut sources: Vec<Source<N>>) -> io::Result<Self> {
        let mut next = BinaryHeap::with_capacity(sources.len());
        for (at, source) in sources.iter_mut().enumerate() {
            next.extend(source.next()?.map(|entry| Reverse((entry, at))));
        }
        Ok(Self { next, sources })
    }
}

impl<const N: usize> Iterator for Sorted<N> {
    type Item = io::Result<[u8; N]>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut top = self.next.peek_mut()?;
        let Reverse((entry, at)) = *top;
        match self.sources[at].next() {
            // The heap puts it in its place when `top` is dropped.
            Ok(Some(next)) => top.0.0 = next,
            Ok(None) => {
                std::collections::binary_heap::PeekMut::pop(top);
            }
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In memory, in a few runs, and in so many that runs are merged on the way.
    #[test]
    fn entries_come_in_their_order_whatever_fits_into_memory() {
        let capacity = FAN_IN;
        for count in [0, 1, 256, 257, 5_000, 150_000] {
            let mut random = fastrand::Rng::with_seed(count);
            let mut entries: Vec<[u8; 4]> =
                (0..count).map(|_| random.u32(..5_000).to_be_bytes()).collect();
            let mut sorter = Sorter::new(std::env::temp_dir(), capacity * 4);
            entries.iter().for_each(|entry| sorter.push(*entry).unwrap());
            let spilled = !sorter.runs.is_empty();
            assert_eq!(spilled, entries.len() > capacity);
            assert!(sorter.entries.capacity() <= capacity && sorter.runs.len() < FAN_IN);
            let sorted: Vec<_> = sorter.finish().unwrap().map(Result::unwrap).collect();
            entries.sort_unstable();
            assert_eq!(sorted, entries);
        }
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        let mut sorter = Sorter::new("/no/such/directory".into(), FAN_IN);
        let pushed = (0..=FAN_IN).try_for_each(|_| sorter.push([0]));
        assert_eq!(pushed.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
