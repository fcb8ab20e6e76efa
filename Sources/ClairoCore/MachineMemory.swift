internal import Foundation

/// The memory that this process and its children have together.
public enum MachineMemory {
    /// Bytes: what the machine has, or what a control group (version 2) on the way up from this process's leaves of it,
    /// such as a container's or a systemd unit's (MemoryMax=).
    public static let bytes: Int64 = bytes(
        physical: Int64(clamping: ProcessInfo.processInfo.physicalMemory), read: text)

    /// How many processes the kernel has ended for lack of memory, here or on the whole machine, as far as that is told. It
    /// grows before the process is gone.
    public static var outOfMemoryKills: Int { outOfMemoryKills(read: text) }

    private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    /// - Parameter read: gives a file of /proc or /sys; nil where there is none.
    static func bytes(physical: Int64, read: (String) -> String?) -> Int64 {
        var names = group(read)
        var least = physical
        while true {
            // `max` is no number, and no limit.
            if let limit = read(file("memory.max", names)).flatMap({ Int64($0.trimmingCharacters(in: .newlines)) }) {
                least = min(least, limit)
            }
            if names.popLast() == nil { return least }
        }
    }

    static func outOfMemoryKills(read: (String) -> String?) -> Int {
        // One of them may be hidden from a service, so both are asked; only that the sum grows is of interest.
        ["/proc/vmstat", file("memory.events", group(read))].reduce(0) { sum, path in
            let line = read(path)?.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
            return sum + (line.flatMap { Int($0.dropFirst("oom_kill ".count)) } ?? 0)
        }
    }

    /// Names on the way down to this process's control group; cgroups(7): the line `0::/path` for version 2.
    private static func group(_ read: (String) -> String?) -> [Substring] {
        let line = read("/proc/self/cgroup")?.split(separator: "\n").first { $0.hasPrefix("0::/") }
        return line?.dropFirst("0::".count).split(separator: "/") ?? []
    }

    private static func file(_ name: String, _ group: [Substring]) -> String {
        (["/sys/fs/cgroup"] + group + [Substring(name)]).joined(separator: "/")
    }
}
