internal import ClairoCore

/// A limit that this process was started with and that its tasks cannot exceed. An operator or user has set it, so an
/// error that it causes names it.
struct InheritedLimit: Sendable, Hashable, CustomStringConvertible {
    var resource: ResourceLimit.Resource
    /// In bytes, or seconds of CPU time.
    var value: Int64

    /// The least memory of any task in bytes. Measured on two cores: with 500 MB of address space and 100 MB of data, a
    /// video of 320x180 is transcoded; with less, FFmpeg's libraries or threads do not fit.
    private static let least: [ResourceLimit.Resource: Int64] = [.addressSpace: 768 << 20, .data: 128 << 20]
    /// The memory in bytes below which the limit, and not a defect, is the likely reason of a crash: what a ladder from
    /// 4K needs.
    private static let usual: Int64 = 2 << 30

    var isMemory: Bool { resource == .data || resource == .addressSpace }
    var isTooLow: Bool { Self.least[resource].map { value < $0 } ?? false }
    /// Whether a task may crash because of this limit. Not every library checks its allocations.
    var mayCrashTasks: Bool { isMemory && value < Self.usual }

    /// `1024 MiB of address space`
    var description: String {
        switch resource {
        case .addressSpace: "\(value >> 20) MiB of address space"
        case .data: "\(value >> 20) MiB of data"
        case .cpuTime: "\(value) s of CPU time"
        case .fileSize, .openFiles, .core: "\(value)"
        }
    }

    private var advice: String {
        let (option, setting) =
            switch resource {
            case .addressSpace: ("-v", "LimitAS=")
            case .data: ("-d", "LimitDATA=")
            case .cpuTime: ("-t", "LimitCPU=")
            case .fileSize: ("-f", "LimitFSIZE=")
            case .openFiles: ("-n", "LimitNOFILE=")
            case .core: ("-c", "LimitCORE=")
            }
        return "Raise the limit: ulimit \(option), \(setting) of a systemd unit, or that of the batch system."
    }

    /// The error of a task that exceeded this limit. It counts as an attempt, because the media may be the reason.
    /// - Parameter what: What happened, such as `The task's process crashed (signal 6)`.
    func error(_ what: String) -> ClairoError {
        ClairoError(
            kind: .transient, exitCode: .configuration,
            "\(what); this process was started with a limit of \(self), which a task cannot exceed", advice: advice)
    }

    /// The error if no task fits into this limit.
    var refusal: ClairoError {
        let least = (Self.least[resource] ?? 0) >> 20
        return .configuration(
            "This process was started with a limit of \(self), and a task needs \(least) MiB", advice: advice)
    }
}
