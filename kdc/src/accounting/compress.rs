//! Lines made small.

use std::io::{self, Write};

use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use super::frame::Index;

/// Little work for most of the gain: lines have much in common. A level more is twice the work, for a tenth of a file less.
const LEVEL: i32 = -5;

/// Makes frames, in memory that is kept from one to the next.
pub(super) struct Frames {
    compressor: Compressor<'static>,
    compressed: Vec<u8>,
}

impl Frames {
    /// # Errors
    /// When there is no memory.
    pub(super) fn new() -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        Ok(Self {
            compressor,
            compressed: Vec::new(),
        })
    }

    /// Writes a frame of these lines, with its index before it.
    ///
    /// # Errors
    /// When the compressor fails, or what it is written to.
    pub(super) fn write(&mut self, lines: &[u8], out: &mut impl Write) -> io::Result<()> {
        self.compressed.clear();
        self.compressed.reserve(compress_bound(lines.len()));
        self.compressor.compress_to_buffer(lines, &mut self.compressed)?;
        let mut index = Index::of(lines);
        index.compressed = u32::try_from(self.compressed.len()).map_err(io::Error::other)?;
        out.write_all(&index.encode())?;
        out.write_all(&self.compressed)
    }
}
