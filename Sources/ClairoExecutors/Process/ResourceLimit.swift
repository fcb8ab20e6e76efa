internal import Glibc

/// The soft and the hard limit of one resource of a process (getrlimit(2)).
struct ResourceLimit: Sendable, Hashable {
    /// The resources that tasks are limited in.
    enum Resource: Sendable {
        case data, addressSpace, cpuTime, fileSize, openFiles, core

        /// The number of the resource in system calls.
        var number: Int32 {
            switch self {
            case .data: Int32(RLIMIT_DATA.rawValue)
            case .addressSpace: Int32(RLIMIT_AS.rawValue)
            case .cpuTime: Int32(RLIMIT_CPU.rawValue)
            case .fileSize: Int32(RLIMIT_FSIZE.rawValue)
            case .openFiles: Int32(RLIMIT_NOFILE.rawValue)
            case .core: Int32(RLIMIT_CORE.rawValue)
            }
        }
    }

    var soft: UInt64
    var hard: UInt64

    /// RLIM_INFINITY, a macro that Swift does not import.
    static let unlimited = ResourceLimit(soft: .max, hard: .max)

    /// Seconds between the soft limit of CPU time, which sends SIGXCPU and so identifies the cause, and the hard one,
    /// which sends SIGKILL.
    private static let warningSeconds: UInt64 = 10

    init(soft: UInt64, hard: UInt64) { (self.soft, self.hard) = (soft, hard) }

    init(_ value: Int64) { self.init(soft: UInt64(max(0, value)), hard: UInt64(max(0, value))) }

    static func cpuTime(_ seconds: Int) -> ResourceLimit {
        let soft = UInt64(max(0, seconds))
        return ResourceLimit(soft: soft, hard: soft + warningSeconds)
    }

    static func ofThisProcess(_ resource: Resource) -> ResourceLimit {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(UInt32(resource.number)), &limit) == 0 else { return .unlimited }
        return ResourceLimit(soft: UInt64(limit.rlim_cur), hard: UInt64(limit.rlim_max))
    }

    /// The smaller of both limits. If they differ here, they still do afterwards, as far as possible.
    func lowered(to inherited: ResourceLimit) -> ResourceLimit {
        let hard = min(hard, inherited.hard)
        let distance = min(self.hard - min(self.soft, self.hard), hard / 2)
        return ResourceLimit(soft: min(soft, inherited.soft, hard - distance), hard: hard)
    }
}
