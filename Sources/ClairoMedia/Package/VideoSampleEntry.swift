internal import ClairoCore

/// The visual sample entry of all codecs (ISO/IEC 14496-12, 12.1.3).
enum VideoSampleEntry {
    static func write(_ video: TrackDescription.Video, to writer: inout BoxWriter) {
        writer.box(video.codec.coding.sampleEntry) { box in
            box.zeros(6)
            box.u16(1)
            box.zeros(16)
            box.u16(UInt16(clamping: video.size.width))
            box.u16(UInt16(clamping: video.size.height))
            box.u32(0x0048_0000)
            box.u32(0x0048_0000)
            box.u32(0)
            box.u16(1)
            box.zeros(32)
            box.u16(24)
            box.u16(0xFFFF)
            box.box(video.codec.coding.configurationBox) { $0.bytes(video.configuration) }
            write(video.color, to: &box)
            box.box("pasp") { pasp in
                pasp.u32(1)
                pasp.u32(1)
            }
            if let display = video.hdr?.masteringDisplay { write(display, to: &box) }
            if let light = video.hdr?.contentLight {
                box.box("clli") { clli in
                    clli.u16(UInt16(clamping: light.maxContent))
                    clli.u16(UInt16(clamping: light.maxFrameAverage))
                }
            }
            video.bitRate?.write(to: &box)
        }
    }

    private static func write(_ color: ColorDescription, to writer: inout BoxWriter) {
        guard color.primaries != 2 || color.transfer != 2 || color.matrix != 2 else { return }
        writer.box("colr") { colr in
            colr.text("nclx")
            colr.u16(UInt16(clamping: color.primaries))
            colr.u16(UInt16(clamping: color.transfer))
            colr.u16(UInt16(clamping: color.matrix))
            colr.u8(color.isFullRange ? 0x80 : 0)
        }
    }

    /// Writes `mdcv` with the primaries in the order green, blue, red.
    private static func write(_ display: MasteringDisplay, to writer: inout BoxWriter) {
        writer.box("mdcv") { mdcv in
            for point in [display.green, display.blue, display.red, display.whitePoint] {
                mdcv.u16(UInt16(clamping: point.x))
                mdcv.u16(UInt16(clamping: point.y))
            }
            mdcv.u32(UInt32(clamping: display.maxLuminance))
            mdcv.u32(UInt32(clamping: display.minLuminance))
        }
    }
}
