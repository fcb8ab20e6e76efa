internal import ClairoCore
internal import Libav

/// The counts, sizes and times of all packets, by track, as they are in the container.
struct PacketTally {
    struct Stream {
        var count = 0
        var bytes: Int64 = 0
        /// Each packet of a video stream, in file order.
        var packets: [PacketRecord] = []
        var keyFrames: [KeyPacket] = []
        /// The packets without a presentation time.
        var lacksTimes = 0
        /// Packets that the demuxer marked as damaged.
        var damaged = 0
        /// The last end of a packet, in ticks; for subtitles and other streams without a clock of their own.
        var lastEnd: Int64?
        /// The smallest distance from a decoding time to the presentation time of the packet.
        var leastDelay: Int64?
        /// The sum of the packets' durations in seconds, each of them as long as its codec allows (`AudioPackets`).
        var seconds = 0.0
        /// The packets at which the track changes to another stream.
        var partStarts: [Int] = []
        fileprivate var lastDuration: Int64 = 0
        /// Where the next packet begins if it follows the last one.
        fileprivate var nextTime: Int64?
        /// The stream of the last packet.
        fileprivate var source: Int?
    }

    struct PacketRecord {
        // Without optionals, because there may be millions.
        private let knownTime: Int64
        private let knownDTS: Int64
        let bytes: Int32

        /// Nil if the packet has no time or is outside the edit list.
        var time: Int64? { knownTime == .min ? nil : knownTime }
        var dts: Int64? { knownDTS == .min ? nil : knownDTS }

        init(time: Int64?, dts: Int64?, bytes: Int32) {
            (knownTime, knownDTS, self.bytes) = (time ?? .min, dts ?? .min, bytes)
        }
    }

    struct KeyPacket {
        /// The number of packets of the stream before it.
        var packet: Int
        var pts: Int64
        var dts: Int64
    }

    private(set) var streams: [Int: Stream] = [:]
    private(set) var clock: StretchClock
    private(set) var endedByError = false
    /// What the first packets tell about streams whose description the container begins without.
    private(set) var learned = LateParameters()
    /// The formats of the frames, by video stream.
    private(set) var formats: [Int: FormatSampler] = [:]
    /// The streams that follow each other. Empty if streams of the container are never replaced.
    private(set) var succession = StreamSuccession()

    private let limits: InputLimits
    private let name: String

    /// - Parameters:
    ///   - name: The name of the source, for messages.
    ///   - findsParts: Whether to look for streams that follow each other.
    ///   - hasContent: False if only the container's index is read, so that packets have no content.
    init(
        reading reader: SourceReader, name: String, limits: InputLimits, findsParts: Bool, hasContent: Bool
    ) throws {
        self.limits = limits
        self.name = name
        clock = StretchClock(longestGap: limits.maxGap)
        let demuxer = reader.demuxer
        var sources = Source.all(of: reader)
        // An edited file shows each frame for as long as its author wanted.
        let isEdited = demuxer.formatName.hasPrefix("mov") || demuxer.formatName == "gif"
        let isLive = ["mpegts", "mpeg", "flv"].contains(demuxer.formatName)
        var moving: Set<Int> = []
        reading: while true {
            let next: SourceReader.TrackPacket
            do {
                guard let read = try reader.read() else { break reading }
                next = read
            } catch let error as AVError {
                if error == .exitRequested { throw error }
                // Packets read before the error count. The caller decides whether they are enough.
                endedByError = true
                break reading
            }
            if sources[next.stream] == nil {
                reader.refreshStreams()
                // Streams that follow each other are one track, as is known at the end.
                if !findsParts { try limits.check(streams: reader.demuxer.streams, name: name) }
                sources = Source.all(of: reader)
            }
            guard let source = sources[next.stream],
                let track = next.track == next.stream ? source : sources[next.track]
            else { continue }
            if source.isMoving { moving.insert(next.track) }
            if source.isMoving, findsParts {
                succession.take(
                    stream: next.stream, kind: source.info.kind, position: next.position,
                    time: (next.packet.dts ?? next.packet.pts).map { Double($0) * source.base.doubleValue })
            }
            let number = try record(next, of: source, in: track, joinsGaps: !isEdited && (isLive || moving.count > 1))
            if hasContent, source.isMoving {
                try learned.take(next.packet, of: source.info, from: reader)
                if source.isVideo, !source.info.isAttachedPicture {
                    try formats[next.track, default: FormatSampler()].take(
                        next.packet, number: number, of: source.info, from: reader)
                }
            }
        }
        endedByError = endedByError || reader.skippedRest
        for index in formats.keys { try formats[index]?.finish() }
    }

    /// - Parameters:
    ///   - source: The stream of the packet.
    ///   - track: The first stream of its track.
    /// - Returns: The number of packets of the track before it.
    private mutating func record(
        _ next: SourceReader.TrackPacket, of source: Source, in track: Source, joinsGaps: Bool
    ) throws(ClairoError) -> Int {
        let packet = next.packet
        let duration =
            packet.duration > 0
            ? packet.duration : learned.packetSeconds(of: next.stream).map { ($0 / track.base).rounded } ?? 0
        // Updated in place: a copy would copy all packets for every packet.
        let recorded = try Self.record(
            packet, duration: duration, stream: next.stream, of: source, limits: limits, name: name,
            in: &streams[next.track, default: Stream()])
        if let time = recorded.time, track.isTimed {
            clock.take(
                stream: next.track, packet: recorded.number, base: track.base, pts: time,
                dts: packet.pts == nil ? packet.dts ?? time : packet.dts, duration: recorded.duration,
                isKey: track.isVideo && packet.isKey, joinsGaps: joinsGaps, file: next.file)
        }
        return recorded.number
    }

    /// What is known of a packet when it was recorded.
    private struct Recorded {
        /// The number of packets of the track before it.
        var number: Int
        /// Nil if it is unknown, or the packet is not shown.
        var time: Int64?
        /// The last known duration, in ticks.
        var duration: Int64 = 0
    }

    private static func record(
        _ packet: Packet, duration: Int64, stream index: Int, of source: Source, limits: InputLimits, name: String,
        in stream: inout Stream
    ) throws(ClairoError) -> Recorded {
        var recorded = Recorded(number: stream.count)
        let (pts, dts, bytes) = (packet.pts, packet.dts, packet.size)
        if let last = stream.source, last != index { stream.partStarts.append(stream.count) }
        stream.source = index
        stream.count += 1
        stream.bytes += Int64(bytes)
        if packet.isCorrupt { stream.damaged += 1 }
        // Of the packets in a unit, only the first has a time, if the stream was unknown when the container was opened.
        let known = pts ?? dts ?? (source.isAudio && duration > 0 ? stream.nextTime : nil)
        let time = packet.isDiscarded ? nil : known
        if source.isVideo {
            stream.packets.append(PacketRecord(time: time, dts: dts, bytes: Int32(clamping: bytes)))
        }
        // Also key frames that are not shown: decoding may begin with them.
        if source.isVideo, packet.isKey, let time = pts ?? dts {
            stream.keyFrames.append(KeyPacket(packet: stream.count - 1, pts: time, dts: dts ?? time))
        }
        guard !packet.isDiscarded else { return recorded }
        if pts == nil { stream.lacksTimes += 1 }
        if source.isVideo, let pts, let dts {
            let delay = pts.subtractingReportingOverflow(dts).partialValue
            stream.leastDelay = min(stream.leastDelay ?? delay, delay)
        }
        guard let time else { return recorded }
        // The last sample of an MP4 may have no duration. It then lasts as long as the one before.
        if duration > 0 { stream.lastDuration = duration }
        stream.nextTime = time.addingChecked(stream.lastDuration)
        if let end = stream.nextTime { stream.lastEnd = max(stream.lastEnd ?? end, end) }
        (recorded.time, recorded.duration) = (time, stream.lastDuration)
        if let lengths = source.lengths {
            stream.seconds += min(max(Double(duration) * source.seconds, 0), lengths.mostSeconds(bytes: bytes))
        }
        if source.isVideo, stream.packets.count > limits.maxFrames {
            throw .badMedia(
                "\(name) has more frames than the limit of \(limits.maxFrames)",
                advice: "Raise it with --max-frames if you trust the file.")
        }
        return recorded
    }
}

extension PacketTally {
    /// What is needed of a stream for each of its packets. A class, because a description is slow to copy.
    private final class Source {
        let info: StreamInfo
        let isVideo: Bool
        let isAudio: Bool
        /// Whether it has to be in step with other streams.
        let isTimed: Bool
        /// The time base of its packets: that of its track, exact and in seconds.
        let base: Rational
        let seconds: Double
        /// For audio only.
        let lengths: AudioPackets?

        var isMoving: Bool { isVideo || isAudio }

        init(_ info: StreamInfo, timeBase: Ratio) {
            self.info = info
            isVideo = info.kind == .video
            isAudio = info.kind == .audio
            isTimed = isAudio || (isVideo && !info.isAttachedPicture)
            base = Rational(timeBase)
            seconds = base.doubleValue
            lengths =
                isAudio
                ? AudioPackets(
                    codec: info.codecName, channels: Int(info.channels), rate: Int(info.sampleRate)) : nil
        }

        /// The streams found so far, by their indexes.
        static func all(of reader: SourceReader) -> [Int: Source] {
            let streams = reader.streams
            let bases = Dictionary(uniqueKeysWithValues: streams.map { ($0.index, $0.timeBase) })
            return Dictionary(
                uniqueKeysWithValues: streams.map { info in
                    (info.index, Source(info, timeBase: bases[reader.track(ofStream: info.index)] ?? info.timeBase))
                })
        }
    }
}
