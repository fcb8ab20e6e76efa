internal import ClairoCore
internal import Libav

/// Reads the static metadata of HDR10 from a source. What contradicts itself or the format is left out, with a warning.
struct HDRInspection {
    private(set) var masteringDisplay: MasteringDisplay?
    private(set) var contentLight: ContentLight?
    private(set) var warnings: [MediaWarning] = []

    /// The luminance of the brightest code of PQ (SMPTE ST 2084), in cd/m².
    private static let brightest = 10_000

    /// - Parameters:
    ///   - bitstream: The metadata of the first frame, which is believed.
    ///   - container: The metadata that the container declares.
    init(bitstream: HDRMetadata?, container: HDRMetadata?, range: DynamicRange) {
        let (display, light) = (bitstream?.display ?? container?.display, bitstream?.light ?? container?.light)
        guard display != nil || light != nil else { return }
        guard range == .hdr10 else {
            // HLG does not depend on the display.
            if range == .sdr {
                warn("the video has metadata of HDR10, but is tagged as SDR; the metadata is left out")
            }
            return
        }
        if let own = bitstream?.display, let other = container?.display, own != other {
            warn("container and bitstream declare different mastering displays; the bitstream is believed")
        }
        if let own = bitstream?.light, let other = container?.light, own != other {
            warn("container and bitstream declare different content light levels; the bitstream is believed")
        }
        if let display { take(display) }
        // Zeros mean that the level is not known.
        if let light, light.maxContent > 0 || light.maxFrameAverage > 0 { take(light) }
    }

    private mutating func take(_ display: HDRMetadata.Display) {
        let points = [display.red, display.green, display.blue, display.white]
        guard points.allSatisfy({ $0.x >= 0 && $0.y > 0 && $0.x + $0.y <= 50_000 }),
            (0..<max(display.maxLuminance, 0)).contains(display.minLuminance),
            display.maxLuminance <= Self.brightest * 10_000
        else {
            warn("the metadata describes an impossible mastering display, and is left out")
            return
        }
        func chromaticity(_ point: HDRMetadata.Point) -> MasteringDisplay.Chromaticity {
            MasteringDisplay.Chromaticity(x: point.x, y: point.y)
        }
        masteringDisplay = MasteringDisplay(
            red: chromaticity(display.red), green: chromaticity(display.green), blue: chromaticity(display.blue),
            whitePoint: chromaticity(display.white), maxLuminance: display.maxLuminance,
            minLuminance: display.minLuminance)
    }

    private mutating func take(_ light: HDRMetadata.Light) {
        // Frames on average may be unknown.
        guard (1...Self.brightest).contains(light.maxContent), (0...light.maxContent).contains(light.maxFrameAverage)
        else {
            warn(
                "the content light level of \(light.maxContent) and \(light.maxFrameAverage) cd/m² is "
                    + "impossible, and is left out")
            return
        }
        contentLight = ContentLight(maxContent: light.maxContent, maxFrameAverage: light.maxFrameAverage)
    }

    private mutating func warn(_ message: String) { warnings.append(MediaWarning(.colorContradiction, message)) }
}
