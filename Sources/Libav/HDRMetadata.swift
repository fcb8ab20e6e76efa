internal import CFFmpeg

/// The static metadata of HDR10, in the units of the boxes `mdcv` and `clli` (ISO/IEC 14496-12, 12.1.5 and 12.1.6). The
/// values are untrusted and unchecked.
public struct HDRMetadata: Sendable, Hashable {
    /// A chromaticity in units of 0.00002.
    public struct Point: Sendable, Hashable {
        /// The coordinates in units of 0.00002.
        public let x, y: Int
    }

    /// The color volume of the mastering display.
    public struct Display: Sendable, Hashable {
        /// The primaries and the white point.
        public let red, green, blue, white: Point
        /// The luminances in units of 0.0001 cd/m².
        public let maxLuminance, minLuminance: Int
    }

    /// The content light level.
    public struct Light: Sendable, Hashable {
        /// MaxCLL and MaxFALL in cd/m².
        public let maxContent, maxFrameAverage: Int
    }

    /// The mastering display; nil if there is none, or a part of its values is missing.
    public let display: Display?
    /// The content light level; nil if there is none.
    public let light: Light?
}

extension HDRMetadata {
    init(_ stream: UnsafePointer<AVStream>) {
        var values = clairo_hdr_metadata()
        clairo_stream_hdr_metadata(stream, &values)
        self.init(values)
    }

    init(_ frame: UnsafePointer<AVFrame>) {
        var values = clairo_hdr_metadata()
        clairo_frame_hdr_metadata(frame, &values)
        self.init(values)
    }

    private init(_ values: clairo_hdr_metadata) {
        func point(_ x: Int64, _ y: Int64) -> Point { Point(x: Int(x), y: Int(y)) }
        display =
            values.has_display != 0
            ? Display(
                red: point(values.red_x, values.red_y), green: point(values.green_x, values.green_y),
                blue: point(values.blue_x, values.blue_y), white: point(values.white_x, values.white_y),
                maxLuminance: Int(values.max_luminance), minLuminance: Int(values.min_luminance)) : nil
        light =
            values.has_light != 0
            ? Light(maxContent: Int(values.max_content), maxFrameAverage: Int(values.max_average)) : nil
    }
}

extension Frame {
    /// The static metadata of HDR10 in the bitstream.
    public var hdrMetadata: HDRMetadata { HDRMetadata(pointer) }
}
