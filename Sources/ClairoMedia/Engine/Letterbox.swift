internal import ClairoCore

/// The part of a rung's frame that shows a source frame. The rest is black.
struct Letterbox: Hashable {
    /// The size of the part. Both sides are even, as 4:2:0 requires.
    var size: FrameSize
    /// Columns left of it, an even number.
    var left = 0
    /// Rows above it, an even number.
    var top = 0

    /// Fits a frame into a rung with its own shape.
    /// - Parameters:
    ///   - shape: Width divided by height, for display.
    ///   - planned: The shape that fills the rung.
    init(shape: Rational, planned: Rational, rung: FrameSize) {
        size = rung
        let isWider = shape > planned
        let side = isWider ? rung.height : rung.width
        let fitted = Rational(Int64(side)) * (isWider ? planned / shape : shape / planned)
        // A difference of one pixel comes from rounding.
        guard fitted < Rational(Int64(side - 1)) else { return }
        let even = max(2, Int((fitted / Rational(2)).rounded) * 2)
        let offset = (side - even) / 2 & ~1
        if isWider { (size.height, top) = (even, offset) } else { (size.width, left) = (even, offset) }
    }

    /// The shape of a frame for display: width divided by height.
    /// - Parameters:
    ///   - size: The stored size, after cropping.
    ///   - pixel: The shape of a pixel.
    static func shape(_ size: FrameSize, pixel: Rational, orientation: Orientation) -> Rational {
        let stored = Rational(Int64(size.width), Int64(max(size.height, 1))) * pixel
        return orientation.swapsSides ? stored.inverse : stored
    }
}
