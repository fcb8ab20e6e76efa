/// The color of high dynamic range video, as renditions in HDR carry it in the bitstream and in the container.
public struct HDRDescription: Sendable, Codable, Hashable {
    /// The color tags, with the transfer function PQ or HLG.
    public var color: ColorDescription
    /// The display on which the content was mastered (SMPTE ST 2086); nil if the source does not say.
    public var masteringDisplay: MasteringDisplay?
    /// The content light level (CTA-861.3); nil if the source does not say.
    public var contentLight: ContentLight?

    public init(
        color: ColorDescription, masteringDisplay: MasteringDisplay? = nil, contentLight: ContentLight? = nil
    ) {
        self.color = color
        self.masteringDisplay = masteringDisplay
        self.contentLight = contentLight
    }
}

/// The color volume of a mastering display (SMPTE ST 2086), in the units of the `mdcv` box (ISO/IEC 14496-12, 12.1.5).
public struct MasteringDisplay: Sendable, Codable, Hashable {
    /// A chromaticity in units of 0.00002.
    public struct Chromaticity: Sendable, Codable, Hashable {
        /// The coordinates in units of 0.00002.
        public var x, y: Int

        public init(x: Int, y: Int) {
            self.x = x
            self.y = y
        }
    }

    /// The primaries.
    public var red, green, blue: Chromaticity
    /// The white point.
    public var whitePoint: Chromaticity
    /// The luminances in units of 0.0001 cd/m².
    public var maxLuminance, minLuminance: Int

    public init(
        red: Chromaticity, green: Chromaticity, blue: Chromaticity, whitePoint: Chromaticity, maxLuminance: Int,
        minLuminance: Int
    ) {
        self.red = red
        self.green = green
        self.blue = blue
        self.whitePoint = whitePoint
        self.maxLuminance = maxLuminance
        self.minLuminance = minLuminance
    }
}

/// The content light level (CTA-861.3).
public struct ContentLight: Sendable, Codable, Hashable {
    /// MaxCLL: the luminance of the brightest pixel, in cd/m².
    public var maxContent: Int
    /// MaxFALL: the highest average luminance of a frame, in cd/m².
    public var maxFrameAverage: Int

    public init(maxContent: Int, maxFrameAverage: Int) {
        self.maxContent = maxContent
        self.maxFrameAverage = maxFrameAverage
    }
}
