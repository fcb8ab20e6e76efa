internal import ClairoCore
internal import ClairoMedia
internal import ClairoMessaging
internal import ClairoMetrics

extension Exposition {
    /// Adds the versions of the program and its libraries. FFmpeg's are loaded to ask for theirs, so this belongs to a page and
    /// not to the start of a process.
    mutating func addBuildInfo() {
        add(.buildInfo, [Sample(1, clairoVersion, TranscodeJob.libraryVersion, KafkaQueue.libraryVersion)])
    }
}
