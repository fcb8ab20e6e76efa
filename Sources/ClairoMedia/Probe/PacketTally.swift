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
        /// Nil if the packet has no time or is outside the edit list.
        var time: Int64?
        var dts: Int64?
        var bytes: Int32
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
        var kinds = Dictionary(uniqueKeysWithValues: reader.streams.map { ($0.index, $0) })
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
            if kinds[next.stream] == nil {
                reader.refreshStreams()
                // Streams that follow each other are one track, as is known at the end.
                if !findsParts { try limits.check(streams: reader.demuxer.streams, name: name) }
                kinds = Dictionary(uniqueKeysWithValues: reader.streams.map { ($0.index, $0) })
            }
            guard let info = kinds[next.stream], let track = kinds[next.track] else { continue }
            let number = streams[track.index]?.count ?? 0
            let isMoving = info.kind == .audio || info.kind == .video
            if isMoving { moving.insert(track.index) }
            if isMoving, findsParts {
                succession.take(stream: info.index, kind: info.kind, position: next.position)
            }
            try record(next.packet, of: info, in: track, joinsGaps: !isEdited && (isLive || moving.count > 1))
            if hasContent, isMoving {
                try learned.take(next.packet, of: info, from: reader)
                if info.kind == .video, !info.isAttachedPicture {
                    try formats[track.index, default: FormatSampler()].take(
                        next.packet, number: number, of: info, from: reader)
                }
            }
        }
        endedByError = endedByError || reader.skippedRest
        for index in formats.keys { try formats[index]?.finish() }
    }

    /// - Parameters:
    ///   - info: The stream of the packet.
    ///   - track: The first stream of its track.
    private mutating func record(
        _ packet: Packet, of info: StreamInfo, in track: StreamInfo, joinsGaps: Bool
    ) throws(ClairoError) {
        let isVideo = track.kind == .video
        let isTimed = (isVideo && !track.isAttachedPicture) || track.kind == .audio
        let base = Rational(track.timeBase)
        let duration =
            packet.duration > 0
            ? packet.duration : learned.packetSeconds(of: info.index).map { ($0 / base).rounded } ?? 0
        // Updated in place: a copy would copy all packets for every packet.
        let time = try Self.record(
            packet, duration: duration, of: info, limits: limits, name: name,
            in: &streams[track.index, default: Stream()])
        guard !packet.isDiscarded, let time else { return }
        let stream = streams[track.index] ?? Stream()
        if track.kind == .audio {
            let most = AudioPackets.mostSeconds(
                codec: info.codecName, bytes: packet.size, channels: Int(info.channels), rate: Int(info.sampleRate))
            streams[track.index]?.seconds += min(max(Double(duration) * base.doubleValue, 0), most)
        }
        if isTimed {
            clock.take(
                stream: track.index, packet: stream.count - 1, base: base, pts: time,
                dts: packet.pts == nil ? packet.dts ?? time : packet.dts, duration: stream.lastDuration,
                isKey: isVideo && packet.isKey, joinsGaps: joinsGaps)
        }
    }

    /// - Returns: The time of the packet; nil if it is unknown.
    private static func record(
        _ packet: Packet, duration: Int64, of info: StreamInfo, limits: InputLimits, name: String,
        in stream: inout Stream
    ) throws(ClairoError) -> Int64? {
        let isVideo = info.kind == .video
        if let last = stream.source, last != info.index { stream.partStarts.append(stream.count) }
        stream.source = info.index
        stream.count += 1
        stream.bytes += Int64(packet.size)
        if packet.isCorrupt { stream.damaged += 1 }
        // Of the packets in a unit, only the first has a time, if the stream was unknown when the container was opened.
        let known = packet.pts ?? packet.dts ?? (info.kind == .audio && duration > 0 ? stream.nextTime : nil)
        let time = packet.isDiscarded ? nil : known
        if isVideo {
            stream.packets.append(PacketRecord(time: time, dts: packet.dts, bytes: Int32(clamping: packet.size)))
        }
        // A frame outside the edit list may be the reference of those inside.
        if isVideo, packet.isKey, let time = packet.pts ?? packet.dts {
            stream.keyFrames.append(KeyPacket(packet: stream.count - 1, pts: time, dts: packet.dts ?? time))
        }
        guard !packet.isDiscarded else { return nil }
        if packet.pts == nil { stream.lacksTimes += 1 }
        if isVideo, let pts = packet.pts, let dts = packet.dts {
            let delay = pts.subtractingReportingOverflow(dts).partialValue
            stream.leastDelay = min(stream.leastDelay ?? delay, delay)
        }
        guard let time else { return nil }
        // The last sample of an MP4 may have no duration. It then lasts as long as the one before.
        if duration > 0 { stream.lastDuration = duration }
        stream.nextTime = time.addingChecked(stream.lastDuration)
        if let end = stream.nextTime { stream.lastEnd = max(stream.lastEnd ?? end, end) }
        guard isVideo else { return time }
        if stream.packets.count > limits.maxFrames {
            throw .badMedia(
                "\(name) has more frames than the limit of \(limits.maxFrames)",
                advice: "Raise it with --max-frames if you trust the file.")
        }
        return time
    }
}
