internal import ClairoCore
internal import Libav

/// The counts and timestamps of all packets, by stream.
struct PacketTally {
    struct Stream {
        var count = 0
        var bytes: Int64 = 0
        var pts: [Int64] = []
        var endTime: Int64?
        var lastDuration: Int64 = 0
        var keyFrames: [SourceScan.KeyFrame] = []
        var keyFrameBytes: Int64 = 0
        var lacksTimes = 0
    }

    private(set) var streams: [Int: Stream] = [:]
    private(set) var warnings: [String] = []
    private(set) var endedByError = false

    init(reading demuxer: Demuxer, limits: InputLimits) throws {
        let kinds = Dictionary(uniqueKeysWithValues: demuxer.streams.map { ($0.index, $0) })
        var corrupt = 0
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
            if packet.isCorrupt { corrupt += 1 }
            let isVideo = kinds[packet.streamIndex]?.kind == .video
            // Updated in place: a copy would copy all timestamps for every packet.
            try Self.record(
                packet, isVideo: isVideo, limits: limits, in: &streams[packet.streamIndex, default: Stream()])
        }
        if corrupt > 0 { warnings.append("\(corrupt) packets are marked damaged") }
    }

    private static func record(
        _ packet: Packet, isVideo: Bool, limits: InputLimits, in stream: inout Stream
    ) throws(ClairoError) {
        stream.count += 1
        stream.bytes += Int64(packet.size)
        guard !packet.isDiscarded else { return }
        guard let time = packet.pts ?? packet.dts else {
            if isVideo { stream.lacksTimes += 1 }
            return
        }
        if packet.pts == nil { stream.lacksTimes += 1 }
        if isVideo || stream.pts.isEmpty { stream.pts.append(time) }
        // The last sample of an MP4 may have no duration. It then lasts as long as the one before.
        if packet.duration > 0 { stream.lastDuration = packet.duration }
        if let end = time.addingChecked(stream.lastDuration) { stream.endTime = max(stream.endTime ?? end, end) }
        guard isVideo else { return }
        if packet.isKey {
            stream.keyFrameBytes += Int64(packet.size)
            stream.keyFrames.append(SourceScan.KeyFrame(pts: time, dts: packet.dts ?? time))
        }
        if stream.pts.count > limits.maxFrames {
            throw .badMedia(
                "It has more frames than the limit of \(limits.maxFrames)",
                advice: "Raise it with --max-frames if you trust the file.")
        }
    }
}
