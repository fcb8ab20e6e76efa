import ClairoCore
import ClairoTestSupport
import Foundation

extension PipelineSite {
    /// Registers a file without probing it, as if it had passed the probe.
    func uploadWithoutProbe(_ path: String) async throws -> VideoID {
        let id = VideoID.make()
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        let raw = try site.rawStore()
        let key = Video.sourceKey(id)
        try await onDedicatedThread(name: "put") { try raw.put(data, at: key) }
        let sample = MetadataSamples.video(id: id, name: (path as NSString).lastPathComponent)
        let video = Video(
            id: id, title: nil, originalName: sample.originalName, profile: "default", priority: .normal,
            source: raw.location(of: key), size: Int64(data.count), sha256: Checksum.sha256(data), media: sample.media,
            traceID: sample.traceID, uploadedAt: .now)
        let message = OutboxMessage(
            id: .make(), topic: UploadMessage.topic, key: id.rawValue, headers: ["schema": "1"],
            payload: try JSON.encode(UploadMessage(video), pretty: false), createdAt: .now)
        _ = try await site.inspect { try await $0.register(video, message: message, upload: nil) }
        return id
    }
}
