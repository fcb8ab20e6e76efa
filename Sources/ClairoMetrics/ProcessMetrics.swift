internal import Foundation
internal import Glibc

/// Operating system metrics of this process, under the standard names of Prometheus clients. Source:
/// https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics, proc(5)
public enum ProcessMetrics {
    private static let cpu = MetricFamily.counter(
        "process_cpu_seconds_total", "User and system CPU time of this process without its children, in seconds")
    private static let openFiles = MetricFamily.gauge("process_open_fds", "Open file descriptors")
    private static let maxFiles = MetricFamily.gauge("process_max_fds", "Maximum number of open file descriptors")
    private static let virtual = MetricFamily.gauge("process_virtual_memory_bytes", "Virtual memory in bytes")
    private static let resident = MetricFamily.gauge("process_resident_memory_bytes", "Resident memory in bytes")
    private static let start = MetricFamily.gauge(
        "process_start_time_seconds", "Start time of this process, in seconds since 1970")

    /// Adds the available metrics. Unreadable ones are omitted.
    public static func write(to page: inout Exposition) {
        // Field 2, the process name, is in parentheses and may contain any character. Fields 3 and up follow, separated
        // by spaces.
        if let stat = text("/proc/self/stat"), let end = stat.lastIndex(of: ")") {
            let fields = stat[stat.index(after: end)...].split(separator: " ")
            let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
            if fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
                let began = Double(fields[19]), let bytes = Double(fields[20]), let pages = Double(fields[21])
            {
                page.add(cpu, (user + system) / ticks)
                if let boot = bootTime { page.add(start, boot + began / ticks) }
                page.add(virtual, bytes)
                page.add(resident, pages * Double(sysconf(Int32(_SC_PAGESIZE))))
            }
        }
        if let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            // One entry is the descriptor that lists this folder.
            page.add(openFiles, Double(max(0, names.count - 1)))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            page.add(maxFiles, Double(limit.rlim_cur))
        }
    }

    private static let bootTime: Double? = text("/proc/stat")?.split(separator: "\n")
        .first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }

    private static func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
}
