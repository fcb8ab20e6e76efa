internal import CFFmpeg

/// The result of asking a codec or filter for its next output.
public enum Output<Value> {
    /// An output.
    case value(Value)
    /// It needs more input first.
    case needsInput
    /// It has returned everything.
    case drained
}

extension Output: Sendable where Value: Sendable {}

/// Decodes the packets of one stream. Not Sendable: one thread at a time.
public final class Decoder {
    private var context: UnsafeMutablePointer<AVCodecContext>?
    /// The time base of its frames' timestamps.
    public let timeBase: Ratio
    /// The number of packets that the decoder rejected as invalid and of frames with concealed errors.
    public private(set) var errorCount = 0
    private var isAtEnd = false

    init(
        parameters: UnsafeMutablePointer<AVCodecParameters>, timeBase: Ratio, whitelist: String, maxPixels: Int64,
        threads: Int32, keepsPadding: Bool, name: String? = nil
    ) throws(AVError) {
        LogTap.install
        self.timeBase = timeBase
        guard let codec = Decoder.find(parameters.pointee.codec_id, named: name, whitelist: whitelist) else {
            throw .decoderNotFound
        }
        let opening = try checkAllocated(avcodec_alloc_context3(codec))
        context = opening
        do {
            try check(avcodec_parameters_to_context(opening, parameters))
            opening.pointee.pkt_timebase = timeBase.av
            opening.pointee.max_pixels = maxPixels
            opening.pointee.thread_count = threads
            // Frames with concealed errors are returned and counted. The caller decides whether there are too many.
            opening.pointee.flags |= Int32(AV_CODEC_FLAG_OUTPUT_CORRUPT)
            if keepsPadding { opening.pointee.flags2 |= AV_CODEC_FLAG2_SKIP_MANUAL }
            var options: OpaquePointer?
            defer { av_dict_free(&options) }
            try check(av_dict_set(&options, "codec_whitelist", whitelist, 0))
            try check(avcodec_open2(opening, codec, &options))
        } catch {
            avcodec_free_context(&context)
            throw error
        }
    }

    deinit { avcodec_free_context(&context) }

    /// The decoder with this name, or else the one that libav would use, if its name is on the allow-list.
    static func find(
        _ id: AVCodecID, named wanted: String? = nil, whitelist: String
    ) -> UnsafePointer<AVCodec>? {
        let found: UnsafePointer<AVCodec>?
        if let wanted { found = avcodec_find_decoder_by_name(wanted) } else { found = avcodec_find_decoder(id) }
        guard let codec = found, codec.pointee.id == id else { return nil }
        let name = String(cString: codec.pointee.name)
        return whitelist.split(separator: ",").contains { $0 == name } ? codec : nil
    }

    /// Sends a packet, or nil at the end. Invalid data is counted, not thrown, so that decoding continues.
    public func send(_ packet: Packet?) throws(AVError) {
        if packet == nil { isAtEnd = true }
        let result = avcodec_send_packet(context, packet?.pointer)
        if result == clairo_averror_eof || result == clairo_averror_eagain { return }
        if result < 0 {
            if packet == nil { return }
            if result == clairo_averror_enomem { throw AVError(result) }
            errorCount += 1
        }
    }

    /// Receives the next decoded frame, if one is available.
    public func receive() throws(AVError) -> Output<Frame> {
        while true {
            let frame = try checkAllocated(av_frame_alloc())
            let result = avcodec_receive_frame(context, frame)
            if result == 0 {
                let decoded = Frame(adopting: frame)
                if decoded.isDamaged { errorCount += 1 }
                return .value(decoded)
            }
            var unused: UnsafeMutablePointer<AVFrame>? = frame
            av_frame_free(&unused)
            if result == clairo_averror_eagain { return .needsInput }
            if result == clairo_averror_eof { return .drained }
            if result == clairo_averror_enomem { throw AVError(result) }
            errorCount += 1
            if errorCount > 1_000_000 { throw AVError(result) }
            // A decoder may report the damage of one packet more than once; the next packet continues. At the end there
            // is no next packet, and frames of other decoding threads follow the damage.
            let isDamage = result == clairo_averror_invaliddata || result == clairo_averror_einval
            if isDamage, !isAtEnd { return .needsInput }
        }
    }
}
