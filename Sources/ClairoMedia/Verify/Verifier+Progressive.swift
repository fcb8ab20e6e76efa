internal import ClairoCore
internal import Foundation
internal import Libav

extension Verifier {
    /// Decodes the progressive files of an output that has no segments. Returns the results by the folders that the
    /// segments would be in.
    func decodeProgressive(_ plan: Plan, _ checks: inout Checks) throws -> [String: CheckedRendition] {
        var decoded: [String: CheckedRendition] = [:]
        for planned in plan.video?.renditions ?? [] {
            decoded[planned.folder] = try decodeFile(planned.mp4Key, &checks) { demuxer in
                try self.decodeVideo(planned, from: demuxer)
            }
        }
        for (position, track) in plan.audio.progressive.enumerated() {
            // The audio of all files with video is the same. Without video, each track has its own file.
            let (key, place) = plan.video?.rungs.first.map { ($0.mp4Key, position) } ?? (track.mp4Key, 0)
            decoded[track.folder] = try decodeFile(key, &checks) { demuxer in
                let streams = demuxer.streams.filter { $0.kind == .audio }
                guard streams.indices.contains(place) else { return nil }
                return try self.decodeAudio(track, stream: streams[place], from: demuxer)
            }
        }
        checkEnds(plan, decoded, &checks)
        return decoded
    }

    /// What was found in a stream of a progressive file.
    private struct Content {
        var rendition: CheckedRendition
        var subject: String
        var found: String
        var problems: [String]
    }

    private func decodeFile(
        _ key: ObjectKey, _ checks: inout Checks, _ decode: (Demuxer) throws -> Content?
    ) throws -> CheckedRendition? {
        guard try exists(key) else { return nil }
        do {
            let demuxer = try Demuxer(
                SourceBytes(store.open(key)), options: InputLimits().demuxerOptions, interrupt: control.interrupt)
            guard let content = try decode(demuxer) else { return nil }
            checks.expect(
                content.problems.isEmpty, "decode", content.subject, content.found,
                content.problems.prefix(3).joined(separator: "; "))
            return content.rendition
        } catch let error as AVError {
            if error == .exitRequested { throw ClairoError.cancelled }
            checks.expect(false, "decode", key.rawValue, "", "it cannot be read: \(error)")
            return nil
        }
    }

    /// Decodes every frame, which must be at exactly its time.
    private func decodeVideo(_ planned: PlannedRung, from demuxer: Demuxer) throws -> Content? {
        guard let stream = demuxer.streams.first(where: { $0.kind == .video }) else { return nil }
        let grid = planned.video.grid
        var frames = 0
        var misplaced: Int?
        var rendition = CheckedRendition(
            start: .zero, end: .zero,
            codec: planned.rung.codec.coding.codecString(configuration: Data(stream.extradata)),
            size: nil, segmentBytes: [])
        let errors = try decodeFrames(of: stream, from: demuxer) { frame, time in
            if time != grid.time(ofFrame: frames) { misplaced = misplaced ?? frames }
            if frames == 0 { rendition.start = time }
            rendition.end = time + grid.frameRate.inverse
            rendition.size = FrameSize(width: frame.width, height: frame.height)
            frames += 1
        }
        let size = rendition.size.map(\.description) ?? "none"
        let problems = [
            errors == 0 ? nil : "\(errors) decoding errors",
            frames == grid.frameCount ? nil : "\(frames) frames instead of \(grid.frameCount)",
            misplaced.map { "frame \($0) is at another time than planned" },
            rendition.size == planned.rung.size ? nil : "its frames are \(size) instead of \(planned.rung.size)",
        ].compactMap { $0 }
        return Content(
            rendition: rendition, subject: planned.mp4Key.rawValue, found: "\(frames) frames at k/fps",
            problems: problems)
    }

    private func decodeAudio(_ track: AudioPlan, stream: StreamInfo, from demuxer: Demuxer) throws -> Content? {
        var position: Rational?
        var gaps = 0
        var rendition = CheckedRendition(start: .zero, end: .zero, codec: nil, size: nil, segmentBytes: [])
        let errors = try decodeFrames(of: stream, from: demuxer) { frame, time in
            // The edit list removes the priming, some of which may be returned.
            if position == nil { rendition.start = max(time, .zero) }
            if let position, abs((time - position).doubleValue) > 0.001 { gaps += 1 }
            position = time + Rational(Int64(frame.sampleCount), Int64(max(frame.sampleRate, 1)))
        }
        rendition.end = position ?? .zero
        let isShort = (track.duration - rendition.end).doubleValue > track.unitDuration.doubleValue + 0.001
        let problems = [
            errors == 0 ? nil : "\(errors) decoding errors",
            gaps == 0 ? nil : "\(gaps) gaps",
            isShort
                ? "ends at \(clock(rendition.end.doubleValue)), planned was \(clock(track.duration.doubleValue))" : nil,
        ].compactMap { $0 }
        return Content(
            rendition: rendition, subject: track.folder, found: "\(clock(rendition.end.doubleValue)) without a gap",
            problems: problems)
    }

    /// Decodes a stream and returns the number of errors.
    private func decodeFrames(
        of stream: StreamInfo, from demuxer: Demuxer, _ body: (Frame, Rational) throws -> Void
    ) throws -> Int {
        demuxer.select(streams: [stream.index])
        let decoder = try demuxer.makeDecoder(stream: stream.index)
        let base = Rational(decoder.timeBase)
        func take() throws {
            while case .value(let frame) = try decoder.receive() {
                try control.noteLongStep()
                try body(frame, Rational(frame.pts ?? -1) * base)
            }
        }
        while let packet = try demuxer.read() {
            guard packet.streamIndex == stream.index else { continue }
            try decoder.send(packet)
            try take()
        }
        try decoder.send(nil)
        try take()
        return decoder.errorCount
    }
}
