internal import ClairoCore
internal import Foundation
internal import Libav

extension PlannedRung: MediaRendition {
    private var grid: SegmentGrid { video.grid }

    func check(initSegment: Data) throws(ClairoError) {
        guard InitSegment.frameSize(of: initSegment, codec: rung.codec) == rung.size else {
            throw FragmentReader.damaged("\(initKey) does not describe frames of \(rung.size)")
        }
    }

    func codecString(initSegment: Data) throws(ClairoError) -> String {
        let configuration = try InitSegment.configuration(of: initSegment, codec: rung.codec)
        guard let codec = rung.codec.coding.codecString(configuration: configuration) else {
            throw FragmentReader.damaged("its decoder configuration is too short")
        }
        return codec
    }

    func measure(_ fragments: [FragmentReader.Fragment], bytes: Int, index: Int, priming: Int64)
        throws(ClairoError) -> MeasuredSegment
    {
        let frames = grid.frames(ofSegment: index)
        // Decoding continues where the previous segment ended, and each frame is shown once.
        guard fragments.isGapless(from: Int64(frames.lowerBound) * grid.ticksPerFrame),
            fragments.presentationTimes == frames.map({ Int64($0) * grid.ticksPerFrame + priming })
        else { throw FragmentReader.damaged("\(segmentKey(index)) does not hold frames \(frames)") }
        let keyFrames = fragments.map { fragment in
            let ticks = fragment.samples.reduce(Int64(0)) { $0 + Int64($1.duration) }
            let end = fragment.samples.first.map { $0.offset + $0.size } ?? fragment.offset
            return KeyFrameRange(
                offset: fragment.offset, length: end - fragment.offset, duration: Rational(ticks, timescale))
        }
        return MeasuredSegment(
            duration: Rational(Int64(frames.count)) / grid.frameRate, bytes: bytes, keyFrames: keyFrames)
    }

    /// Returns one chunk per GOP.
    func progressiveChunks(_ fragments: [FragmentReader.Fragment], index: Int) -> [ProgressiveMP4.Chunk] {
        let key = segmentKey(index)
        return fragments.map {
            ProgressiveMP4.Chunk(
                segment: key, samples: $0.samples, time: Double($0.decodeTime) / Double(timescale))
        }
    }

    func trackDescription(initSegment: Data) throws(ClairoError) -> TrackDescription {
        TrackDescription(
            rung, of: video, configuration: try InitSegment.configuration(of: initSegment, codec: rung.codec),
            priming: InitSegment.priming(of: initSegment))
    }

    func add(to presentation: inout Presentation, codec: String, initBytes: Int, segments: [MeasuredSegment]) {
        presentation.video.append(
            VideoRendition(
                rung: rung, codec: codec, frameRate: grid.frameRate, videoRange: rung.dynamicRange.videoRange,
                timescale: timescale, color: video.color(of: rung), initBytes: initBytes, segments: segments))
    }

    func problem(
        ofSegment index: Int, in data: Data, interrupt: Interrupt, onFrame: () throws -> Void
    ) throws -> String? {
        try VideoContent(data, codec: rung.codec, interrupt: interrupt, onFrame: onFrame)
            .problem(frames: grid.frames(ofSegment: index), rate: grid.frameRate, size: rung.size)
    }

    func decode(with verifier: Verifier, _ checks: inout Checks) throws -> CheckedRendition? {
        try verifier.decode(self, &checks)
    }
}

extension DynamicRange {
    /// The value of `VIDEO-RANGE` in HLS (RFC 8216bis).
    var videoRange: String {
        switch self {
        case .sdr: "SDR"
        case .hdr10: "PQ"
        case .hlg: "HLG"
        }
    }
}
