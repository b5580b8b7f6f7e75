//! PNG and JPEG files as 8-bit RGB, converted as Pillow converts them.

use std::io::Cursor;
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::MOST_PIXELS;
use crate::error::{Error, Result};

/// Bytes a file may have. More than `MOST_PIXELS` of noise in 16 bits.
const LARGEST_FILE: u64 = 1 << 30;

/// An image in 8-bit RGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pixels {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row, three bytes a pixel.
    pub rgb: Vec<u8>,
}

/// Decodes the file at `path`. What is transparent is laid over white, or, where `white` is
/// not set, shows the colour it has.
pub(super) fn read(path: &Path, white: bool) -> Result<Pixels> {
    let (_, length) = crate::files::open(path)?;
    if length > LARGEST_FILE {
        return Err(Error::malformed(
            path,
            format!("the file has {length} bytes, and images of up to {LARGEST_FILE} are read"),
        ));
    }
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    decode(&bytes, white).map_err(|reason| Error::malformed(path, reason))
}

/// Decodes `bytes`.
fn decode(bytes: &[u8], white: bool) -> std::result::Result<Pixels, String> {
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        _ => return Err("neither a PNG nor a JPEG file".into()),
    };
    if format == ImageFormat::Jpeg && !ends(bytes) {
        return Err("the JPEG file is cut short".into());
    }
    let broken = |e: image::ImageError| format!("the image cannot be decoded ({e})");
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // The header is read first and refused below, so the limit is only for what else a file
    // may ask the decoder to hold.
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_PIXELS * 8);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(format!(
            "the image has {width} x {height} pixels, and at most {MOST_PIXELS} are read"
        ));
    }
    if width == 0 || height == 0 {
        return Err("the image has no pixels".into());
    }
    let image = DynamicImage::from_decoder(decoder).map_err(broken)?;
    Ok(Pixels {
        width: width as usize,
        height: height as usize,
        rgb: rgb(image, white),
    })
}

/// The bytes of `image` in RGB.
fn rgb(image: DynamicImage, white: bool) -> Vec<u8> {
    // Pillow keeps the high byte of 16 bits, but of 16-bit grey it keeps values up to 255 and
    // makes the others white.
    let high = |value: u16| (value >> 8) as u8;
    let over = |alpha: u8, color: [u8; 3]| {
        if white {
            over_white(alpha, color)
        } else {
            color
        }
    };
    match image {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageLuma8(image) => image.pixels().flat_map(|p| [p.0[0]; 3]).collect(),
        DynamicImage::ImageLumaA8(image) => image
            .pixels()
            .flat_map(|p| over(p.0[1], [p.0[0]; 3]))
            .collect(),
        DynamicImage::ImageRgba8(image) => image
            .pixels()
            .flat_map(|p| over(p.0[3], [p.0[0], p.0[1], p.0[2]]))
            .collect(),
        DynamicImage::ImageLuma16(image) => image
            .pixels()
            .flat_map(|p| [p.0[0].min(255) as u8; 3])
            .collect(),
        DynamicImage::ImageLumaA16(image) => image
            .pixels()
            .flat_map(|p| over(high(p.0[1]), [high(p.0[0]); 3]))
            .collect(),
        DynamicImage::ImageRgb16(image) => image.pixels().flat_map(|p| p.0.map(high)).collect(),
        DynamicImage::ImageRgba16(image) => image
            .pixels()
            .flat_map(|p| {
                let [r, g, b, alpha] = p.0.map(high);
                over(alpha, [r, g, b])
            })
            .collect(),
        // Neither format has another.
        other => other.into_rgb8().into_raw(),
    }
}

/// `color` over white, in Pillow's fixed point (`AlphaComposite.c`).
fn over_white(alpha: u8, color: [u8; 3]) -> [u8; 3] {
    let above = u32::from(alpha) * 128;
    let below = 255 * 128 - above;
    color.map(|value| {
        let sum = u32::from(value) * above + 255 * below + (0x80 << 7);
        ((((sum >> 8) + sum) >> 8) >> 7) as u8
    })
}

/// Whether a JPEG file has its end. Without it, decoders invent the rest.
fn ends(bytes: &[u8]) -> bool {
    // After the mark at the beginning: segments that say their length, and scans that do not.
    let mut at = 2;
    loop {
        let Some(&[mark, code]) = bytes.get(at..).and_then(|rest| rest.first_chunk()) else {
            return false;
        };
        at += match (mark, code) {
            (0xff, 0xd9) => return true,
            // Within a scan, or bytes that fill.
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => 2,
            (0xff, 0xff) => 1,
            (0xff, _) => match bytes.get(at + 2..).and_then(|rest| rest.first_chunk()) {
                Some(&length) => 2 + usize::from(u16::from_be_bytes(length)),
                None => return false,
            },
            _ => 1,
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn over_white_is_pillows() {
        // Image.alpha_composite over (255, 255, 255, 255), Pillow 13.
        for (alpha, color, over) in [
            (0, [10, 20, 30], [255, 255, 255]),
            (128, [10, 20, 30], [132, 137, 142]),
            (77, [200, 100, 50], [238, 208, 193]),
            (255, [1, 2, 3], [1, 2, 3]),
        ] {
            assert_eq!(over_white(alpha, color), over);
        }
    }

    #[test]
    fn the_end_of_a_jpeg_is_its_own() {
        // Its thumbnail's end, in a segment, is not the file's.
        let segment = [0xff, 0xd8, 0xff, 0xe1, 0, 6, 0xff, 0xd9, 0, 0];
        assert!(!ends(&segment));
        assert!(ends(
            &[&segment[..], &[0xff, 0xda, 0, 2, 1, 0xff, 0, 0xff, 0xd9]].concat()
        ));
        assert!(!ends(&[0xff, 0xd8]));
        assert!(!ends(&[0xff, 0xd8, 0xff, 0xe1, 0xff]));
    }
}
