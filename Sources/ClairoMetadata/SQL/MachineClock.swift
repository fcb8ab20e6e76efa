internal import ClairoCore
internal import Foundation

/// The clocks of this machine. Tests replace them.
struct MachineClock: Sendable {
    /// The wall clock, which an operator or NTP may set.
    var wall: @Sendable () -> Timestamp = { .now }
    /// Microseconds since the machine started, including the time that it was suspended. Never set.
    var sinceBoot: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
    /// Differs after each start of the machine (random(4)). Empty if unknown.
    var bootID = Self.bootID

    private static let bootID =
        ((try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? "")
        .trimmingCharacters(in: .whitespacesAndNewlines)
}
