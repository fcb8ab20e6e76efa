internal import CFFmpeg

public import struct Foundation.Data

/// Settings of a video encoder. Sizes in pixels, rates in bits per second.
public struct VideoEncoderSettings: Sendable {
    /// libav's encoder name: `libx264`, `mjpeg`.
    public var encoder: String
    /// Width in pixels.
    public var width: Int
    /// Height in pixels.
    public var height: Int
    /// Frames per second.
    public var frameRate: Ratio
    /// Frames from one IDR to the next.
    public var gopFrames: Int
    /// Largest rate (VBV), bits per second.
    public var maxRate: Int64
    /// VBV buffer in bits.
    public var bufferSize: Int64
    /// Private options of the encoder, such as `preset` and `crf`.
    public var options: [(String, String)]
    /// Encoder threads; 0 lets the encoder choose.
    public var threads: Int32
    /// Code points of H.273 written into the stream; 2 is unspecified.
    public var colorPrimaries: Int32
    /// Transfer characteristics (H.273).
    public var colorTransfer: Int32
    /// Matrix coefficients (H.273).
    public var colorMatrix: Int32
    /// Full range instead of limited range.
    public var isFullRange: Bool

    public init(
        encoder: String, width: Int, height: Int, frameRate: Ratio, gopFrames: Int = 1, maxRate: Int64 = 0,
        bufferSize: Int64 = 0, options: [(String, String)] = [], threads: Int32 = 1, colorPrimaries: Int32 = 2,
        colorTransfer: Int32 = 2, colorMatrix: Int32 = 2, isFullRange: Bool = false
    ) {
        self.colorPrimaries = colorPrimaries
        self.colorTransfer = colorTransfer
        self.colorMatrix = colorMatrix
        self.isFullRange = isFullRange
        self.encoder = encoder
        self.width = width
        self.height = height
        self.frameRate = frameRate
        self.gopFrames = gopFrames
        self.maxRate = maxRate
        self.bufferSize = bufferSize
        self.options = options
        self.threads = threads
    }
}

/// An opened encoder. Not Sendable: one thread at a time. Send frames, then nil; receive packets until drained.
public final class Encoder {
    private var context: UnsafeMutablePointer<AVCodecContext>?
    private let packet: UnsafeMutablePointer<AVPacket>
    /// References the caller's frame with its own time and type, so that the frame itself does not change.
    private let scratch: UnsafeMutablePointer<AVFrame>

    /// Whether this libav has an encoder.
    public static func exists(_ name: String) -> Bool { avcodec_find_encoder_by_name(name) != nil }

    /// Opens a video encoder for frames in the pixel format of `first`. Its time base is one frame.
    public convenience init(video settings: VideoEncoderSettings, first: Frame) throws(AVError) {
        try self.init(encoder: settings.encoder) { context in
            context.pointee.width = Int32(settings.width)
            context.pointee.height = Int32(settings.height)
            context.pointee.pix_fmt = AVPixelFormat(rawValue: first.format)
            context.pointee.sample_aspect_ratio = AVRational(num: 1, den: 1)
            context.pointee.framerate = settings.frameRate.av
            context.pointee.time_base = AVRational(num: settings.frameRate.den, den: settings.frameRate.num)
            context.pointee.gop_size = Int32(settings.gopFrames)
            context.pointee.rc_max_rate = settings.maxRate
            context.pointee.rc_buffer_size = Int32(clamping: settings.bufferSize)
            context.pointee.color_primaries = AVColorPrimaries(rawValue: UInt32(settings.colorPrimaries))
            context.pointee.color_trc = AVColorTransferCharacteristic(rawValue: UInt32(settings.colorTransfer))
            context.pointee.colorspace = AVColorSpace(rawValue: UInt32(settings.colorMatrix))
            context.pointee.color_range = settings.isFullRange ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG
            context.pointee.chroma_sample_location = first.pointer.pointee.chroma_location
            context.pointee.thread_count = settings.threads
            context.pointee.flags |= Int32(AV_CODEC_FLAG_GLOBAL_HEADER)
            if settings.gopFrames > 1 { context.pointee.flags |= Int32(bitPattern: AV_CODEC_FLAG_CLOSED_GOP) }
            context.pointee.strict_std_compliance = FF_COMPLIANCE_UNOFFICIAL
            return settings.options
        }
    }

    /// Opens an audio encoder for float samples in the default layout of the number of channels.
    /// - Parameters:
    ///   - isInterleaved: Whether it takes the samples of all channels in one plane; see `Frame.audio`.
    ///   - options: Private options of the encoder.
    public convenience init(
        audio encoder: String, channels: Int, sampleRate: Int, bitRate: Int64, isInterleaved: Bool = false,
        options: [(String, String)] = []
    ) throws(AVError) {
        try self.init(encoder: encoder) { context in
            context.pointee.sample_fmt = isInterleaved ? AV_SAMPLE_FMT_FLT : AV_SAMPLE_FMT_FLTP
            context.pointee.sample_rate = Int32(sampleRate)
            av_channel_layout_default(&context.pointee.ch_layout, Int32(channels))
            context.pointee.bit_rate = bitRate
            context.pointee.time_base = AVRational(num: 1, den: Int32(sampleRate))
            context.pointee.thread_count = 1
            context.pointee.flags |= Int32(AV_CODEC_FLAG_GLOBAL_HEADER) | Int32(AV_CODEC_FLAG_BITEXACT)
            return options
        }
    }

    private init(
        encoder name: String, configure: (UnsafeMutablePointer<AVCodecContext>) -> [(String, String)]
    ) throws(AVError) {
        LogTap.install
        packet = try checkAllocated(av_packet_alloc())
        scratch = try checkAllocated(av_frame_alloc())
        guard let codec = avcodec_find_encoder_by_name(name) else {
            throw AVError(clairo_averror_einval, lastLogLine: "this libav has no encoder \(name)")
        }
        let opening = try checkAllocated(avcodec_alloc_context3(codec))
        context = opening
        let options = configure(opening)
        var dictionary: OpaquePointer?
        defer { av_dict_free(&dictionary) }
        for (key, value) in options { try check(av_dict_set(&dictionary, key, value, 0)) }
        try check(avcodec_open2(opening, codec, &dictionary))
        if let unknown = clairo_dict_first_key(dictionary) {
            throw AVError(clairo_averror_einval, lastLogLine: "\(name) has no option \(String(cString: unknown))")
        }
    }

    deinit {
        avcodec_free_context(&context)
        var packet: UnsafeMutablePointer<AVPacket>? = packet
        av_packet_free(&packet)
        var scratch: UnsafeMutablePointer<AVFrame>? = scratch
        av_frame_free(&scratch)
    }

    /// The decoder configuration in the codec's format: parameter sets or AudioSpecificConfig.
    public var extradata: Data {
        guard let context, let bytes = context.pointee.extradata else { return Data() }
        return Data(bytes: bytes, count: Int(context.pointee.extradata_size))
    }

    /// The number of priming samples before the first real sample.
    public var initialPadding: Int { Int(context?.pointee.initial_padding ?? 0) }
    /// The number of frames by which decoding order is ahead of presentation order.
    public var reorderDelay: Int { Int(context?.pointee.has_b_frames ?? 0) }
    /// Whether packets remain after the last frame, which `send(nil)` makes it return.
    public var hasDelay: Bool {
        (context?.pointee.codec?.pointee.capabilities ?? 0) & Int32(bitPattern: UInt32(AV_CODEC_CAP_DELAY)) != 0
    }
    /// Whether it takes the samples of all channels in one plane.
    public var isInterleaved: Bool { context?.pointee.sample_fmt == AV_SAMPLE_FMT_FLT }
    /// Samples per packet of an audio encoder.
    public var frameSize: Int { Int(context?.pointee.frame_size ?? 0) }

    /// Sends a frame with the presentation time `pts` in the encoder's time base, or nil at the end.
    public func send(_ frame: Frame?, pts: Int64 = 0) throws(AVError) {
        guard let frame else {
            try check(avcodec_send_frame(context, nil))
            return
        }
        av_frame_unref(scratch)
        try check(av_frame_ref(scratch, frame.pointer))
        scratch.pointee.pts = pts
        clairo_frame_reset_picture_type(scratch)
        // Do not pass on side data of the source, such as captions or mastering metadata.
        while scratch.pointee.nb_side_data > 0, let first = scratch.pointee.side_data[0] {
            av_frame_remove_side_data(scratch, first.pointee.type)
        }
        let result = avcodec_send_frame(context, scratch)
        av_frame_unref(scratch)
        try check(result)
    }

    /// Receives the next encoded packet, if one is available.
    public func receive() throws(AVError) -> Output<EncodedPacket> {
        let result = avcodec_receive_packet(context, packet)
        if result == clairo_averror_eagain { return .needsInput }
        if result == clairo_averror_eof { return .drained }
        try check(result)
        defer { av_packet_unref(packet) }
        return .value(
            EncodedPacket(
                data: Data(bytes: packet.pointee.data, count: Int(packet.pointee.size)), pts: packet.pointee.pts,
                dts: packet.pointee.dts, isKey: packet.pointee.flags & AV_PKT_FLAG_KEY != 0))
    }
}
