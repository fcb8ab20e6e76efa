internal import ClairoCore
internal import Foundation
internal import Libav

/// The properties found by reading a whole rendition.
struct CheckedRendition {
    /// The start of the first frame or sample and the end of the last, in seconds.
    var start: Rational
    var end: Rational
    var codec: String?
    var size: FrameSize?
    /// The size in bytes of each media segment on the store.
    var segmentBytes: [Int]
}

extension Verifier {
    /// Converts measurements to the form that decoding gives, by folder.
    func renditions(_ measured: Presentation) -> [String: CheckedRendition] {
        var renditions: [String: CheckedRendition] = [:]
        for rendition in measured.renditions {
            renditions[rendition.keys.folder] = CheckedRendition(
                start: .zero, end: rendition.duration, codec: rendition.codec, size: rendition.size,
                segmentBytes: rendition.segments.map(\.bytes))
        }
        return renditions
    }

    /// Decodes all renditions. Returns the results by folder.
    func decodeRenditions(_ manifest: OutputManifest, _ checks: inout Checks) throws -> [String: CheckedRendition] {
        var decoded: [String: CheckedRendition] = [:]
        guard manifest.plan.publishesStreams else { return try decodeProgressive(manifest.plan, &checks) }
        for rendition in manifest.plan.mediaRenditions {
            decoded[rendition.folder] = try rendition.decode(with: self, &checks)
        }
        checkEnds(manifest.plan, decoded, &checks)
        return decoded
    }

    /// Checks that all rungs end together.
    func checkEnds(_ plan: Plan, _ decoded: [String: CheckedRendition], _ checks: inout Checks) {
        guard let rungs = plan.video?.rungs else { return }
        let ends = Set(rungs.compactMap { decoded[$0.folder]?.end })
        checks.expect(
            ends.count == 1, "duration", "all rungs", "every rung lasts \(clock(ends.first?.doubleValue ?? 0))",
            "the rungs end at \(ends.map { clock($0.doubleValue) }.sorted().joined(separator: ", "))")
    }

    /// Decodes each segment on its own, as a player does after a seek. A segment must begin with a key frame, not
    /// depend on the previous segment, and hold exactly its frames at exactly their times.
    func decode(_ planned: PlannedRung, _ checks: inout Checks) throws -> CheckedRendition? {
        let (rung, grid) = (planned.rung, planned.video.grid)
        guard let initSegment = try initSegment(of: rung.initKey) else { return nil }
        var result = CheckedRendition(
            start: .zero, end: .zero, codec: try? planned.codecString(initSegment: initSegment), size: nil,
            segmentBytes: [])
        var boxes = CMAFTrack(planned, initSegment: initSegment, isSingleFile: places[rung.initKey] != nil)
        var problems: [String] = []
        var frames = 0
        for index in 0..<grid.segmentCount {
            try control.checkCancellation()
            let key = rung.segmentKey(index)
            let found = try bytes(of: key)
            boxes.add(found, at: key)
            guard let segment = found else {
                problems.append("\(key) is missing")
                result.segmentBytes.append(0)
                continue
            }
            result.segmentBytes.append(try storedBytes(of: key))
            do {
                let content = try VideoContent(
                    initSegment + segment, codec: rung.codec, interrupt: control.interrupt,
                    onFrame: control.noteLongStep)
                frames += content.times.count
                let wanted = grid.frames(ofSegment: index)
                if let problem = content.problem(frames: wanted, rate: grid.frameRate, size: rung.size) {
                    problems.append("\(key): \(problem)")
                }
                if index == 0 { result.start = content.times.first ?? .zero }
                if let last = content.times.last { result.end = last + grid.frameRate.inverse }
                result.size = content.size
            } catch let error as AVError {
                if error == .exitRequested { throw ClairoError.cancelled }
                problems.append("\(key) cannot be read: \(error)")
            }
        }
        checks.record("cmaf", rung.folder, "one track of contiguous fragments", problems: boxes.problems)
        checks.expect(
            problems.isEmpty, "segments", rung.folder,
            "\(grid.segmentCount) segments, each begins with a key frame and holds its frames at k/fps; no decoding errors",
            problems.prefix(3).joined(separator: "; "))
        checks.expect(
            frames == grid.frameCount, "frame-count", rung.folder, "\(frames) frames as planned",
            "\(frames) frames were decoded, \(grid.frameCount) were planned")
        return result
    }

    /// Decodes the whole track and applies the edit list that removes the delay.
    func decode(_ track: AudioPlan, _ checks: inout Checks) throws -> CheckedRendition? {
        guard var whole = try initSegment(of: track.initKey) else { return nil }
        let codec = try? track.codecString(initSegment: whole)
        var result = CheckedRendition(start: .zero, end: .zero, codec: nil, size: nil, segmentBytes: [])
        var boxes = CMAFTrack(track, initSegment: whole, isSingleFile: places[track.initKey] != nil)
        var missing: [String] = []
        for index in 0..<track.segmentCount {
            let segment = try bytes(of: track.segmentKey(index))
            boxes.add(segment, at: track.segmentKey(index))
            if segment == nil { missing.append(track.segmentKey(index).rawValue) }
            result.segmentBytes.append(try storedBytes(of: track.segmentKey(index)))
            whole += segment ?? Data()
        }
        checks.record("cmaf", track.folder, "one track of contiguous fragments", problems: boxes.problems)
        checks.expect(
            missing.isEmpty, "segments", track.folder, "\(track.segmentCount) segments",
            "missing: \(missing.prefix(3).joined(separator: ", "))")
        do {
            let demuxer = try Demuxer(InMemoryBytes(whole), options: InputLimits().demuxerOptions)
            let decoder = try demuxer.makeDecoder(stream: 0)
            result.codec = codec
            let base = Rational(decoder.timeBase)
            let delay = Rational(Int64(track.delay), Int64(AudioPlan.sampleRate))
            var position: Rational?
            var gaps = 0
            func take() throws {
                while case .value(let frame) = try decoder.receive() {
                    let time = Rational(frame.pts ?? 0) * base
                    // The delay lies before zero. The edit list removes it, which libav does not apply to fragments.
                    if position == nil { result.start = time < .zero && time >= -delay ? .zero : time }
                    if let position, abs((time - position).doubleValue) > 0.001 { gaps += 1 }
                    position = time + Rational(Int64(frame.sampleCount), Int64(max(frame.sampleRate, 1)))
                }
            }
            while let packet = try demuxer.read() {
                try control.checkCancellation()
                try decoder.send(packet)
                try take()
            }
            try decoder.send(nil)
            try take()
            result.end = position ?? .zero
            checks.expect(
                decoder.errorCount == 0 && gaps == 0, "decode", track.folder,
                "\(clock(result.end.doubleValue)) of audio without a gap",
                "\(decoder.errorCount) decoding errors, \(gaps) gaps")
            let short = track.duration - result.end
            checks.expect(
                abs(short.doubleValue) <= Double(track.frameSamples) / Double(AudioPlan.sampleRate) + 0.001,
                "duration", track.folder, "ends at \(clock(result.end.doubleValue)) as planned",
                "ends at \(clock(result.end.doubleValue)), planned was \(clock(track.duration.doubleValue))")
        } catch let error as AVError {
            checks.expect(false, "decode", track.folder, "", "the track cannot be read: \(error)")
        }
        return result
    }

    /// Checks that video and audio begin within one frame of each other, that audio ends no later, and that both have the
    /// same delay for players that ignore edit lists.
    func checkOffsets(
        _ manifest: OutputManifest, _ decoded: [String: CheckedRendition], _ checks: inout Checks
    ) throws {
        guard let video = manifest.plan.video, let rung = video.rungs.first, let checkedVideo = decoded[rung.folder]
        else {
            return
        }
        let delay = try delay(of: rung, ticksPerSecond: video.grid.timescale)
        for track in manifest.plan.audio {
            guard let checkedAudio = decoded[track.folder] else { continue }
            let offset = checkedAudio.start - checkedVideo.start
            checks.expect(
                abs(offset.doubleValue) <= video.grid.frameRate.inverse.doubleValue, "av-offset", track.folder,
                String(format: "audio begins %.1f ms after the video", offset.doubleValue * 1000),
                String(format: "audio begins %.1f ms after the video, more than a frame", offset.doubleValue * 1000))
            // In plans of older versions audio may last longer. A video of one frame may be shorter than an access unit.
            guard track.presentationDelay != nil else { continue }
            let excess = checkedAudio.end - checkedVideo.end
            checks.expect(
                excess.doubleValue <= 0.0001 || track.packets(ofSegment: 0).count <= 2, "av-end", track.folder,
                "audio ends no later than the video",
                String(format: "audio ends %.1f ms after the video", excess.doubleValue * 1000))
            if let delay, let own = try self.delay(of: track, ticksPerSecond: track.timescale) {
                let difference = abs((own - delay).doubleValue)
                checks.expect(
                    difference < 0.001, "delay", track.folder,
                    String(format: "%.1f ms of edit list, like the video", own.doubleValue * 1000),
                    String(format: "its edit list differs from that of the video by %.1f ms", difference * 1000))
            }
        }
    }

    /// The seconds that the edit list of a rendition removes; nil if there is no init segment.
    private func delay(of keys: any RenditionKeys, ticksPerSecond: Int64) throws -> Rational? {
        try bytes(of: keys.initKey).map { Rational(InitSegment.priming(of: $0), ticksPerSecond) }
    }
}
