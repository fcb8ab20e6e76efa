internal import ClairoCore

/// Chooses the colour of a source that leaves it open, and the colour tags of an output (H.273 code points).
///
/// Players guess an unspecified colour by the size of what they play, so each rung of a ladder would show other
/// colours. Therefore the colour is decided once, by the size of the source, and every rung is tagged with it.
enum OutputColor {
    static let bt709 = ColorDescription(primaries: 1, transfer: 1, matrix: 1, isFullRange: false)
    /// BT.601 with 525 lines.
    static let bt601 = ColorDescription(primaries: 6, transfer: 6, matrix: 6, isFullRange: false)
    /// BT.601 with 625 lines. Transfer 5 would be a gamma of 2.8, which no equipment uses.
    static let bt601With625Lines = ColorDescription(primaries: 5, transfer: 6, matrix: 5, isFullRange: false)
    /// BT.2020 in SDR.
    static let bt2020 = ColorDescription(primaries: 9, transfer: 14, matrix: 9, isFullRange: false)

    /// The source's own colour in limited range; BT.709 after tone mapping; for RGB the usual colour of its size.
    static func choose(for stream: VideoStream) -> ColorDescription {
        if stream.dynamicRange != .sdr { return bt709 }
        return choose(
            for: stream.color, size: stream.displaySize,
            isRGB: isRGB(stream.pixelFormat) || stream.color.matrix == 0)
    }

    /// The colour of the output for a source's colour and display size. No value is unspecified, and players know the
    /// matrix.
    static func choose(for color: ColorDescription, size: FrameSize, isRGB: Bool) -> ColorDescription {
        if isHDR(color.transfer) { return bt709 }
        var output = resolve(color, size: size, isRGB: isRGB)
        if scalerMatrix(output.matrix) == nil {
            output.matrix = usual(forPrimaries: output.primaries)?.matrix ?? usual(size).matrix
        }
        // Chromium converts the primaries of 625 lines, and shows pure green as (0, 255, 29). Those of BT.709 differ by 0.01
        // in one coordinate of one primary, less than any display, and are shown as they are stored.
        if output.primaries == bt601With625Lines.primaries { output.primaries = bt709.primaries }
        output.isFullRange = false
        return output
    }

    /// The colour of rungs in HDR: BT.2100 with the source's transfer function, and its static metadata; nil for a
    /// source in SDR.
    static func hdr(for stream: VideoStream) -> HDRDescription? {
        guard stream.dynamicRange != .sdr else { return nil }
        let color = ColorDescription(primaries: 9, transfer: stream.color.transfer, matrix: 9, isFullRange: false)
        return HDRDescription(
            color: color, masteringDisplay: stream.masteringDisplay, contentLight: stream.contentLight)
    }

    /// Completes a colour. What is not specified follows from the matrix or the primaries, or else from the size.
    /// - Parameters:
    ///   - size: The size for display.
    ///   - isRGB: Whether the frames are RGB. They have no matrix, and get the usual colour of their size.
    static func resolve(_ color: ColorDescription, size: FrameSize, isRGB: Bool) -> ColorDescription {
        let given: ColorDescription =
            isRGB && !isHDR(color.transfer) ? .unspecified : known(color, isRGB: isRGB)
        let base =
            usual(forMatrix: given.matrix) ?? usual(forPrimaries: given.primaries)
            ?? usual(forTransfer: given.transfer) ?? usual(size)
        return ColorDescription(
            primaries: given.primaries == 2 ? base.primaries : given.primaries,
            transfer: given.transfer == 2 ? base.transfer : given.transfer,
            matrix: given.matrix == 2 ? base.matrix : given.matrix, isFullRange: color.isFullRange)
    }

    /// The colour with what it leaves open taken from `other`.
    static func complete(_ color: ColorDescription, from other: ColorDescription, isRGB: Bool) -> ColorDescription {
        let given = known(color, isRGB: isRGB)
        return ColorDescription(
            primaries: given.primaries == 2 ? other.primaries : given.primaries,
            transfer: given.transfer == 2 ? other.transfer : given.transfer,
            matrix: given.matrix == 2 ? other.matrix : given.matrix, isFullRange: color.isFullRange)
    }

    /// The colour with 2 for each value that H.273 reserves, and for a matrix that contradicts the pixel format.
    private static func known(_ color: ColorDescription, isRGB: Bool) -> ColorDescription {
        ColorDescription(
            primaries: (4...12).contains(color.primaries) || [1, 22].contains(color.primaries) ? color.primaries : 2,
            transfer: (4...18).contains(color.transfer) || color.transfer == 1 ? color.transfer : 2,
            matrix: !isRGB && ((4...14).contains(color.matrix) || color.matrix == 1) ? color.matrix : 2,
            isFullRange: color.isFullRange)
    }

    /// The usual colour of a display size: BT.709 from 720 lines on, and the two kinds of BT.601 below. 576 and 288
    /// lines are the visible ones of a signal with 625.
    private static func usual(_ size: FrameSize) -> ColorDescription {
        if size.shortSide >= 720 { return bt709 }
        return [576, 288].contains(size.height) ? bt601With625Lines : bt601
    }

    private static func usual(forMatrix matrix: Int) -> ColorDescription? {
        switch matrix {
        case 1: bt709
        case 4: ColorDescription(primaries: 4, transfer: 4, matrix: 4, isFullRange: false)
        case 5: bt601With625Lines
        case 6: bt601
        case 7: ColorDescription(primaries: 7, transfer: 7, matrix: 7, isFullRange: false)
        case 9, 10, 14: bt2020
        default: nil
        }
    }

    private static func usual(forPrimaries primaries: Int) -> ColorDescription? {
        switch primaries {
        case 4...7: usual(forMatrix: primaries)
        // Displays with the primaries of DCI P3 and film get their signal with the matrix of BT.709.
        case 1, 8, 10, 11, 12: bt709
        case 9: bt2020
        case 22: bt601With625Lines
        default: nil
        }
    }

    /// Only some transfer characteristics belong to one system. HDR is BT.2100, with the primaries of BT.2020.
    private static func usual(forTransfer transfer: Int) -> ColorDescription? {
        switch transfer {
        case 7: usual(forMatrix: 7)
        case 14, 15, 16, 18: bt2020
        default: nil
        }
    }

    /// Whether frames with these transfer characteristics need tone mapping: PQ or HLG.
    static func isHDR(_ transfer: Int) -> Bool { transfer == 16 || transfer == 18 }

    /// The name of a matrix in options of libavfilter's `scale`, or nil if it cannot convert it.
    static func scalerMatrix(_ matrix: Int) -> String? {
        switch matrix {
        case 1: "bt709"
        case 4: "fcc"
        // The same numbers.
        case 5, 6: "smpte170m"
        case 7: "smpte240m"
        case 9: "bt2020"
        default: nil
        }
    }

    /// Whether a pixel format, by libav's name, consists of red, green and blue.
    static func isRGB(_ pixelFormat: String) -> Bool {
        ["rgb", "bgr", "gbr", "pal8", "argb", "abgr", "0rgb", "0bgr", "x2rgb", "x2bgr"].contains {
            pixelFormat.hasPrefix($0)
        }
    }
}
