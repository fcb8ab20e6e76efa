public import ClairoCore

/// Starts the deletion of a video. `VideoRemoval` removes its bytes, here or in another process.
public struct VideoDeletion: Sendable {
    private let metadata: any DeletionRecords
    private let messages: JobMessages

    /// - Parameter messages: Creates the event of a job that the deletion cancels.
    public init(metadata: any DeletionRecords, messages: JobMessages = JobMessages()) {
        self.metadata = metadata
        self.messages = messages
    }

    /// Makes a video `deleting`, whatever its state. From then on it can be neither started, resumed nor cancelled, and
    /// its workers cannot end a task. Idempotent.
    /// - Returns: The video; nil if it does not exist.
    public func begin(_ id: VideoID) async throws(ClairoError) -> Video? {
        try await metadata.beginDeletion(of: id) { [messages] job in messages.event(.cancelled, job: job) }
    }

    /// The error of an operation on a video that is being deleted.
    static func refusal(of id: VideoID) -> ClairoError {
        .usage("Video \(id) is being deleted", advice: "Upload it again.")
    }
}
