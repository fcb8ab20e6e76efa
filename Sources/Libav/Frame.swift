internal import CFFmpeg

/// A decoded video frame or block of audio samples. Immutable: threads share it by reference.
///
/// `@unchecked Sendable`: the underlying `AVFrame` is not changed after `init`, and libav counts references to its
/// buffers atomically.
public final class Frame: @unchecked Sendable {
    let pointer: UnsafeMutablePointer<AVFrame>

    /// Takes ownership of a filled frame.
    init(adopting pointer: UnsafeMutablePointer<AVFrame>) { self.pointer = pointer }

    deinit {
        var frame: UnsafeMutablePointer<AVFrame>? = pointer
        av_frame_free(&frame)
    }

    /// Best estimate of the presentation time in the producer's time base.
    public var pts: Int64? { timestamp(pointer.pointee.best_effort_timestamp) ?? timestamp(pointer.pointee.pts) }
    /// The presentation time that its packet had; nil if it had none.
    public var containerPTS: Int64? { timestamp(pointer.pointee.pts) }
    /// Duration in the time base of its stream; 0 if unknown.
    public var duration: Int64 { clairo_frame_duration(pointer) }
    /// Width in pixels.
    public var width: Int { Int(pointer.pointee.width) }
    /// Height in pixels.
    public var height: Int { Int(pointer.pointee.height) }
    /// libav's value of the pixel or sample format.
    public var format: Int32 { pointer.pointee.format }
    /// libav's name of the pixel format.
    public var pixelFormatName: String {
        av_get_pix_fmt_name(AVPixelFormat(rawValue: format)).map { String(cString: $0) } ?? "unknown"
    }
    /// Bits per component.
    public var bitDepth: Int {
        av_pix_fmt_desc_get(AVPixelFormat(rawValue: format)).map { Int($0.pointee.comp.0.depth) } ?? 8
    }
    /// Whether its pixels have an opacity.
    public var hasAlpha: Bool {
        av_pix_fmt_desc_get(AVPixelFormat(rawValue: format)).map {
            $0.pointee.flags & UInt64(AV_PIX_FMT_FLAG_ALPHA) != 0
        } ?? false
    }
    /// Shape of a pixel; 0/1 if unknown.
    public var sampleAspectRatio: Ratio { Ratio(pointer.pointee.sample_aspect_ratio) }
    /// Whether it consists of two fields.
    public var isInterlaced: Bool { clairo_frame_is_interlaced(pointer) != 0 }
    /// Whether it was coded as a key frame.
    public var isKey: Bool { clairo_frame_is_key(pointer) != 0 }
    /// Whether the decoder concealed errors in it.
    public var isDamaged: Bool { clairo_frame_is_damaged(pointer) != 0 }
    /// Color primaries (H.273).
    public var colorPrimaries: Int32 { Int32(bitPattern: pointer.pointee.color_primaries.rawValue) }
    /// Transfer characteristics (H.273).
    public var colorTransfer: Int32 { Int32(bitPattern: pointer.pointee.color_trc.rawValue) }
    /// Matrix coefficients (H.273).
    public var colorMatrix: Int32 { Int32(bitPattern: pointer.pointee.colorspace.rawValue) }
    /// Full range instead of limited range.
    public var isFullRange: Bool {
        pointer.pointee.color_range == AVCOL_RANGE_JPEG || pixelFormatName.hasPrefix("yuvj")
    }
    /// Whether it is tagged with full or limited range.
    public var declaresRange: Bool { pointer.pointee.color_range != AVCOL_RANGE_UNSPECIFIED }

    /// Audio samples per channel.
    public var sampleCount: Int { Int(pointer.pointee.nb_samples) }
    /// Audio samples per second.
    public var sampleRate: Int { Int(pointer.pointee.sample_rate) }
    /// Audio channels.
    public var channels: Int { Int(pointer.pointee.ch_layout.nb_channels) }

    /// Lends one channel of planar float samples.
    public func withSamples<R>(channel: Int, _ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows -> R? {
        guard pointer.pointee.format == AV_SAMPLE_FMT_FLTP.rawValue, channel >= 0, channel < channels,
            let plane = pointer.pointee.extended_data[channel]
        else { return nil }
        return try plane.withMemoryRebound(to: Float.self, capacity: sampleCount) {
            try body(UnsafeBufferPointer(start: $0, count: sampleCount))
        }
    }

    /// Lends one row of a plane of an 8-bit frame.
    public func withRow<R>(plane: Int, row: Int, width: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows
        -> R?
    {
        var data: UnsafeMutablePointer<UInt8>?
        var stride: Int32 = 0
        guard clairo_frame_plane(pointer, Int32(plane), &data, &stride) != 0, let data, row >= 0, row < height,
            width <= Int(abs(stride))
        else { return nil }
        return try body(UnsafeBufferPointer(start: data + row * Int(stride), count: width))
    }

    /// Makes a frame of float samples for an encoder.
    /// - Parameter isInterleaved: Whether the samples of all channels are in one plane, in turns.
    public static func audio(
        channels samples: [ArraySlice<Float>], sampleRate: Int, pts: Int64, isInterleaved: Bool = false
    ) throws(AVError) -> Frame {
        let frame = Frame(adopting: try checkAllocated(av_frame_alloc()))
        let count = samples.first?.count ?? 0
        frame.pointer.pointee.format = (isInterleaved ? AV_SAMPLE_FMT_FLT : AV_SAMPLE_FMT_FLTP).rawValue
        frame.pointer.pointee.sample_rate = Int32(sampleRate)
        frame.pointer.pointee.nb_samples = Int32(count)
        frame.pointer.pointee.pts = pts
        av_channel_layout_default(&frame.pointer.pointee.ch_layout, Int32(samples.count))
        try check(av_frame_get_buffer(frame.pointer, 0))
        for (index, channel) in samples.enumerated() {
            guard channel.count == count, let plane = frame.pointer.pointee.extended_data[isInterleaved ? 0 : index]
            else { throw .invalidArgument }
            plane.withMemoryRebound(to: Float.self, capacity: count * (isInterleaved ? samples.count : 1)) { plane in
                if isInterleaved {
                    for (number, sample) in channel.enumerated() { plane[number * samples.count + index] = sample }
                } else {
                    for (number, sample) in channel.enumerated() { plane[number] = sample }
                }
            }
        }
        return frame
    }
}
