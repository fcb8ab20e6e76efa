internal import ClairoCore
internal import ClairoMedia
internal import ClairoMessaging
internal import ClairoMetrics

extension Exposition {
    /// Adds the versions of the program and its libraries.
    mutating func addBuildInfo() {
        add(.buildInfo, [Sample(1, clairoVersion, TranscodeJob.libraryVersion, KafkaQueue.libraryVersion)])
    }
}
