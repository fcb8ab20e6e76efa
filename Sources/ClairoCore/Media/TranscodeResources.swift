internal import Foundation

/// The resources of a whole job. They do not change the result.
///
/// Defaults are determined here, and not in the process that runs the job, because its sandbox may hide them.
public struct TranscodeResources: Sendable, Hashable, Codable {
    /// The number of concurrent chunks, or nil to derive it from cores and memory.
    public var jobs: Int?
    /// The memory budget in bytes.
    public var memory: Int64
    /// Processor cores that may be used.
    public var cores: Int
    /// Whether the output is decoded and checked at the end.
    public var verifies: Bool
    /// Whether to replace an existing output.
    public var force: Bool

    /// - Parameters:
    ///   - memory: Nil for three quarters of the memory that a process can use here.
    ///   - cores: Nil for all cores.
    public init(
        jobs: Int? = nil, memory: Int64? = nil, cores: Int? = nil, verifies: Bool = true, force: Bool = false
    ) {
        self.jobs = jobs
        self.memory = memory ?? MachineMemory.ofOneProcess / 4 * 3
        self.cores = cores ?? ProcessInfo.processInfo.activeProcessorCount
        self.verifies = verifies
        self.force = force
    }
}
