internal import ClairoCore
internal import Libav

/// The properties of a decoded frame that decide how it is converted.
struct FrameShape: Hashable {
    /// The size as stored.
    var size: FrameSize
    /// libav's name of the pixel format.
    var pixelFormat: String
    /// Bits per component.
    var bitDepth = 8
    /// Whether its pixels have an opacity.
    var hasAlpha = false
    /// As tagged: 2 is unspecified.
    var color = ColorDescription.unspecified
    /// Whether the range is specified.
    var declaresRange = true
    /// The shape of a pixel according to the bitstream, or nil.
    var pixel: Rational?
}

extension FrameShape {
    init(_ frame: Frame) {
        let aspect = frame.sampleAspectRatio
        self.init(
            size: FrameSize(width: frame.width, height: frame.height), pixelFormat: frame.pixelFormatName,
            bitDepth: frame.bitDepth, hasAlpha: frame.hasAlpha,
            color: ColorDescription(
                primaries: Int(frame.colorPrimaries), transfer: Int(frame.colorTransfer),
                matrix: Int(frame.colorMatrix), isFullRange: frame.isFullRange),
            declaresRange: frame.declaresRange, pixel: aspect.isUsable ? Rational(aspect) : nil)
    }
}
