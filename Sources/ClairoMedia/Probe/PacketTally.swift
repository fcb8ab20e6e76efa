internal import ClairoCore
internal import Libav

/// The counts, sizes and times of all packets, by stream, as they are in the container.
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
        /// The sum of the packets' durations in seconds. One that claims to be long is not believed.
        var seconds = 0.0
        fileprivate var lastDuration: Int64 = 0
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

    private let limits: InputLimits

    /// - Parameter hasContent: False if only the container's index is read, so that packets have no content.
    init(reading demuxer: Demuxer, limits: InputLimits, hasContent: Bool) throws {
        self.limits = limits
        clock = StretchClock(longestGap: limits.maxGap)
        var kinds = Dictionary(uniqueKeysWithValues: demuxer.streams.map { ($0.index, $0) })
        // An edited file shows each frame for as long as its author wanted.
        let isEdited = demuxer.formatName.hasPrefix("mov") || demuxer.formatName == "gif"
        let isLive = ["mpegts", "mpeg", "flv"].contains(demuxer.formatName)
        var moving: Set<Int> = []
        reading: while true {
            let packet: Packet
            do {
                guard let next = try demuxer.read() else { break reading }
                packet = next
            } catch let error as AVError {
                if error == .exitRequested { throw error }
                // Packets read before the error count. The caller decides whether they are enough.
                endedByError = true
                break reading
            }
            if kinds[packet.streamIndex] == nil {
                demuxer.refreshStreams()
                try limits.check(streams: demuxer.streams, name: "The file")
                kinds = Dictionary(uniqueKeysWithValues: demuxer.streams.map { ($0.index, $0) })
            }
            guard let info = kinds[packet.streamIndex] else { continue }
            let number = streams[info.index]?.count ?? 0
            if info.kind == .audio || info.kind == .video { moving.insert(info.index) }
            try record(packet, of: info, joinsGaps: !isEdited && (isLive || moving.count > 1))
            if hasContent, info.kind == .video || info.kind == .audio {
                try learned.take(packet, of: info, from: demuxer)
                if info.kind == .video, !info.isAttachedPicture {
                    try formats[info.index, default: FormatSampler()].take(
                        packet, number: number, of: info, from: demuxer)
                }
            }
        }
        for index in formats.keys { try formats[index]?.finish() }
    }

    private mutating func record(_ packet: Packet, of info: StreamInfo, joinsGaps: Bool) throws(ClairoError) {
        let isVideo = info.kind == .video
        let isTimed = (isVideo && !info.isAttachedPicture) || info.kind == .audio
        // Updated in place: a copy would copy all packets for every packet.
        try Self.record(
            packet, isVideo: isVideo, limits: limits, in: &streams[info.index, default: Stream()])
        guard !packet.isDiscarded, let time = packet.pts ?? packet.dts else { return }
        let stream = streams[info.index] ?? Stream()
        if info.kind == .audio {
            let seconds = Double(packet.duration) * Rational(info.timeBase).doubleValue
            streams[info.index]?.seconds += min(max(seconds, 0), 2)
        }
        if isTimed {
            clock.take(
                stream: info.index, packet: stream.count - 1, base: Rational(info.timeBase), pts: time,
                dts: packet.dts, duration: stream.lastDuration, isKey: isVideo && packet.isKey,
                joinsGaps: joinsGaps)
        }
    }

    private static func record(
        _ packet: Packet, isVideo: Bool, limits: InputLimits, in stream: inout Stream
    ) throws(ClairoError) {
        stream.count += 1
        stream.bytes += Int64(packet.size)
        if packet.isCorrupt { stream.damaged += 1 }
        let time = packet.isDiscarded ? nil : packet.pts ?? packet.dts
        if isVideo {
            stream.packets.append(PacketRecord(time: time, dts: packet.dts, bytes: Int32(clamping: packet.size)))
        }
        // A frame outside the edit list may be the reference of those inside.
        if isVideo, packet.isKey, let time = packet.pts ?? packet.dts {
            stream.keyFrames.append(KeyPacket(packet: stream.count - 1, pts: time, dts: packet.dts ?? time))
        }
        guard !packet.isDiscarded else { return }
        if packet.pts == nil { stream.lacksTimes += 1 }
        if isVideo, let pts = packet.pts, let dts = packet.dts {
            let delay = pts.subtractingReportingOverflow(dts).partialValue
            stream.leastDelay = min(stream.leastDelay ?? delay, delay)
        }
        guard let time else { return }
        // The last sample of an MP4 may have no duration. It then lasts as long as the one before.
        if packet.duration > 0 { stream.lastDuration = packet.duration }
        if let end = time.addingChecked(stream.lastDuration) { stream.lastEnd = max(stream.lastEnd ?? end, end) }
        guard isVideo else { return }
        if stream.packets.count > limits.maxFrames {
            throw .badMedia(
                "It has more frames than the limit of \(limits.maxFrames)",
                advice: "Raise it with --max-frames if you trust the file.")
        }
    }
}
