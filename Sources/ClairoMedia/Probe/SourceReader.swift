internal import ClairoCore
internal import Libav
internal import Synchronization

/// Reads the packets of a source in the order in which its tracks continue.
///
/// The streams of most sources are their tracks, and then this is a demuxer. `SourceParts` describes the others. Each of
/// several files has a demuxer of its own. The packets of a stream that continues a track get the track's time base.
///
/// The demuxer of a transport stream keeps the last packets of a stream until it finds the next one or the end of the
/// file. So a file with boundaries seems to end a little behind each of them. What begins before the boundary is
/// returned, and reading goes on at the boundary.
final class SourceReader {
    /// A packet, the stream that it is from, and the track that this stream belongs to.
    struct TrackPacket {
        let packet: Packet
        let stream: Int
        let track: Int
        /// The number of the file that it is from.
        let file: Int
        /// The byte of the source at which it begins; nil if unknown.
        let position: Int64?
    }

    /// The bytes that are read behind a boundary, so that the last frame before it is whole although it may be
    /// interleaved with those after it.
    private static let margin: Int64 = 1 << 20

    private let parts: SourceParts?
    /// Opens a file by its number.
    private let open: (Int) throws -> Demuxer
    /// The end that the current demuxer sees, if there are boundaries.
    private let end: ReadLimit?
    private(set) var demuxer: Demuxer
    private var file = 0
    /// The index of the current file's first stream, and the streams of the files before.
    private(set) var firstStream = 0
    private var earlier: [StreamInfo] = []
    /// The indexes of the first streams of all files so far.
    private(set) var firstStreams = [0]
    private var selected: Set<Int>?
    /// The boundaries so far, and the bytes between which packets begin now.
    private var passed = 0
    private var range: Range<Int64> = 0..<Int64.max
    /// The byte at which the last packet of each stream began.
    private var positions: [Int: Int64] = [:]
    private var timeBases: [Int: Ratio] = [:]
    /// Whether a file before the last could not be read to its end.
    private(set) var skippedRest = false

    /// Reads a container that is open already, whose streams are the tracks.
    init(_ demuxer: Demuxer) {
        self.demuxer = demuxer
        (parts, end) = (nil, nil)
        open = { _ in demuxer }
    }

    /// - Parameters:
    ///   - parts: How the streams form tracks; nil if they are the tracks.
    ///   - analyzes: False if the headers alone are enough.
    init(
        _ source: any ByteSource, limits: InputLimits, interrupt: Interrupt, parts: SourceParts? = nil,
        analyzes: Bool = true
    ) throws {
        let files = (parts?.files ?? []).map(\.offset)
        let end = parts?.boundaries.first == nil ? nil : ReadLimit()
        self.parts = parts
        self.end = end
        open = { file in
            var bytes = files.count > 1 ? SourceRange(source, file: file, of: files) : source
            if let end { bytes = LimitedSource(base: bytes, limit: end) }
            return try Demuxer.open(bytes, limits: limits, interrupt: interrupt, analyzes: analyzes)
        }
        demuxer = try open(0)
        limitRange(from: 0)
    }

    // MARK: Streams

    /// The streams found so far. Those of later files follow those of the files before.
    var streams: [StreamInfo] {
        guard firstStream > 0 else { return demuxer.streams }
        return earlier
            + demuxer.streams.map { stream in
                var numbered = stream
                numbered.index += firstStream
                return numbered
            }
    }

    /// The index of the track that a stream belongs to.
    func track(ofStream index: Int) -> Int { parts?.track(ofStream: index) ?? index }

    func refreshStreams() { demuxer.refreshStreams() }

    /// Selects the tracks to read.
    func select(tracks: Set<Int>) {
        selected = Set(tracks.flatMap { parts?.streams(ofTrack: $0) ?? [$0] })
        applySelection()
    }

    private func applySelection() {
        guard let selected else { return }
        demuxer.select(streams: Set(selected.map { $0 - firstStream }))
    }

    /// Makes a decoder for a stream of the file that is being read. Its frames have the time base of the track.
    func makeDecoder(stream: Int, threads: Int32 = 1, named name: String? = nil) throws(AVError) -> Decoder {
        try demuxer.makeDecoder(
            stream: stream - firstStream, threads: threads, named: name, timeBase: trackTimeBase(stream))
    }

    /// The same; a failure is `badInput`.
    /// - Parameter source: The name of the source.
    func openDecoder(
        stream: Int, of source: String, threads: Int32 = 1, named name: String? = nil
    ) throws(ClairoError) -> Decoder {
        try demuxer.openDecoder(
            stream: stream - firstStream, of: source, threads: threads, named: name, timeBase: trackTimeBase(stream))
    }

    /// The time base of the packets of a stream; nil if it is the stream's own.
    private func trackTimeBase(_ stream: Int) -> Ratio? {
        guard let track = parts?.continuedTracks[stream] else { return nil }
        return timeBases[track]
    }

    // MARK: Packets

    /// Reads the next packet of any track; nil at the end.
    func read() throws -> TrackPacket? {
        while true {
            if let packet = try readFile() {
                if let taken = take(packet) { return taken }
            } else if !(try advance()) {
                return nil
            }
        }
    }

    /// Reads the next packet of any track. Returns nil at the end, or if the rest cannot be read.
    func nextReadable(_ control: JobControl) throws -> TrackPacket? {
        try control.checkCancellation()
        do {
            return try read()
        } catch let error as AVError {
            if error == .exitRequested { throw ClairoError.cancelled }
            return nil
        }
    }

    /// The next packet of the current file. The rest of a file that cannot be read is skipped if others follow.
    private func readFile() throws -> Packet? {
        guard let parts, file + 1 < parts.files.count else { return try demuxer.read() }
        do {
            return try demuxer.read()
        } catch let error as AVError where error != .exitRequested {
            skippedRest = true
            return nil
        }
    }

    private func take(_ packet: Packet) -> TrackPacket? {
        let stream = firstStream + packet.streamIndex
        guard let parts else {
            return TrackPacket(packet: packet, stream: stream, track: stream, file: 0, position: packet.position)
        }
        guard end == nil || isInRange(packet, of: stream) else { return nil }
        let track = parts.track(ofStream: stream)
        let own = timeBase(of: stream)
        if track != stream, let base = timeBases[track] { packet.rescale(from: own, to: base) }
        let position = packet.position.map { $0 + parts.files[file].offset }
        return TrackPacket(packet: packet, stream: stream, track: track, file: file, position: position)
    }

    private func isInRange(_ packet: Packet, of stream: Int) -> Bool {
        if let position = packet.position { positions[stream] = position }
        return positions[stream].map(range.contains) ?? true
    }

    private func timeBase(of stream: Int) -> Ratio {
        if let known = timeBases[stream] { return known }
        if demuxer.streams.count <= stream - firstStream { demuxer.refreshStreams() }
        let base = demuxer.streams.first { $0.index == stream - firstStream }?.timeBase ?? Ratio(0, 0)
        timeBases[stream] = base
        return base
    }

    /// Goes on behind the end that the demuxer has reached: at a boundary, or in the next file.
    private func advance() throws -> Bool {
        guard let parts else { return false }
        if passed < parts.boundaries.count {
            let boundary = parts.boundaries[passed]
            passed += 1
            limitRange(from: boundary)
            positions = [:]
            try demuxer.seek(toByte: boundary)
            return true
        }
        guard file + 1 < parts.files.count else { return false }
        demuxer.refreshStreams()
        earlier = streams
        file += 1
        firstStream = max(parts.files[file].firstStream, earlier.count)
        firstStreams.append(firstStream)
        demuxer = try open(file)
        applySelection()
        return true
    }

    private func limitRange(from start: Int64) {
        guard let parts, let end else { return }
        let next = passed < parts.boundaries.count ? parts.boundaries[passed] : Int64.max
        range = start..<next
        end.set(next.addingChecked(Self.margin) ?? .max)
    }
}

/// The byte at which a source seems to end.
private final class ReadLimit: Sendable {
    private let byte = Atomic<Int64>(.max)

    var value: Int64 { byte.load(ordering: .relaxed) }
    func set(_ value: Int64) { byte.store(value, ordering: .relaxed) }
}

/// A source that ends at a limit for those who read on, but tells its whole size.
private struct LimitedSource: ByteSource {
    let base: any ByteSource
    let limit: ReadLimit

    var size: Int64 { base.size }
    var etag: String? { base.etag }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        let count = Int(min(Int64(buffer.count), max(0, limit.value - offset)))
        guard count > 0 else { return 0 }
        return try base.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(count)))
    }
}

/// The packets of one track with the corrections of the plan.
struct CorrectedPackets {
    private let reader: SourceReader
    private let track: Int
    private var cursor: CorrectionCursor?
    private var number = 0

    /// - Parameter isFromStart: False after a seek, when packets cannot be counted. Sources with shifted stretches are
    ///   always read from the start.
    init(_ reader: SourceReader, track: Int, corrections: [ClockCorrection]?, isFromStart: Bool = true) {
        self.reader = reader
        self.track = track
        cursor = isFromStart ? corrections.map { CorrectionCursor($0) } : nil
    }

    /// Returns the next packet of the track, or nil at the end or if the rest cannot be read.
    mutating func next(_ control: JobControl) throws -> SourceReader.TrackPacket? {
        while let next = try reader.nextReadable(control) {
            guard next.track == track else { continue }
            defer { number += 1 }
            guard cursor != nil else { return next }
            guard let shift = cursor?.shift(ofPacket: number) ?? nil else { continue }
            if shift != 0 { next.packet.shift(by: shift) }
            return next
        }
        return nil
    }
}

/// The decoder of a track: one for each stream of the track, one after the other.
struct TrackDecoder {
    private let reader: SourceReader
    private let track: Int
    private let source: String
    private let threads: Int32
    private let name: String?
    /// Opened at the first packet, because a track may begin late.
    private var current: (stream: Int, decoder: Decoder)?
    private var earlierErrors = 0

    /// - Parameters:
    ///   - source: The name of the source, for messages.
    ///   - name: The decoder if it is not libav's default for the codec of the track's first stream.
    init(_ reader: SourceReader, track: Int, of source: String, threads: Int32 = 1, named name: String? = nil) {
        self.reader = reader
        self.track = track
        self.source = source
        self.threads = threads
        self.name = name
    }

    /// The errors of all streams so far.
    var errorCount: Int { earlierErrors + (current?.decoder.errorCount ?? 0) }

    /// The decoder of the stream before, if `packet` is the first one of another stream. It has to be drained first.
    func ended(before packet: SourceReader.TrackPacket?) -> Decoder? {
        guard let current, let packet, packet.stream != current.stream else { return nil }
        return current.decoder
    }

    /// The decoder for `packet`, or at the end that of the last one.
    mutating func decoder(for packet: SourceReader.TrackPacket?) throws(ClairoError) -> Decoder {
        if let current, packet == nil || packet?.stream == current.stream { return current.decoder }
        let stream = packet?.stream ?? track
        let decoder = try reader.openDecoder(
            stream: stream, of: source, threads: threads, named: stream == track ? name : nil)
        earlierErrors = errorCount
        current = (stream, decoder)
        return decoder
    }
}
