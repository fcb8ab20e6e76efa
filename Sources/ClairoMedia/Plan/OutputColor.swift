internal import ClairoCore

/// Chooses the colour tags of an output (H.273 code points).
enum OutputColor {
    /// The source's own colour in limited range; BT.709 after tone mapping; for RGB the usual colour of its size.
    static func choose(for stream: VideoStream) -> ColorDescription {
        let bt709 = ColorDescription(primaries: 1, transfer: 1, matrix: 1, isFullRange: false)
        let bt601 = ColorDescription(primaries: 6, transfer: 6, matrix: 6, isFullRange: false)
        if stream.dynamicRange != .sdr { return bt709 }
        let isRGB = stream.color.matrix == 0
        if isRGB { return stream.displaySize.shortSide >= 720 ? bt709 : bt601 }
        func known(_ value: Int) -> Int { (1...22).contains(value) ? value : 2 }
        return ColorDescription(
            primaries: known(stream.color.primaries), transfer: known(stream.color.transfer),
            matrix: known(stream.color.matrix), isFullRange: false)
    }
}
