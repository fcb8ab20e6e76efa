import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// The pictures of complete outputs in memory, made from clips of grey frames.
@Suite(.ownThreads) struct StoryboardTests {
    /// A finished output, with the manifest.
    struct Output: Sendable {
        var store: MemoryStore
        var manifest: OutputManifest

        func luma(_ key: ObjectKey, x: Int, y: Int) throws -> Int {
            let picture = try #require(try StillImage.decode(store.get(key), .jpeg), "\(key)")
            return Int(try #require(picture.luma(row: y)[x...].first))
        }

        /// The grey of the middle of the poster.
        func poster() throws -> Int { try luma("poster.jpg", x: 32, y: 18) }

        /// The checks of the pictures, in a copy of the output that was changed.
        func checks(_ change: (MemoryStore) throws -> Void = { _ in }) throws -> VerificationReport {
            let copy = MemoryStore()
            for key in try store.list(prefix: "", after: nil, limit: 10_000) { try copy.put(store.get(key), at: key) }
            try change(copy)
            var checks = Checks()
            try Verifier(store: copy).checkImages(manifest, &checks)
            return checks.report
        }
    }

    /// Ten frames per second, so a GOP has 20.
    static func transcode(grey: [UInt8], _ change: (inout TranscodeSettings) -> Void = { _ in }) async throws -> Output
    {
        var settings = TranscodeSettings(preset: "ultrafast", segmentSeconds: 4)
        change(&settings)
        let store = MemoryStore()
        let job = TranscodeJob(
            source: MemorySource(MemoryMedia.gif(width: 64, height: 36, grey: grey)), sourceName: "grey.gif",
            settings: settings, store: store)
        let outcome = try await onDedicatedThread(name: "test job") { try job.run() }
        return Output(store: store, manifest: outcome.manifest)
    }

    // MARK: Storyboard

    /// The grey of the frames of a tile.
    static func grey(ofTile tile: Int) -> Int { 20 + tile * 68 % 200 }

    /// 26 tiles, one more than a sheet has.
    static let long = Task {
        try await transcode(grey: (0..<520).map { UInt8(grey(ofTile: $0 / 20)) })
    }

    @Test func everyTileShowsTheFrameOfItsTime() async throws {
        let output = try await Self.long.value
        let plan = try #require(output.manifest.plan.images?.first)
        #expect(plan.tileCount == 26 && plan.sheetCount == 2)
        #expect(plan.tile == FrameSize(width: 64, height: 36))
        for tile in 0..<plan.tileCount {
            let place = plan.position(ofTile: tile)
            let key = plan.segmentKey(tile / plan.tilesPerSheet)
            let found = try output.luma(key, x: place.x + 32, y: place.y + 18)
            #expect(abs(found - Self.grey(ofTile: tile)) < 8, "tile \(tile) is \(found)")
        }
        // A place without a tile.
        #expect(try output.luma(plan.segmentKey(1), x: 64 + 32, y: 18) < 8)
        #expect(try output.checks().problems == [])
        let files = Set(output.manifest.files.map(\.key))
        #expect(files.isSuperset(of: plan.objectKeys.map(\.rawValue) + ["poster.jpg"]))
    }

    struct Damage: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var finds: String
        var apply: @Sendable (MemoryStore) throws -> Void

        init(_ description: String, finds: String, _ apply: @escaping @Sendable (MemoryStore) throws -> Void) {
            testDescription = description
            self.finds = finds
            self.apply = apply
        }

        static func edit(
            _ key: ObjectKey, finds: String, _ change: @escaping @Sendable (String) -> String
        ) -> Damage {
            Damage("\(key) is changed", finds: finds) { store in
                let old = String(decoding: try store.get(key), as: UTF8.self)
                let new = change(old)
                #expect(new != old)
                try store.put(Data(new.utf8), at: key)
            }
        }
    }

    private static let sheets: [ObjectKey] = ["images/storyboard/00001.jpg", "images/storyboard/00002.jpg"]

    static let damages = [
        Damage("a sheet is removed", finds: "sheets") { try $0.delete(sheets[1]) },
        Damage("a sheet is truncated", finds: "sheets") { try $0.put($0.get(sheets[0]).dropLast(200), at: sheets[0]) },
        Damage("a sheet is the poster", finds: "sheets") { try $0.put($0.get("poster.jpg"), at: sheets[0]) },
        Damage("the sheets are swapped", finds: "tiles") { store in
            let (first, second) = (try store.get(sheets[0]), try store.get(sheets[1]))
            try store.put(second, at: sheets[0])
            try store.put(first, at: sheets[1])
        },
        Damage("one sheet is there twice", finds: "tiles") { try $0.put($0.get(sheets[0]), at: sheets[1]) },
        Damage("the cues are removed", finds: "storyboard") { try $0.delete("images/storyboard/storyboard.vtt") },
        .edit("images/storyboard/storyboard.vtt", finds: "storyboard") { $0.replacing("=64,", with: "=0,") },
        .edit("images/storyboard/storyboard.vtt", finds: "storyboard") { $0.replacing("00:02", with: "00:01") },
        .edit("images/storyboard/playlist.m3u8", finds: "playlist") { $0.replacing("5x5", with: "5x4") },
        .edit("images/storyboard/playlist.m3u8", finds: "playlist") { $0.replacing("00002.jpg", with: "00001.jpg") },
        .edit("images/storyboard/playlist.m3u8", finds: "playlist") { $0.replacing("EXTINF:50", with: "EXTINF:40") },
        .edit("master.m3u8", finds: "playlist") { $0.replacing(/#EXT-X-IMAGE-STREAM-INF.*\n/, with: "") },
        .edit("manifest.mpd", finds: "mpd") { $0.replacing("value=\"5x5\"", with: "value=\"4x5\"") },
        .edit("manifest.mpd", finds: "mpd") { $0.replacing("images/$Rep", with: "image/$Rep") },
        Damage("the poster is removed", finds: "poster") { try $0.delete("poster.jpg") },
        Damage("the poster is truncated", finds: "poster") {
            try $0.put($0.get("poster.jpg").dropLast(100), at: "poster.jpg")
        },
        Damage("the poster is a sheet", finds: "poster") { try $0.put($0.get(sheets[0]), at: "poster.jpg") },
    ]

    @Test(arguments: damages)
    func damageToThePicturesIsDetected(_ damage: Damage) async throws {
        let report = try await Self.long.value.checks(damage.apply)
        #expect(report.problems.map(\.name).contains(damage.finds), "\(report.problems)")
    }

    @Test func aDamagedWebPPosterIsDetected() async throws {
        let output = try await Self.long.value
        guard StillImage.Format.webP.isAvailable else {
            #expect(try output.store.info(of: "poster.webp") == nil)
            return
        }
        let report = try output.checks { try $0.put($0.get("poster.webp").dropLast(9), at: "poster.webp") }
        #expect(report.problems.map(\.subject) == ["poster.webp"])
    }

    @Test func aStoryboardThatIsTurnedOffIsNotMade() async throws {
        let output = try await Self.transcode(grey: [UInt8](repeating: 90, count: 30)) { $0.storyboard = false }
        #expect(output.manifest.plan.images == nil)
        #expect(try output.store.list(prefix: "images/", after: nil, limit: 1) == [])
        #expect(!String(decoding: try output.store.get("master.m3u8"), as: UTF8.self).contains("IMAGE"))
        #expect(try abs(output.poster() - 90) < 8)
    }

    @Test func anAudioOnlyOutputHasNoPictures() async throws {
        let store = MemoryStore()
        let job = TranscodeJob(
            source: MemorySource(MemoryMedia.wav(samples: 20_000)), sourceName: "saw.wav",
            settings: TranscodeSettings(), store: store)
        let outcome = try await onDedicatedThread(name: "test job") { try job.run() }
        #expect(outcome.manifest.plan.images == nil)
        #expect(try store.list(prefix: "", after: nil, limit: 1000).allSatisfy { !$0.rawValue.hasSuffix("jpg") })
    }

    // MARK: Poster

    @Test(arguments: [
        // Black until the last key frame, until after it, and with one short picture in the middle of a GOP.
        [UInt8](repeating: 0, count: 80) + [UInt8](repeating: 120, count: 20),
        [UInt8](repeating: 0, count: 90) + [UInt8](repeating: 120, count: 10),
        [UInt8](repeating: 0, count: 48) + [UInt8](repeating: 120, count: 4) + [UInt8](repeating: 0, count: 20),
        // One picture alone.
        [120],
    ])
    func thePosterIsNotBlackIfAnythingCanBeSeen(grey: [UInt8]) async throws {
        let poster = try await Self.transcode(grey: grey).poster()
        #expect(abs(poster - 120) < 12, "\(poster)")
    }

    @Test func aBlackVideoHasABlackPoster() async throws {
        #expect(try await Self.transcode(grey: [UInt8](repeating: 0, count: 45)).poster() < 8)
    }

    @Test(arguments: [(0, 40), (2, 90), (2.95, 90), (4.5, 200), (9999, 200)] as [(Double, Int)])
    func thePosterIsTheFrameAtTheGivenTime(seconds: Double, expected: Int) async throws {
        let grey = (0..<50).map { UInt8($0 < 20 ? 40 : $0 < 30 ? 90 : 200) }
        let output = try await Self.transcode(grey: grey) { $0.posterAt = Rational(seconds: seconds) }
        let poster = try output.poster()
        #expect(abs(poster - expected) < 10, "\(poster)")
        #expect(try output.checks().problems == [])
    }

    // MARK: MP4 alone

    private func contents(of store: MemoryStore) throws -> [ObjectKey: Data] {
        try store.list(prefix: "", after: nil, limit: 10_000).reduce(into: [:]) { $0[$1] = try store.get($1) }
    }

    @Test func anOutputOfMP4AloneHasNoSegmentsAndIsVerified() async throws {
        let output = try await Self.transcode(grey: (0..<50).map { UInt8($0 * 4 + 20) }) { $0.formats = [.mp4] }
        let keys = Set(try output.store.list(prefix: "", after: nil, limit: 1000))
        #expect(keys.contains("mp4/36p.mp4") && keys.contains("images/storyboard/00001.jpg"))
        #expect(keys.allSatisfy { !$0.rawValue.hasPrefix("video/") && !$0.rawValue.hasSuffix(".m3u8") })
        #expect(keys == Set(output.manifest.files.map { ObjectKey($0.key) } + ["clairo.json"]))
        let report = try await onDedicatedThread(name: "test verify") { try Verifier(store: output.store).run() }
        #expect(report.problems == [])
        #expect(Set(report.checks.map(\.name)).isSuperset(of: ["decode", "mp4", "tiles", "poster", "checksum"]))
    }

    @Test func damageToAnOutputOfMP4AloneIsDetected() async throws {
        let key: ObjectKey = "mp4/36p.mp4"
        let output = try await Self.transcode(grey: (0..<50).map { UInt8($0 * 4 + 20) }) { $0.formats = [.mp4] }
        var data = try output.store.get(key)
        data.replaceSubrange(data.endIndex - 200..<data.endIndex - 100, with: Data(repeating: 0x5A, count: 100))
        try output.store.put(data, at: key)
        let report = try await onDedicatedThread(name: "test verify") { try Verifier(store: output.store).run() }
        #expect(report.problems.contains { $0.name == "checksum" && $0.subject == key.rawValue })
        #expect(report.problems.contains { $0.name == "decode" })
    }

    @Test func aSecondRunRemovesSegmentsThatAKilledOneLeft() async throws {
        let grey = [UInt8](repeating: 90, count: 30)
        let output = try await Self.transcode(grey: grey) { $0.formats = [.mp4] }
        let published = try contents(of: output.store)
        try output.store.put(Data("segment".utf8), at: output.manifest.plan.segmentKeys[1])
        let job = TranscodeJob(
            source: MemorySource(MemoryMedia.gif(width: 64, height: 36, grey: grey)), sourceName: "grey.gif",
            settings: output.manifest.plan.settings, store: output.store)
        let error = await #expect(throws: ClairoError.self) {
            try await onDedicatedThread(name: "test job") { try job.run() }
        }
        #expect(error?.exitCode == .cannotCreate)
        #expect(try contents(of: output.store) == published)
    }

    @Test func anInterruptedRemovalOfSegmentsIsFinishedByTheNextAttempt() async throws {
        let source = MemoryMedia.gif(width: 64, height: 36, grey: (0..<50).map { UInt8($0 * 4 + 20) })
        let job = TaskJob(
            source: MemorySource(source), name: "grey.gif",
            settings: TranscodeSettings(formats: [.mp4], preset: "ultrafast", segmentSeconds: 2))
        let run: TaskJob.Runner = { spec, io in
            try await onDedicatedThread(name: "test task") {
                try MediaTaskEngine().run(spec, io: io, stop: StopRequest())
            }
        }
        let (plan, _) = try await job.plan(run)
        _ = try await job.makeSegments(of: plan, run)
        let request = TaskSpec.FinishRequest(plan: plan, segments: try job.records(of: plan), warnings: [])
        let spec = job.spec(.finish(request))
        let store = try #require(job.output as? MemoryStore)
        let first = try await run(spec, job.io)
        let published = try contents(of: store)
        #expect(published.keys.allSatisfy { !$0.rawValue.hasSuffix(".m4s") })
        // One segment was not removed, the others are gone.
        try store.put(Data("segment".utf8), at: plan.segmentKeys[1])
        let second = try await run(spec, job.io)
        #expect(try contents(of: store) == published)
        #expect(second.renditions == first.renditions)
    }
}
