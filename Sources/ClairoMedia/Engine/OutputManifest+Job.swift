internal import ClairoCore
internal import Foundation

extension OutputManifest {
    /// The manifest of a job that is about to start.
    init(of plan: Plan, warnings: [MediaWarning]) throws {
        self.init(
            state: .running, generator: TranscodeJob.generator, planID: try Self.planID(plan), plan: plan,
            warnings: warnings)
    }

    /// A SHA-256 of everything that determines the bytes of the output.
    private static func planID(_ plan: Plan) throws -> String {
        var essence = plan
        essence.source.name = ""
        essence.chunks = []
        essence.prediction = Prediction(bytes: 0, cpuSeconds: 0)
        return Checksum.sha256(try JSON.encode(essence) + Data(TranscodeJob.generator.utf8))
    }

    /// Whether the output was committed and everything that it names exists.
    func isComplete(in store: any ObjectStore) throws -> Bool {
        guard state == .complete else { return false }
        return try files.allSatisfy { try store.size(of: ObjectKey($0.key)) == $0.bytes }
    }

    /// Adds the measured properties of the renditions.
    mutating func describe(_ presentation: Presentation) {
        let target = HLSPlaylist.targetDuration(of: presentation)
        let frames = plan.video?.grid.frameCount ?? 0
        renditions = presentation.video.map { rendition in
            RenditionRecord(
                name: rendition.rung.id, size: rendition.rung.size, codec: rendition.codec,
                frameRate: rendition.frameRate, frameCount: frames, duration: plan.duration.doubleValue,
                averageRate: rendition.segments.averageRate,
                peakRate: HLSPlaylist.peakRate(of: rendition.segments, targetDuration: target),
                bytes: rendition.bytes)
        }
        audio = presentation.audio.map { rendition in
            AudioRecord(
                name: rendition.track.id, language: rendition.track.language, codec: rendition.codec,
                channels: rendition.track.channels, duration: rendition.track.duration.doubleValue,
                averageRate: rendition.segments.averageRate,
                bytes: rendition.bytes)
        }
    }
}
