internal import ClairoCore
internal import Foundation
internal import Libav

extension Verifier {
    /// The largest mean difference of luma between a tile and its frame. Compression makes less than 5 of noise, and
    /// another scene makes 10 and more.
    private static let tileTolerance = 7.0

    /// Checks the poster and the storyboard.
    func checkImages(_ manifest: OutputManifest, _ checks: inout Checks) throws {
        if let rung = manifest.plan.video?.largestSDRRung { try checkPoster(manifest, rung: rung, &checks) }
        for image in manifest.plan.images ?? [] {
            try control.checkCancellation()
            try checkSheets(image, manifest, &checks)
            try checkTrack(image, &checks)
            if manifest.plan.settings.outputFormats.contains(.hls) { try checkPlaylist(image, &checks) }
            if manifest.plan.settings.outputFormats.contains(.dash) { try checkRepresentation(image, &checks) }
        }
    }

    private func checkPoster(_ manifest: OutputManifest, rung: Rung, _ checks: inout Checks) throws {
        let recorded = Set(manifest.files.map(\.key))
        let size = Poster.size(of: rung.size)
        for (key, format) in [(OutputLayout.poster, StillImage.Format.jpeg), (OutputLayout.posterWebP, .webP)] {
            // WebP is made where libav can encode it.
            guard format == .jpeg || recorded.contains(key.rawValue) else { continue }
            let problem = try bytes(of: key).map { try self.problem(of: $0, format, size: size) } ?? "it is missing"
            checks.expect(problem == nil, "poster", key.rawValue, "a picture of \(size)", problem ?? "")
        }
    }

    /// The problem of a picture that should have a size, or nil.
    private func problem(of data: Data, _ format: StillImage.Format, size: FrameSize) throws -> String? {
        guard let frame = try StillImage.decode(data, format) else { return "it is damaged or no such picture" }
        let found = FrameSize(width: frame.width, height: frame.height)
        return found == size ? nil : "its size is \(found) instead of \(size)"
    }

    // MARK: Sheets

    private func checkSheets(_ image: ImagePlan, _ manifest: OutputManifest, _ checks: inout Checks) throws {
        var problems: [String] = []
        for key in image.sheetKeys {
            let problem =
                try bytes(of: key).map { try self.problem(of: $0, .jpeg, size: image.sheetSize) } ?? "it is missing"
            if let problem { problems.append("\(key): \(problem)") }
        }
        let isIntact = checks.expect(
            problems.isEmpty, "sheets", image.folder, "\(image.sheetCount) sheets of \(image.sheetSize)",
            problems.prefix(3).joined(separator: "; "))
        // A finish task has just made the sheets.
        guard isIntact, measured == nil, let video = manifest.plan.video, let rung = video.smallestSDRRung else {
            return
        }
        let comparison = TileComparison(image: image, sheet: { try self.bytes(of: image.segmentKey($0)) })
        do {
            try readKeyFrames(of: rung, manifest.plan, video, image, comparison)
        } catch let error as AVError {
            if error == .exitRequested { throw ClairoError.cancelled }
            problems.append("\(rung.folder) cannot be read: \(error)")
        }
        if comparison.compared < image.tileCount {
            problems.append("\(image.tileCount - comparison.compared) of \(image.tileCount) tiles have no key frame")
        }
        for (tile, difference) in comparison.differences where difference > Self.tileTolerance {
            let time = clock(image.start(ofTile: tile).doubleValue)
            problems.append("tile \(tile + 1) does not show the frame at \(time)")
        }
        checks.expect(
            problems.isEmpty, "tiles", image.folder, "\(image.tileCount) tiles show their frames",
            problems.prefix(3).joined(separator: "; "))
    }

    /// Decodes the key frames that the tiles were made from.
    private func readKeyFrames(
        of rung: Rung, _ plan: Plan, _ video: VideoPlan, _ image: ImagePlan, _ comparison: TileComparison
    ) throws {
        let reader = KeyFrameReader(frameRate: video.grid.frameRate, interrupt: control.interrupt) { picture in
            try control.noteLongStep()
            for frame in picture.wanted { try comparison.add(picture.frame, tile: frame / image.framesPerTile) }
        }
        let wanted = (0..<image.tileCount).map(image.frame(ofTile:))
        if plan.publishesStreams {
            guard let initSegment = try initSegment(of: rung.initKey) else { return }
            for index in 0..<video.grid.segmentCount {
                let frames = video.grid.frames(ofSegment: index)
                let own = wanted.filter { frames.contains($0) }
                guard !own.isEmpty, let segment = try bytes(of: rung.segmentKey(index)) else { continue }
                try reader.read(InMemoryBytes(initSegment + segment), wanted: own)
            }
        } else if try exists(rung.mp4Key) {
            try reader.read(SourceBytes(store.open(rung.mp4Key)), wanted: wanted)
        }
        try reader.finish()
    }

    // MARK: References

    private func checkTrack(_ image: ImagePlan, _ checks: inout Checks) throws {
        let cues = try bytes(of: image.trackKey).flatMap { StoryboardTrack.parse(String(decoding: $0, as: UTF8.self)) }
        let isSame = cues == StoryboardTrack.cues(of: image)
        checks.expect(
            isSame, "storyboard", image.trackKey.rawValue, "\(image.tileCount) cues",
            cues == nil ? "it is missing or no storyboard" : "its cues are not the tiles of the sheets")
    }

    private func checkPlaylist(_ image: ImagePlan, _ checks: inout Checks) throws {
        let key = image.playlistKey
        let master = try bytes(of: OutputLayout.masterPlaylist).flatMap { try? HLSParser.master($0) }
        let stream = master?.imageStreams.first { $0.uri == key.rawValue }
        checks.expect(
            stream?.resolution == image.tile, "playlist", key.rawValue, "named by the master playlist",
            stream == nil ? "the master playlist does not name it" : "RESOLUTION is not \(image.tile)")
        let playlist: HLSMediaPlaylist
        do {
            guard let data = try bytes(of: key) else {
                checks.expect(false, "playlist", key.rawValue, "", "it is missing")
                return
            }
            playlist = try HLSParser.media(data)
        } catch let error as HLSParseError {
            checks.expect(false, "playlist", key.rawValue, "", "\(error)")
            return
        }
        let sum = playlist.segments.reduce(Rational.zero) { $0 + $1.duration }
        let hasLayout = playlist.segments.allSatisfy { segment in
            segment.tiles?.size == image.tile && segment.tiles?.columns == image.columns
                && segment.tiles?.rows == image.rows
                && abs((segment.tiles?.duration ?? .zero).doubleValue - image.tileDuration.doubleValue) < 0.000_002
        }
        let names = playlist.segments.map { OutputLayout.key(of: $0.uri, in: key) }
        let problems = [
            names == image.sheetKeys ? nil : "its entries are not the sheets in order",
            playlist.isImagesOnly ? nil : "EXT-X-IMAGES-ONLY is missing",
            playlist.hasEndList ? nil : "EXT-X-ENDLIST is missing",
            hasLayout ? nil : "EXT-X-TILES is not the layout of the sheets",
            abs((sum - image.duration).doubleValue) < 0.001
                ? nil : "EXTINF adds up to \(clock(sum.doubleValue)) instead of \(clock(image.duration.doubleValue))",
        ].compactMap { $0 }
        checks.expect(
            problems.isEmpty, "playlist", key.rawValue, "\(names.count) sheets", problems.joined(separator: "; "))
    }

    private func checkRepresentation(_ image: ImagePlan, _ checks: inout Checks) throws {
        let document = try bytes(of: OutputLayout.dashManifest).flatMap { try? DASHParser.parse($0) }
        let found = document?.adaptationSets.filter { $0.contentType == "image" }.flatMap(\.representations).first {
            $0.id == image.id
        }
        let problems = [
            found == nil ? "the MPD does not have it" : nil,
            found?.segments.map(\.name) == image.sheetKeys.map(\.rawValue) ? nil : "its segments are not the sheets",
            found?.tiles == "\(image.columns)x\(image.rows)" ? nil : "its layout is not that of the sheets",
            found?.width == image.sheetSize.width && found?.height == image.sheetSize.height
                ? nil : "its size is not \(image.sheetSize)",
            found?.segments.first?.duration == Rational(Int64(image.tilesPerSheet)) * image.tileDuration
                ? nil : "its segments are not as long as the tiles of a sheet",
        ].compactMap { $0 }
        checks.expect(
            problems.isEmpty, "mpd", image.folder, "\(image.sheetCount) sheets", problems.joined(separator: "; "))
    }
}

/// Compares tiles with the frames that they stand for. Not Sendable: one thread at a time.
private final class TileComparison {
    private let image: ImagePlan
    private let sheet: (Int) throws -> Data?
    private var open: (index: Int, frame: Frame?)?
    /// The mean differences of luma, by tile.
    private(set) var differences: [(tile: Int, difference: Double)] = []
    var compared: Int { differences.count }

    init(image: ImagePlan, sheet: @escaping (Int) throws -> Data?) {
        self.image = image
        self.sheet = sheet
    }

    func add(_ frame: Frame, tile: Int) throws {
        let index = tile / image.tilesPerSheet
        if open?.index != index { open = (index, try sheet(index).flatMap { try StillImage.decode($0, .jpeg) }) }
        guard let sheet = open?.frame else { return }
        let wanted = try StillImage.convert(frame, size: image.tile, format: .jpeg)
        let place = image.position(ofTile: tile)
        var sum = 0
        for row in 0..<image.tile.height {
            let line = sheet.luma(row: place.y + row)
            guard line.count >= place.x + image.tile.width else { return }
            for (found, expected) in zip(line[place.x...], wanted.luma(row: row)) {
                sum += abs(Int(found) - Int(expected))
            }
        }
        differences.append((tile, Double(sum) / Double(image.tile.pixels)))
    }
}
