internal import Foundation

/// The memory available to this process and its children.
public enum MachineMemory {
    /// In bytes: the machine's memory, or the lowest limit of the process's cgroup (version 2) and its ancestors, such
    /// as a container's or a systemd unit's (MemoryMax=).
    public static let bytes: Int64 = bytes(
        physical: Int64(clamping: ProcessInfo.processInfo.physicalMemory), read: text)

    /// In bytes: the memory that one process like this one can use. As `bytes`, or less if this process was started with
    /// a lower limit (getrlimit(2)).
    public static let ofOneProcess: Int64 = min(bytes, limit(read: text) ?? .max)

    /// The number of processes that the kernel has killed for lack of memory, in this cgroup or on the whole machine,
    /// as far as visible. It increases before the process is gone.
    public static var outOfMemoryKills: Int { outOfMemoryKills(read: text) }

    private static func text(_ path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    /// - Parameter read: Returns the content of a file in /proc or /sys, or nil if there is none.
    static func bytes(physical: Int64, read: (String) -> String?) -> Int64 {
        var names = group(read)
        var least = physical
        while true {
            // `max` is not a number: no limit.
            if let limit = read(file("memory.max", names)).flatMap({ Int64($0.trimmingCharacters(in: .newlines)) }) {
                least = min(least, limit)
            }
            if names.popLast() == nil { return least }
        }
    }

    /// The memory limit of this process; proc(5): lines of /proc/self/limits such as `Max data size  1024  unlimited
    /// bytes`.
    static func limit(read: (String) -> String?) -> Int64? {
        let lines = read("/proc/self/limits")?.split(separator: "\n") ?? []
        func soft(_ name: String) -> Int64? {
            lines.first { $0.hasPrefix(name) }?.dropFirst(name.count).split(separator: " ").first.flatMap { Int64($0) }
        }
        // Libraries, stacks and reserved space also count as address space.
        return [soft("Max data size"), soft("Max address space").map { $0 / 2 }].compactMap(\.self).min()
    }

    static func outOfMemoryKills(read: (String) -> String?) -> Int {
        // A service may not see one of the files, so both are summed. Only an increase of the sum matters.
        ["/proc/vmstat", file("memory.events", group(read))].reduce(0) { sum, path in
            let line = read(path)?.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }
            return sum + (line.flatMap { Int($0.dropFirst("oom_kill ".count)) } ?? 0)
        }
    }

    /// The path of this process's cgroup; cgroups(7): the line `0::/path` for version 2.
    private static func group(_ read: (String) -> String?) -> [Substring] {
        let line = read("/proc/self/cgroup")?.split(separator: "\n").first { $0.hasPrefix("0::/") }
        return line?.dropFirst("0::".count).split(separator: "/") ?? []
    }

    private static func file(_ name: String, _ group: [Substring]) -> String {
        (["/sys/fs/cgroup"] + group + [Substring(name)]).joined(separator: "/")
    }
}
