/// The format of a source's frames that a ladder is planned for, and what its bitstream leaves open. Frames of another
/// format are fitted into the ladder's.
public struct SourceFormat: Sendable, Codable, Hashable {
    /// The size as stored, before cropping.
    public var codedSize: FrameSize
    /// Shape of a pixel.
    public var sampleAspectRatio: Rational
    /// The shape of a pixel according to the bitstream; nil if it declares none.
    public var bitstreamAspectRatio: Rational?
    /// The pixels at the edges that the container excludes from display; nil for none.
    public var crop: FrameCrop?
    /// The colour of frames that declare none: the container's, or else the usual one for the size. No value is 2
    /// (unspecified).
    public var color: ColorDescription
    /// The name of the decoder if it is not libav's default for the codec.
    public var decoder: String?

    public init(
        codedSize: FrameSize, sampleAspectRatio: Rational, bitstreamAspectRatio: Rational? = nil,
        crop: FrameCrop? = nil, color: ColorDescription, decoder: String? = nil
    ) {
        self.codedSize = codedSize
        self.sampleAspectRatio = sampleAspectRatio
        self.bitstreamAspectRatio = bitstreamAspectRatio
        self.crop = crop
        self.color = color
        self.decoder = decoder
    }
}

/// Numbers of pixels at the edges of a stored frame that are not shown.
public struct FrameCrop: Sendable, Codable, Hashable {
    /// Rows at the top.
    public var top: Int
    /// Rows at the bottom.
    public var bottom: Int
    /// Columns at the left.
    public var left: Int
    /// Columns at the right.
    public var right: Int

    public init(top: Int, bottom: Int, left: Int, right: Int) {
        self.top = top
        self.bottom = bottom
        self.left = left
        self.right = right
    }
}
