internal import Foundation

/// How the work of a whole job is done; none of this changes the result.
///
/// What is not given is looked up here and not where the job runs, which may be a sandbox that hides it.
public struct TranscodeResources: Sendable, Hashable, Codable {
    /// Chunks at once; nil lets cores and memory decide.
    public var jobs: Int?
    /// Bytes that may be used.
    public var memory: Int64
    /// Processor cores that may be used.
    public var cores: Int
    /// Whether the output is decoded and checked at the end.
    public var verifies: Bool
    /// Replaces an existing output.
    public var force: Bool

    /// - Parameters:
    ///   - memory: nil for three quarters of what there is.
    ///   - cores: nil for all that there are.
    public init(
        jobs: Int? = nil, memory: Int64? = nil, cores: Int? = nil, verifies: Bool = true, force: Bool = false
    ) {
        self.jobs = jobs
        self.memory = memory ?? MachineMemory.bytes / 4 * 3
        self.cores = cores ?? ProcessInfo.processInfo.activeProcessorCount
        self.verifies = verifies
        self.force = force
    }
}
