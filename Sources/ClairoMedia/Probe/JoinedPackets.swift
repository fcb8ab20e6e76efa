internal import ClairoCore

/// The packets of a video stream on the joined timeline: stretches follow each other, damaged times are replaced, and
/// packets that cannot be decoded, because their references are missing, are left out.
struct JoinedPackets {
    struct Record {
        var time: Int64
        var bytes: Int32
    }

    /// The packets with a time, sorted by it.
    private(set) var records: [Record] = []
    private(set) var keyFrames: [SourceScan.KeyFrame] = []
    private(set) var keyFrameBytes: Int64 = 0
    private let delay: Int64?
    /// The times of key frames by the number of their packet.
    private var keyTimes: [Int: Int64] = [:]
    /// The corrections of the stream, with those that leave packets out.
    private(set) var corrections: [ClockCorrection]
    /// The number of packets that are left out before the first key frame.
    private(set) var skippedAtStart = 0
    /// The same for the starts of later stretches.
    private(set) var skippedLater = 0

    /// - Parameters:
    ///   - corrections: The corrections of the stream's clock.
    ///   - damaged: The packets in them that begin a run with damaged times.
    ///   - delay: With sorted times, the ticks from a frame's decoding time to its presentation; nil to use presentation
    ///     times.
    init(_ stream: PacketTally.Stream, corrections: [ClockCorrection], damaged: Set<Int>, delay: Int64? = nil) {
        self.corrections = corrections
        self.delay = delay
        repairTimes(stream, damaged: damaged)
        skipUndecodable(stream, damaged: damaged)
        collect(stream)
    }

    /// Moves runs with damaged times to a place where a frame is missing.
    private mutating func repairTimes(_ stream: PacketTally.Stream, damaged: Set<Int>) {
        for index in corrections.indices where damaged.contains(corrections[index].packet) {
            let first = corrections[index].packet
            let end = index + 1 < corrections.count ? corrections[index + 1].packet : stream.packets.count
            let near = max(0, first - 30)..<min(stream.packets.count, end + 30)
            let others = near.filter { !(first..<end).contains($0) }.compactMap { joined($0, stream) }.sorted()
            guard let expected = joined(first, stream), others.count > 2,
                let raw = stream.packets[first].time
            else { continue }
            let steps = zip(others.dropFirst(), others).map { Double($0) - Double($1) }
            let usual = steps.sorted()[steps.count / 2]
            guard usual > 0, usual < 1e15 else { continue }
            let vacant = zip(others, steps).filter { $0.1 > 1.5 * usual }.compactMap {
                $0.0.addingChecked(Int64(usual))
            }
            let place = vacant.min { abs(Double($0) - Double(expected)) < abs(Double($1) - Double(expected)) }
            guard let place else { continue }
            corrections[index].shift = place.subtractingReportingOverflow(raw).partialValue
        }
    }

    /// Leaves out what precedes the first key frame of each stretch.
    private mutating func skipUndecodable(_ stream: PacketTally.Stream, damaged: Set<Int>) {
        let keys = stream.keyFrames.map(\.packet)
        guard !keys.isEmpty else { return }
        let starts = starts(stream, damaged: damaged)
        var nextKey = 0
        for (index, start) in starts.enumerated() {
            let end = index + 1 < starts.count ? starts[index + 1].packet : stream.packets.count
            while nextKey < keys.count, keys[nextKey] < start.packet { nextKey += 1 }
            let key = nextKey < keys.count ? keys[nextKey] : end
            let skipped = min(key, end) - start.packet
            // A stretch without any key frame is used as it is, if it is the only one.
            guard skipped > 0, key < end || index > 0 else { continue }
            if index == 0 { skippedAtStart = skipped } else { skippedLater += skipped }
            let inside = corrections.filter { $0.packet > start.packet && $0.packet < start.packet + skipped }
            let resumed = inside.last?.shift ?? start.shift
            corrections.removeAll {
                $0.packet >= start.packet && $0.packet <= start.packet + skipped && $0.packet < end
            }
            corrections.append(ClockCorrection(packet: start.packet, shift: nil))
            if key < end {
                corrections.append(ClockCorrection(packet: key, shift: resumed))
            } else if index + 1 < starts.count, !corrections.contains(where: { $0.packet == end }) {
                corrections.append(ClockCorrection(packet: end, shift: starts[index + 1].shift))
            }
            corrections.sort { $0.packet < $1.packet }
        }
    }

    /// The packets at which decoding begins anew, and the shifts of their times: the starts of stretches, and those of
    /// streams that continue the track.
    private func starts(_ stream: PacketTally.Stream, damaged: Set<Int>) -> [(packet: Int, shift: Int64)] {
        var starts: [(packet: Int, shift: Int64)] = corrections.first?.packet == 0 ? [] : [(0, 0)]
        var current: Int64? = corrections.first?.packet == 0 ? nil : 0
        // A return from damaged times continues the stretch.
        for correction in corrections where !damaged.contains(correction.packet) {
            guard let shift = correction.shift else { continue }
            if current != shift { starts.append((correction.packet, shift)) }
            current = shift
        }
        for packet in stream.partStarts where !starts.contains(where: { $0.packet == packet }) {
            let stretch = corrections.last { $0.packet <= packet && !damaged.contains($0.packet) }
            starts.append((packet, stretch?.shift ?? 0))
        }
        return starts.sorted { $0.packet < $1.packet }
    }

    private mutating func collect(_ stream: PacketTally.Stream) {
        var cursor = CorrectionCursor(corrections)
        var keys = stream.keyFrames[...]
        records.reserveCapacity(stream.packets.count)
        for (number, packet) in stream.packets.enumerated() {
            let shift = cursor.shift(ofPacket: number)
            let key = keys.first?.packet == number ? keys.popFirst() : nil
            guard let shift else { continue }
            if let key, let pts = key.pts.addingChecked(shift), let dts = key.dts.addingChecked(shift) {
                keyFrames.append(SourceScan.KeyFrame(pts: pts, dts: dts))
                keyTimes[number] = pts
                keyFrameBytes += Int64(packet.bytes)
            }
            let raw = delay.flatMap { packet.dts?.addingChecked($0) } ?? packet.time
            if packet.time == nil, packet.dts == nil, let last = records.indices.last {
                // The second field of a frame may have no time of its own.
                records[last].bytes = Int32(clamping: Int64(records[last].bytes) + Int64(packet.bytes))
            }
            guard packet.time != nil, let time = raw?.addingChecked(shift) else { continue }
            records.append(Record(time: time, bytes: packet.bytes))
        }
        records.sort { $0.time < $1.time }
    }

    /// The packets of frames instead of fields; see `FieldPairs`.
    func joiningFields(frameTicks: Int64) -> JoinedPackets {
        var frames = self
        frames.records = FieldPairs.joined(records, frameTicks: frameTicks)
        let times = Set(frames.records.map(\.time))
        frames.keyFrames.removeAll { !times.contains($0.pts) }
        return frames
    }

    /// The number of packets that have the same time as another.
    var sharedTimes: Int { zip(records, records.dropFirst()).count { $0.time == $1.time } }

    /// The time of the key frame in packet `number` of the stream; nil if it is left out.
    func time(ofKeyPacket number: Int) -> Int64? { keyTimes[number] }

    private func joined(_ number: Int, _ stream: PacketTally.Stream) -> Int64? {
        var cursor = CorrectionCursor(corrections)
        guard let shift = cursor.shift(ofPacket: number) else { return nil }
        return stream.packets[number].time?.addingChecked(shift)
    }
}

/// Looks up the corrections of a stream's packets in file order.
struct CorrectionCursor {
    private let corrections: [ClockCorrection]
    private var next = 0
    private var current: Int64? = 0

    init(_ corrections: [ClockCorrection]) { self.corrections = corrections }

    /// The ticks to add to the times of packet `number`; nil if it is left out. Call with increasing numbers.
    mutating func shift(ofPacket number: Int) -> Int64? {
        while next < corrections.count, corrections[next].packet <= number {
            current = corrections[next].shift
            next += 1
        }
        return current
    }
}
