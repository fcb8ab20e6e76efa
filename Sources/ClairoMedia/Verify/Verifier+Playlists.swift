internal import ClairoCore
internal import Foundation
internal import Libav

extension Verifier {
    // MARK: HLS

    func checkHLS(_ manifest: OutputManifest, _ decoded: [String: CheckedRendition], _ checks: inout Checks) throws {
        guard let data = try bytes(of: OutputLayout.masterPlaylist) else {
            checks.expect(false, "playlist", OutputLayout.masterPlaylist.rawValue, "", "it is missing")
            return
        }
        let master: HLSMaster
        do {
            master = try HLSParser.master(data)
        } catch {
            checks.expect(false, "playlist", OutputLayout.masterPlaylist.rawValue, "", "\(error)")
            return
        }
        let plan = manifest.plan
        let rungs = plan.video?.rungs ?? []
        checkMaster(master, plan, &checks)

        var playlists: [String: HLSMediaPlaylist] = [:]
        let uris = Set(
            master.variants.map(\.uri) + master.media.compactMap(\.uri) + master.iframeStreams.map(\.uri))
        for uri in uris.sorted() { playlists[uri] = try readPlaylist(uri, manifest, &checks) }

        let targets = Set(
            (master.variants.map(\.uri) + master.media.compactMap(\.uri)).compactMap { playlists[$0]?.targetDuration })
        checks.expect(
            targets.count <= 1, "target-duration", OutputLayout.masterPlaylist.rawValue, "the same everywhere",
            "differs: \(targets.sorted().map(String.init).joined(separator: ", "))")

        // The rate of a variant is the sum of its video and the largest track of its audio group.
        let audioRates = Dictionary(
            plan.audio.compactMap { track in
                playlists[track.playlistKey.rawValue].map {
                    (
                        track.playlistKey.rawValue,
                        Rates(segments: $0.segments, bytes: decoded[track.folder]?.segmentBytes ?? [])
                    )
                }
            }, uniquingKeysWith: { first, _ in first })
        for variant in master.variants {
            guard let playlist = playlists[variant.uri] else { continue }
            let members = master.media.filter { $0.type == "AUDIO" && $0.groupID == variant.audioGroup }
            let rates = members.compactMap { $0.uri.flatMap { audioRates[$0] } }
            let codecs = plan.audio.filter { track in members.contains { $0.uri == track.playlistKey.rawValue } }
                .compactMap { decoded[$0.folder]?.codec }
            if let rung = rungs.first(where: { $0.playlistKey.rawValue == variant.uri }), let video = plan.video {
                checkVariant(
                    variant, rung: rung, video: video, playlist: playlist, decoded: decoded[rung.folder],
                    audioPeak: rates.map(\.peak).max() ?? 0, audioAverage: rates.map(\.average).max() ?? 0,
                    audioCodecs: codecs, &checks)
            } else {
                checks.expect(
                    plan.video == nil && plan.audio.contains { $0.playlistKey.rawValue == variant.uri }, "playlist",
                    variant.uri, "the audio rendition", "it belongs to no rendition")
            }
        }
        for track in plan.audio {
            guard let playlist = playlists[track.playlistKey.rawValue] else { continue }
            checkSum(playlist, end: decoded[track.folder]?.end, unit: track.unitDuration, track.folder, &checks)
        }
        for track in plan.text ?? [] {
            checkText(track, playlists[track.playlistKey.rawValue], &checks)
        }
        for rung in rungs {
            let playlist = playlists[rung.iframePlaylistKey.rawValue]
            if let rendition = measured?.video.first(where: { $0.rung == rung }) {
                checkIFrames(rendition, playlist, &checks)
            } else {
                try checkIFrames(rung, playlist, &checks)
            }
        }
    }

    private func checkText(_ track: TextPlan, _ playlist: HLSMediaPlaylist?, _ checks: inout Checks) {
        let sum = (playlist?.segments ?? []).reduce(Rational.zero) { $0 + $1.duration }
        let names = playlist?.segments.map { OutputLayout.key(of: $0.uri, in: track.playlistKey) }
        checks.record(
            "playlist", track.playlistKey.rawValue, "\(track.segmentCount) segments in order",
            problems: [
                playlist == nil ? "no group has it" : nil,
                names == track.segmentKeys ? nil : "it does not name every segment in order",
                // Apple's rule 5.5.
                abs((sum - track.duration).doubleValue) < 0.001
                    ? nil : "it lasts \(clock(sum.doubleValue)), not \(clock(track.duration.doubleValue))",
            ])
    }

    /// Parses a media playlist and checks that the files it names exist.
    private func readPlaylist(_ uri: String, _ manifest: OutputManifest, _ checks: inout Checks) throws
        -> HLSMediaPlaylist?
    {
        guard isPlain(uri), let data = try bytes(of: ObjectKey(uri)) else {
            checks.expect(false, "playlist", uri, "", "the master names it, but it is missing")
            return nil
        }
        do {
            let playlist = try HLSParser.media(data)
            let names = Set(playlist.segments.map(\.uri) + (playlist.map.map { [$0] } ?? []))
            // Measured segments are known to exist.
            let known = Set(measured == nil ? [] : manifest.plan.segmentKeys)
            let missing = try names.filter { name in
                let key = OutputLayout.key(of: name, in: ObjectKey(uri))
                return try !isPlain(name) || (!known.contains(key) && !exists(key))
            }
            let isText = uri.hasPrefix(OutputLayout.folder(of: .text) + "/")
            let longest = playlist.segments.map(\.duration).max() ?? .zero
            let problems = [
                missing.isEmpty ? nil : "it names missing files: \(missing.sorted().prefix(3).joined(separator: ", "))",
                playlist.map == nil && !isText ? "it has no EXT-X-MAP" : nil,
                playlist.hasEndList ? nil : "it has no EXT-X-ENDLIST",
                playlist.type == "VOD" ? nil : "its type is not VOD",
                longest.rounded > playlist.targetDuration ? "a segment is longer than the target duration" : nil,
            ].compactMap { $0 }
            checks.expect(
                problems.isEmpty, "playlist", uri, "\(playlist.segments.count) entries, all there",
                problems.joined(separator: "; "))
            return playlist
        } catch {
            checks.expect(false, "playlist", uri, "", "\(error)")
            return nil
        }
    }

    private func checkVariant(
        _ variant: HLSVariant, rung: Rung, video: VideoPlan, playlist: HLSMediaPlaylist, decoded: CheckedRendition?,
        audioPeak: Double, audioAverage: Double, audioCodecs: [String], _ checks: inout Checks
    ) {
        let grid = video.grid
        let found = playlist.segments.map { place($0, in: rung.playlistKey) }
        checks.expect(
            found == (0..<grid.segmentCount).map { place(of: rung.segmentKey($0)) }, "segment-boundaries", rung.folder,
            "\(found.count) segments in order", "the playlist does not name every segment in order")
        // Printed durations may be rounded, but every boundary must be accurate to a millisecond.
        var position = Rational.zero
        var misplaced: Int?
        for (index, segment) in playlist.segments.enumerated() {
            let wanted = grid.time(ofFrame: grid.frames(ofSegment: index).lowerBound)
            if abs((position - wanted).doubleValue) > 0.001 { misplaced = misplaced ?? index }
            position = position + segment.duration
        }
        checks.expect(
            misplaced == nil, "segment-boundaries", rung.folder, "aligned with the plan",
            "segment \((misplaced ?? 0) + 1) is listed at another time than planned")
        checkSum(playlist, end: decoded?.end, unit: grid.frameRate.inverse, rung.folder, &checks)
        if let decoded {
            let rates = Rates(segments: playlist.segments, bytes: decoded.segmentBytes)
            checkRate("BANDWIDTH", Double(variant.bandwidth), rates.peak + audioPeak, rung.folder, &checks)
            checkRate(
                "AVERAGE-BANDWIDTH", variant.averageBandwidth.map(Double.init), rates.average + audioAverage,
                rung.folder, &checks)
            let wanted = Set((decoded.codec.map { [$0] } ?? ["none"]) + audioCodecs).map { $0.lowercased() }
            let named = Set(variant.codecs.map { $0.lowercased() })
            checks.expect(
                wanted.allSatisfy(named.contains), "codecs", rung.folder, variant.codecs.joined(separator: ","),
                "CODECS says \(variant.codecs.joined(separator: ",")), the bitstreams \(wanted.sorted().joined(separator: ","))"
            )
            checks.expect(
                variant.resolution == decoded.size, "resolution", rung.folder, "\(rung.size)",
                "RESOLUTION says \(variant.resolution?.description ?? "nothing"), the frames are \(decoded.size?.description ?? "none")"
            )
        }
        let rateError = abs((variant.frameRate?.doubleValue ?? 0) - grid.frameRate.doubleValue)
        checks.expect(
            variant.videoRange == rung.dynamicRange.videoRange, "video-range", rung.folder,
            rung.dynamicRange.videoRange,
            "VIDEO-RANGE says \(variant.videoRange ?? "nothing"), the frames are \(rung.dynamicRange.videoRange)")
        checks.expect(
            rateError < 0.001, "frame-rate", rung.folder, "\(grid.frameRate)",
            "FRAME-RATE says \(variant.frameRate?.doubleValue ?? 0), the frames come at \(grid.frameRate)")
    }

    private func checkSum(
        _ playlist: HLSMediaPlaylist, end: Rational?, unit: Rational, _ subject: String, _ checks: inout Checks
    ) {
        guard let end else { return }
        let sum = playlist.segments.reduce(Rational.zero) { $0 + $1.duration }
        checks.expect(
            abs((sum - end).doubleValue) <= unit.doubleValue + 0.0005, "extinf-sum", subject,
            "\(clock(sum.doubleValue)) as decoded",
            "EXTINF adds up to \(clock(sum.doubleValue)), decoded were \(clock(end.doubleValue))")
    }

    private func checkRate(
        _ name: String, _ declared: Double?, _ measured: Double, _ subject: String, _ checks: inout Checks
    ) {
        guard let declared, measured > 0 else {
            checks.expect(false, "rates", subject, "", "\(name) is missing or nothing was measured")
            return
        }
        checks.expect(
            abs(declared / measured - 1) <= Self.rateTolerance, "rates", subject,
            String(format: "%@ %.0f, measured %.0f", name, declared, measured),
            String(format: "%@ says %.0f, measured are %.0f", name, declared, measured))
    }

    /// Checks that every entry of an I-frame playlist matches a measured key frame.
    private func checkIFrames(_ rendition: VideoRendition, _ playlist: HLSMediaPlaylist?, _ checks: inout Checks) {
        guard let playlist else { return }
        let wanted = rendition.segments.enumerated().flatMap { index, segment in
            segment.keyFrames.map { frame in
                let start = Int64(rendition.file?.offset(of: frame.offset, inSegment: index) ?? frame.offset)
                return Place(
                    key: rendition.file?.key ?? rendition.rung.segmentKey(index),
                    range: start..<start + Int64(frame.length))
            }
        }
        let isSame = wanted == playlist.segments.map { place($0, in: rendition.rung.iframePlaylistKey) }
        checks.expect(
            isSame && playlist.isIFramesOnly, "iframes", rendition.rung.folder,
            "\(playlist.segments.count) key frames",
            isSame ? "EXT-X-I-FRAMES-ONLY is missing" : "its entries are not the key frames of the segments")
    }

    /// Checks that every entry of an I-frame playlist is a `moof` and an IDR that decodes on its own.
    private func checkIFrames(_ rung: Rung, _ playlist: HLSMediaPlaylist?, _ checks: inout Checks) throws {
        guard let playlist else { return }
        var problems: [String] = []
        // Files with one segment are read once.
        var open: (key: ObjectKey, data: Data) = ("", Data())
        for (index, entry) in playlist.segments.enumerated() {
            try control.checkCancellation()
            let place = place(entry, in: rung.iframePlaylistKey)
            var part: Data?
            if places.isEmpty, let range = place.range {
                if open.key != place.key { open = (place.key, try bytes(of: place.key) ?? Data()) }
                if range.upperBound <= Int64(open.data.count) {
                    part = open.data.subdata(
                        in: open.data.startIndex + Int(range.lowerBound)..<open.data.startIndex + Int(range.upperBound))
                }
            } else if place.range != nil {
                part = try bytes(of: place)
            }
            guard let part else {
                problems.append("entry \(index + 1) lies outside its file")
                continue
            }
            if !Self.isKeyFrame(part, codec: rung.codec) { problems.append("entry \(index + 1) is not an IDR") }
        }
        checks.expect(
            problems.isEmpty && playlist.isIFramesOnly, "iframes", rung.folder,
            "\(playlist.segments.count) key frames",
            problems.isEmpty ? "EXT-X-I-FRAMES-ONLY is missing" : problems.prefix(3).joined(separator: "; "))
    }

    /// Whether the range holds a key frame. It ends inside `mdat`, after the first sample.
    private static func isKeyFrame(_ part: Data, codec: VideoCodec) -> Bool {
        guard part.count > 16, part.dropFirst(4).prefix(4) == Data("moof".utf8) else { return false }
        let moof = part.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        let payload = moof + 8
        guard payload < part.count else { return false }
        return codec.coding.isKeyFrame(sample: part.subdata(in: part.startIndex + payload..<part.endIndex))
    }

    /// The rates of a rendition, from its segments on the store.
    private struct Rates {
        var peak = 0.0
        var average = 0.0

        init(segments: [HLSSegment], bytes: [Int]) {
            guard segments.count == bytes.count else { return }
            let measured = zip(segments, bytes).map { MeasuredSegment(duration: $0.duration, bytes: $1) }
            let target = Int(segments.map(\.duration).max()?.rounded ?? 1)
            peak = Double(HLSPlaylist.peakRate(of: measured, targetDuration: max(target, 1)))
            average = Double(measured.averageRate)
        }
    }

    // MARK: DASH

    /// Checks that the MPD describes exactly the existing segments.
    func checkDASH(
        _ manifest: OutputManifest, _ decoded: [String: CheckedRendition], _ checks: inout Checks
    ) throws {
        let plan = manifest.plan
        guard let data = try bytes(of: OutputLayout.dashManifest) else {
            checks.expect(false, "mpd", OutputLayout.dashManifest.rawValue, "", "it is missing")
            return
        }
        let document: DASHDocument
        do {
            document = try DASHParser.parse(data)
        } catch {
            checks.expect(false, "mpd", OutputLayout.dashManifest.rawValue, "", "\(error)")
            return
        }
        // Audio without video, and that of older versions, may end with a part of an access unit more.
        let difference = abs((document.duration - plan.duration).doubleValue)
        checks.expect(
            difference < 0.15, "mpd", OutputLayout.dashManifest.rawValue,
            "lasts \(clock(document.duration.doubleValue))",
            "it claims \(clock(document.duration.doubleValue)), planned were \(clock(plan.duration.doubleValue))")
        checkSchema(document, plan, &checks)
        for track in plan.text ?? [] { checkText(track, document, &checks) }
        if let protection = plan.protection { checkKeys(protection, document, manifest, &checks) }
        for rendition in plan.renditions where rendition.kind.hasInitSegment {
            let set = document.adaptationSets.first { $0.representations.contains { $0.id == rendition.id } }
            checkRepresentation(
                set?.representations.first { $0.id == rendition.id }, in: set, of: rendition,
                codec: decoded[rendition.folder]?.codec, &checks)
        }
    }

    private func checkText(_ track: TextPlan, _ document: DASHDocument, _ checks: inout Checks) {
        let set = document.adaptationSets.first {
            $0.contentType == "text" && $0.representations.contains { $0.id == track.id }
        }
        let file = set?.representations.first { $0.id == track.id }?.wholeFile
        checks.record(
            "mpd", track.folder, "one file",
            problems: [
                set == nil ? "the MPD does not have it" : nil,
                file == track.wholeKey.rawValue ? nil : "it names \(file ?? "nothing") instead of \(track.wholeKey)",
                set?.language == LanguageTag(track.language).text
                    ? nil : "its language is \(set?.language ?? "missing")",
                set?.roles.contains(track.dashRole) ?? false ? nil : "its role is not \(track.dashRole)",
            ])
    }

    private func checkRepresentation(
        _ representation: DASHRepresentation?, in set: DASHAdaptationSet?, of rendition: any SegmentedRendition,
        codec: String?, _ checks: inout Checks
    ) {
        let (subject, keys) = (rendition.folder, rendition.segmentKeys)
        guard let representation, let set else {
            checks.expect(false, "mpd", subject, "", "the MPD does not have it")
            return
        }
        let size = (rendition as? PlannedRung)?.rung.size
        var problems = [
            set.contentType == rendition.kind.rawValue ? nil : "its set has the type \(set.contentType)",
            size == nil || (representation.width == size?.width && representation.height == size?.height)
                ? nil : "its size is not \(size?.description ?? "")",
            codec == nil || representation.codecs.lowercased() == codec?.lowercased()
                ? nil : "codecs says \(representation.codecs), the bitstream \(codec ?? "")",
        ]
        if places.isEmpty {
            let end = representation.segments.last.map { $0.start + $0.duration } ?? .zero
            problems += [
                representation.initialization == rendition.initKey.rawValue
                    ? nil : "initialization is \(representation.initialization)",
                representation.segments.map(\.name) == keys.map(\.rawValue)
                    ? nil : "its segments are not those on the store",
                abs((end - rendition.duration).doubleValue) < 0.05
                    ? nil : "its timeline ends at \(clock(end.doubleValue))",
            ]
        } else {
            let initSegment = place(of: rendition.initKey)
            let first = place(of: rendition.segmentKey(0)).range?.lowerBound
            problems += [
                representation.file?.name == initSegment.key.rawValue ? nil : "it does not name \(initSegment.key)",
                representation.file?.initialization == initSegment.range ? nil : "its init segment is elsewhere",
                representation.file?.index.lowerBound == initSegment.range?.upperBound
                    && representation.file?.index.upperBound == first ? nil : "its index is elsewhere",
            ]
        }
        let found = problems.compactMap { $0 }
        checks.expect(
            found.isEmpty, "mpd", subject, "\(keys.count) segments as on the store", found.joined(separator: "; "))
    }

    // MARK: MP4

    /// Checks that each progressive file has its index at the front and exactly the samples of its rung.
    func checkProgressive(_ manifest: OutputManifest, _ checks: inout Checks) throws {
        let plan = manifest.plan
        for rung in plan.video?.rungs ?? [] {
            try control.checkCancellation()
            let packets = plan.audio.isEmpty ? nil : plan.audio.progressive.reduce(0) { $0 + $1.packetCount }
            try checkProgressive(rung.mp4Key, frames: plan.video?.grid.frameCount, packets: packets, &checks)
        }
        for track in plan.video == nil ? plan.audio.progressive : [] {
            try checkProgressive(track.mp4Key, frames: nil, packets: track.packetCount, &checks)
        }
    }

    private func checkProgressive(_ key: ObjectKey, frames: Int?, packets: Int?, _ checks: inout Checks) throws {
        guard try store.size(of: key) != nil else {
            checks.expect(false, "mp4", key.rawValue, "", "it is missing")
            return
        }
        do {
            let source = try store.open(key)
            let demuxer = try Demuxer(SourceBytes(source), options: InputLimits().demuxerOptions)
            var counts: [StreamInfo.Kind: Int] = [:]
            let kinds = Dictionary(uniqueKeysWithValues: demuxer.streams.map { ($0.index, $0.kind) })
            if measured == nil {
                while let packet = try demuxer.read() {
                    try control.checkCancellation()
                    counts[kinds[packet.streamIndex] ?? .other, default: 0] += 1
                }
            } else {
                // The samples were just copied, so the counts in the index are enough.
                for stream in demuxer.streams { counts[stream.kind, default: 0] += Int(stream.declaredFrames) }
            }
            let hasIndexInFront = try Self.boxes(of: source).prefix(2) == ["ftyp", "moov"]
            let problems = [
                hasIndexInFront ? nil : "its index is not in front",
                counts[.video] == frames ? nil : "\(counts[.video] ?? 0) frames instead of \(frames ?? 0)",
                counts[.audio] == packets
                    ? nil : "\(counts[.audio] ?? 0) access units of audio instead of \(packets ?? 0)",
            ].compactMap { $0 }
            checks.expect(
                problems.isEmpty, "mp4", key.rawValue,
                "\(frames ?? 0) frames, \(packets ?? 0) access units of audio, index in front",
                problems.joined(separator: "; "))
        } catch let error as AVError {
            checks.expect(false, "mp4", key.rawValue, "", "it cannot be read: \(error)")
        }
    }

    /// The names of the first boxes of a file.
    private static func boxes(of source: any ByteSource) throws -> [String] {
        var names: [String] = []
        var offset: Int64 = 0
        while names.count < 3, offset + 8 <= source.size {
            var header = [UInt8](repeating: 0, count: 8)
            _ = try header.withUnsafeMutableBytes { try source.read(at: offset, into: $0) }
            names.append(String(decoding: header[4..<8], as: UTF8.self))
            let size = header.prefix(4).reduce(Int64(0)) { $0 << 8 | Int64($1) }
            guard size >= 8 else { break }
            offset += size
        }
        return names
    }
}
