internal import CFFmpeg

/// Limits and allow-lists for opening untrusted media.
public struct DemuxerOptions: Sendable, Hashable {
    /// The allowed container formats: libav's short names, comma-separated.
    public var formatWhitelist: String
    /// The allowed decoders: libav's names, comma-separated.
    public var codecWhitelist: String
    /// The maximum number of bytes to read to detect the format.
    public var probeBytes: Int64
    /// The maximum duration of media to analyse for that, in microseconds.
    public var analyzeMicroseconds: Int64
    /// The maximum number of streams.
    public var maxStreams: Int32
    /// The maximum number of pixels per frame.
    public var maxPixels: Int64
    public init(
        formatWhitelist: String, codecWhitelist: String, probeBytes: Int64 = 50_000_000,
        analyzeMicroseconds: Int64 = 10_000_000, maxStreams: Int32 = 32, maxPixels: Int64 = 36_864_000
    ) {
        self.formatWhitelist = formatWhitelist
        self.codecWhitelist = codecWhitelist
        self.probeBytes = probeBytes
        self.analyzeMicroseconds = analyzeMicroseconds
        self.maxStreams = maxStreams
        self.maxPixels = maxPixels
    }
}

/// An opened container: its streams, its packets in file order, and seeking.
///
/// Not Sendable: one thread at a time. Calls block on the byte source.
public final class Demuxer {
    private var context: UnsafeMutablePointer<AVFormatContext>?
    private let input: InputContext
    private let interrupt: Interrupt
    private let codecWhitelist: String
    /// The largest frame that decoders accept, in pixels.
    public let maxPixels: Int64
    /// The streams, in the order of the file.
    public private(set) var streams: [StreamInfo] = []

    /// Opens a container and reads enough of it to describe its streams.
    /// - Parameter analyzes: False to read no packets: the header alone describes the streams, and packets are returned
    ///   as they are in the container.
    /// - Throws: `AVError` if libav rejects the content, or the error of the byte source.
    public init(
        _ bytes: any InputBytes, options: DemuxerOptions, interrupt: Interrupt = Interrupt(), analyzes: Bool = true
    )
        throws
    {
        LogTap.install
        self.interrupt = interrupt
        codecWhitelist = options.codecWhitelist
        maxPixels = options.maxPixels
        input = try InputContext(bytes, interrupt: interrupt)
        let opening = try checkAllocated(avformat_alloc_context())
        context = opening
        opening.pointee.pb = input.pointer
        opening.pointee.flags |= AVFMT_FLAG_CUSTOM_IO
        if !analyzes { opening.pointee.flags |= AVFMT_FLAG_NOPARSE }
        opening.pointee.interrupt_callback.opaque = Unmanaged.passUnretained(interrupt).toOpaque()
        opening.pointee.interrupt_callback.callback = { opaque in
            guard let opaque else { return 0 }
            return Unmanaged<Interrupt>.fromOpaque(opaque).takeUnretainedValue().isTriggered ? 1 : 0
        }
        var dictionary: OpaquePointer?
        defer { av_dict_free(&dictionary) }
        for (key, value) in [
            ("format_whitelist", options.formatWhitelist),
            ("codec_whitelist", options.codecWhitelist),
            // No protocols: all bytes come through the byte source.
            ("protocol_whitelist", ""),
            ("probesize", String(options.probeBytes)),
            ("analyzeduration", String(options.analyzeMicroseconds)),
            ("max_streams", String(options.maxStreams)),
        ] {
            try check(av_dict_set(&dictionary, key, value, 0))
        }
        // On failure avformat_open_input frees the context and clears the pointer.
        let opened = avformat_open_input(&context, "input.bin", nil, &dictionary)
        try input.rethrowStash()
        try check(opened)
        if analyzes {
            let found = avformat_find_stream_info(context, nil)
            try input.rethrowStash()
            try check(found)
        }
        refreshStreams()
    }

    deinit { avformat_close_input(&context) }

    /// libav's short names of the container, comma-separated.
    public var formatName: String { context.map { String(cString: $0.pointee.iformat.pointee.name) } ?? "" }
    /// Name of the container, for people.
    public var formatLongName: String {
        context?.pointee.iformat.pointee.long_name.map { String(cString: $0) } ?? formatName
    }

    /// The duration in the container's header, in microseconds; nil if libav only estimated it from the bit rate or the
    /// last timestamps.
    public var declaredDuration: Int64? {
        guard let context, context.pointee.duration_estimation_method == AVFMT_DURATION_FROM_STREAM else { return nil }
        return timestamp(context.pointee.duration).flatMap { $0 > 0 ? $0 : nil }
    }

    /// Reads the next packet of any stream; nil at the end.
    public func read() throws -> Packet? {
        let packet = try Packet()
        let result = av_read_frame(context, packet.pointer)
        try input.rethrowStash()
        // Some demuxers treat an interruption as the end.
        if result < 0, interrupt.isTriggered { throw AVError.exitRequested }
        if result == clairo_averror_eof { return nil }
        try check(result)
        return packet
    }

    /// Seeks to a key frame of `stream` at or before `timestamp` (in its time base).
    public func seek(stream: Int, to timestamp: Int64) throws {
        // libav does not check the stream index.
        guard streams.indices.contains(stream) else { throw AVError.invalidArgument }
        let result = av_seek_frame(context, Int32(stream), timestamp, AVSEEK_FLAG_BACKWARD)
        try input.rethrowStash()
        try check(result)
    }

    /// Goes to a byte of the file. The streams found so far are kept, and packets follow from the first one that begins
    /// there or later. Also possible after the end was reached.
    public func seek(toByte offset: Int64) throws {
        let result = av_seek_frame(context, -1, offset, AVSEEK_FLAG_BYTE)
        try input.rethrowStash()
        try check(result)
    }

    /// Selects the streams to read. The packets of all others are skipped unread where possible.
    public func select(streams selected: Set<Int>) {
        guard let context else { return }
        for index in 0..<Int(context.pointee.nb_streams) {
            clairo_stream(context, Int32(index))?.pointee.discard =
                selected.contains(index) ? AVDISCARD_DEFAULT : AVDISCARD_ALL
        }
    }

    /// Makes a decoder for one of the streams, subject to the allow-list and the pixel limit.
    /// - Parameters:
    ///   - keepsPadding: Whether to return the samples that the container declares as padding of the encoder.
    ///   - timeBase: The time base of the packets if it is not the stream's.
    ///   - name: libav's name of the decoder; nil for its default for the codec.
    public func makeDecoder(
        stream index: Int, threads: Int32 = 1, keepsPadding: Bool = false, named name: String? = nil,
        timeBase: Ratio? = nil
    ) throws(AVError) -> Decoder {
        guard let context, index >= 0, index < Int(context.pointee.nb_streams) else { throw .invalidArgument }
        guard let stream = clairo_stream(context, Int32(index)) else { throw .invalidArgument }
        return try Decoder(
            parameters: stream.pointee.codecpar, timeBase: timeBase ?? Ratio(stream.pointee.time_base),
            whitelist: codecWhitelist, maxPixels: maxPixels, threads: threads, keepsPadding: keepsPadding, name: name)
    }

    /// Reads the stream descriptions again, for example after packets of further streams.
    public func refreshStreams() {
        guard let context else { return }
        streams = (0..<Int(context.pointee.nb_streams)).compactMap { index in
            clairo_stream(context, Int32(index)).map {
                StreamInfo(
                    $0, index: index, codecWhitelist: codecWhitelist, programs: programs(ofStream: index, in: context))
            }
        }
    }

    private func programs(ofStream index: Int, in context: UnsafeMutablePointer<AVFormatContext>) -> [Int] {
        var programs: [Int] = []
        while true {
            let id = clairo_stream_program(context, Int32(index), Int32(programs.count))
            guard id >= 0 else { return programs }
            programs.append(Int(id))
        }
    }
}
