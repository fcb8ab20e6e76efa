import ClairoCore
import ClairoMedia
import ClairoStorage
import ClairoTestSupport
import Foundation

/// A clip that was transcoded by a whole job, and the result.
struct Transcoded {
    let folder: String
    let manifest: OutputManifest
    let resumedSegments: Int

    /// Runs a job in this process. By default it is fast, verified, and in every format.
    init(
        _ source: URL, into folder: String, settings: TranscodeSettings = .quick,
        subtitles: [SubtitleFile] = [], resources: TranscodeResources = TranscodeResources()
    ) async throws {
        let job = TranscodeJob(
            source: try FileByteSource(path: source.path), sourceName: source.lastPathComponent, settings: settings,
            subtitles: subtitles, resources: resources, store: DirectoryStore(root: URL(fileURLWithPath: folder)))
        let outcome = try await onDedicatedThread(name: "test job") { try job.run() }
        self.folder = folder
        manifest = outcome.manifest
        resumedSegments = outcome.resumedSegments
    }

    var plan: Plan { manifest.plan }
    var rungs: [Rung] { plan.video?.rungs ?? [] }
    var master: String { folder + "/master.m3u8" }

    func path(_ key: ObjectKey) -> String { folder + "/" + key.rawValue }
}

extension TranscodeSettings {
    /// Fast to encode, in segments of one GOP.
    static let quick = TranscodeSettings(preset: "ultrafast", segmentSeconds: 2)

    func with(_ change: (inout TranscodeSettings) -> Void) -> TranscodeSettings {
        var settings = self
        change(&settings)
        return settings
    }
}

/// The result of `SourceAnalyzer` for a file.
func probe(_ source: URL) async throws -> MediaInfo {
    let bytes = try FileByteSource(path: source.path)
    return try await onDedicatedThread(name: "test probe") {
        try SourceAnalyzer(source: bytes, name: source.lastPathComponent).scan().info
    }
}
