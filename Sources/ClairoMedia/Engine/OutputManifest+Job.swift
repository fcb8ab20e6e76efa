internal import ClairoCore
internal import Foundation

extension OutputManifest {
    /// The manifest of a job that is about to start.
    init(of plan: Plan, warnings: [MediaWarning]) throws {
        self.init(
            state: .running, generator: TranscodeJob.generator, planID: try Self.planID(plan), plan: plan,
            warnings: warnings)
    }

    /// Takes over what an earlier run of the same plan measured.
    mutating func continueMeasurements(of earlier: OutputManifest) {
        plan.note(
            Dictionary(
                earlier.plan.audio.compactMap { track in track.loudness.map { (track.id, $0) } },
                uniquingKeysWith: { first, _ in first }))
    }

    /// A SHA-256 of everything that determines the bytes of the output.
    private static func planID(_ plan: Plan) throws -> String {
        var essence = plan
        essence.source.name = ""
        essence.chunks = []
        for index in essence.audio.indices { essence.audio[index].loudness = nil }
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
        renditions = presentation.renditions.map { rendition in
            var record = RenditionRecord(
                id: rendition.keys.id, kind: rendition.keys.kind, codec: rendition.codec, size: rendition.size,
                duration: rendition.duration.doubleValue, averageRate: rendition.segments.averageRate,
                peakRate: HLSPlaylist.peakRate(of: rendition.segments, targetDuration: target),
                bytes: rendition.bytes)
            rendition.describe(&record)
            return record
        }
    }
}

extension Plan {
    /// Notes what was measured of tracks of audio, by their ids.
    mutating func note(_ loudness: [String: AudioLoudness]) {
        for index in audio.indices { audio[index].loudness = loudness[audio[index].id] ?? audio[index].loudness }
    }
}
