internal import ClairoCore
internal import Foundation
internal import Libav

/// The access units of a video stream in decoding order, with the properties that decide whether they can be copied.
struct CopyInspection: Sendable {
    struct Unit: Sendable, Hashable {
        /// The presentation time in ticks of the stream.
        var pts: Int64
        var bytes: Int
        /// Whether decoding can begin here, and nothing after it refers to what is before.
        var isKeyFrame: Bool
    }

    var units: [Unit] = []
    /// The codec strings of its configuration record and its sequence parameter sets; both contain a level.
    var codecs: [String] = []
    /// Why the stream can never be copied, or nil.
    var problem: String?

    init(units: [Unit], codecs: [String] = [], problem: String? = nil) {
        self.units = units
        self.codecs = codecs
        self.problem = problem
    }

    init(reading demuxer: Demuxer, stream index: Int) throws {
        guard let stream = demuxer.streams.first(where: { $0.index == index }),
            let codec = VideoCodec(rawValue: stream.codecName)
        else {
            problem = "its codec is none of \(VideoCodec.allCases.map(\.rawValue).joined(separator: ", "))"
            return
        }
        guard var format = codec.coding.copyFormat(record: Data(stream.extradata)) else {
            problem = "its container has no \(codec.coding.configurationBox) record"
            return
        }
        demuxer.select(streams: [index])
        while let packet = try demuxer.read() {
            guard packet.streamIndex == index else { continue }
            guard let pts = packet.pts, !packet.isDiscarded, !packet.isCorrupt else {
                problem = "some of its frames have no time or are outside its edit list"
                return
            }
            if units.isEmpty {
                format = format.corrected(by: packet.data)
                codecs = format.codecs
            }
            guard let picture = format.picture(packet.data) else {
                problem = "its samples are damaged"
                return
            }
            if picture.changesParameters {
                problem = "its parameter sets change on the way"
                return
            }
            units.append(Unit(pts: pts, bytes: packet.size, isKeyFrame: picture.isKeyFrame))
        }
    }
}

/// Decides whether the source's coded pictures can be copied as a rung of the ladder.
struct CopyDecision {
    let stream: VideoStream
    let scan: SourceScan
    let grid: SegmentGrid
    let origin: Rational
    /// Whether the whole source is used and its last frame is not extended.
    let isWhole: Bool

    /// Marks the rung with the source's codec, range and size as copied, or adds the reason against it to the rung's
    /// decision.
    func apply(to ladder: inout (rungs: [Rung], decisions: [LadderDecision])) {
        let sameSize = ladder.rungs.indices.filter { ladder.rungs[$0].size == stream.codedSize }
        let matching = sameSize.first {
            ladder.rungs[$0].codec.rawValue == stream.codec && ladder.rungs[$0].dynamicRange == stream.dynamicRange
        }
        guard let index = matching ?? sameSize.first,
            let decision = ladder.decisions.firstIndex(where: { $0.id == ladder.rungs[index].id })
        else { return }
        guard matching != nil else {
            ladder.decisions[decision].reason += "; not copied, because no rung has the source's codec and range"
            return
        }
        let cap = LadderPlanner.capRate(ladder.rungs[index], frameRate: grid.frameRate)
        switch judge(ladder.rungs[index].codec.coding, cap: cap) {
        case .copy(let delay):
            ladder.rungs[index].copyReorderDelay = delay
            ladder.rungs[index].bitDepth = stream.bitDepth
            ladder.decisions[decision].verdict = .copied
            ladder.decisions[decision].reason =
                "the source already has the format of this rung; copied without encoding"
        case .encode(let reason):
            ladder.decisions[decision].reason += "; not copied, because \(reason)"
        }
    }

    enum Judgement: Hashable {
        case copy(reorderDelay: Int)
        case encode(reason: String)
    }

    func judge(_ coding: any VideoCoding.Type, cap: Int64) -> Judgement {
        guard let copy = scan.copy, let timing = scan.video else { return .encode(reason: "it was not inspected") }
        if let problem = copy.problem { return .encode(reason: problem) }
        guard coding.isCommon(profile: stream.profile ?? "", pixelFormat: stream.pixelFormat) else {
            return .encode(reason: "its profile \(stream.profile ?? "") in \(stream.pixelFormat) is not common")
        }
        guard !stream.isInterlaced else { return .encode(reason: "it is interlaced") }
        guard stream.orientation == .upright, stream.sampleAspectRatio == Rational(1) else {
            return .encode(reason: "its frames have to be rotated or reshaped")
        }
        if let problem = copy.codecs.compactMap({
            coding.levelProblem(codec: $0, size: stream.codedSize, frameRate: grid.frameRate, bitRate: 0)
        }).first {
            return .encode(reason: problem)
        }
        // Players guess the colour of frames without tags by their size, so it would differ from the other rungs'.
        let color = OutputColor.hdr(for: stream)?.color ?? OutputColor.choose(for: stream)
        guard stream.color == color else {
            return .encode(reason: "its colour is not tagged as that of the other rungs")
        }
        guard scan.parts == nil else { return .encode(reason: "it consists of several parts") }
        guard timing.placement == .times, scan.corrections[stream.index] == nil, timing.format?.crop == nil else {
            return .encode(reason: "its timestamps or its frames have to be corrected")
        }
        guard isWhole else { return .encode(reason: "only a part of it is used, or its last frame is extended") }
        guard !stream.isVariableFrameRate, stream.frameRate == grid.frameRate, copy.units.count == grid.frameCount
        else {
            return .encode(reason: "its frame rate is not constant")
        }
        return judgeStructure(copy.units, timeBase: timing.timeBase, cap: cap)
    }

    /// GOPs must be closed, one must begin at every segment, and each coded picture must have its own output frame.
    private func judgeStructure(_ units: [CopyInspection.Unit], timeBase: Rational, cap: Int64) -> Judgement {
        var delay = 0
        var seen = Set<Int>()
        var gopStart = 0
        var segmentBytes = [Int](repeating: 0, count: grid.segmentCount)
        for (position, unit) in units.enumerated() {
            let frame = grid.frame(at: Rational(unit.pts) * timeBase, origin: origin)
            guard (0..<grid.frameCount).contains(frame), seen.insert(frame).inserted else {
                return .encode(reason: "its frame rate is not constant")
            }
            if unit.isKeyFrame {
                // All frames decoded so far must be shown before it.
                guard frame == position else { return .encode(reason: "its GOPs are not closed") }
                gopStart = frame
            }
            guard frame >= gopStart else { return .encode(reason: "its GOPs are not closed") }
            let segment = grid.segment(ofFrame: frame)
            guard gopStart >= grid.frames(ofSegment: segment).lowerBound else {
                return .encode(
                    reason:
                        "it has no closed GOP at \(clock(grid.time(ofFrame: frame).doubleValue)), where a segment begins"
                )
            }
            segmentBytes[segment] += unit.bytes
            delay = max(delay, position - frame)
        }
        for (segment, bytes) in segmentBytes.enumerated() {
            let seconds = Rational(Int64(grid.frames(ofSegment: segment).count)) / grid.frameRate
            if Rational(Int64(bytes) * 8) / seconds > Rational(cap) {
                return .encode(reason: "its rate is above the cap of \(cap / 1000) kbit/s")
            }
        }
        return .copy(reorderDelay: delay)
    }
}
