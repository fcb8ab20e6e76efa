import Testing

@testable import ClairoCore

@Suite struct MachineMemoryTests {
    private static let physical: Int64 = 16 << 30

    private func bytes(_ files: [String: String]) -> Int64 {
        MachineMemory.bytes(physical: Self.physical) { files[$0] }
    }

    @Test func withoutAControlGroupTheLimitIsTheMachinesMemory() {
        #expect(bytes([:]) == Self.physical)
        #expect(bytes(["/proc/self/cgroup": "9:memory:/x\n0::/\n"]) == Self.physical)
        #expect(bytes(["/sys/fs/cgroup/memory.max": "max\n"]) == Self.physical)
    }

    /// In a container, its own group is the root.
    @Test func aContainersLimitAppliesUpToThePhysicalMemory() {
        #expect(
            bytes(["/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "2147483648\n"]) == 2 << 30)
        #expect(bytes(["/sys/fs/cgroup/memory.max": "\(Self.physical * 2)\n"]) == Self.physical)
    }

    @Test func theLowestLimitOfAllParentGroupsApplies() {
        let unit = "/sys/fs/cgroup/system.slice/clairo.service/memory.max"
        let slice = "/sys/fs/cgroup/system.slice/memory.max"
        let own = ["/proc/self/cgroup": "1:name=systemd:/y\n0::/system.slice/clairo.service\n"]
        #expect(bytes(own.merging([unit: "4294967296\n", slice: "max\n"]) { $1 }) == 4 << 30)
        #expect(bytes(own.merging([unit: "max\n", slice: "1073741824\n"]) { $1 }) == 1 << 30)
        #expect(bytes(own.merging([unit: "4294967296\n", slice: "1073741824\n"]) { $1 }) == 1 << 30)
    }

    /// The columns are the soft limit, the hard limit and the unit (proc(5)).
    @Test func theLimitsOfTheProcessLowerItsMemory() {
        func limit(data: String, space: String) -> Int64? {
            let text = """
                Limit                     Soft Limit           Hard Limit           Units
                Max cpu time              unlimited            unlimited            seconds
                Max data size             \(data)            unlimited            bytes
                Max address space         \(space)            unlimited            bytes

                """
            return MachineMemory.limit { $0 == "/proc/self/limits" ? text : nil }
        }
        #expect(limit(data: "unlimited", space: "unlimited") == nil)
        #expect(limit(data: "1073741824", space: "unlimited") == 1 << 30)
        // Half, because libraries and reserved space count too.
        #expect(limit(data: "unlimited", space: "1073741824") == 1 << 29)
        #expect(limit(data: "268435456", space: "1073741824") == 1 << 28)
        #expect(MachineMemory.limit { _ in nil } == nil)
    }

    @Test func outOfMemoryKillsAreCountedFromEverySource() {
        func kills(_ files: [String: String]) -> Int { MachineMemory.outOfMemoryKills { files[$0] } }
        #expect(kills([:]) == 0)
        #expect(kills(["/proc/vmstat": "pgfault 7\noom_kill 3\n"]) == 3)
        #expect(
            kills([
                "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.events": "oom 5\noom_kill 2\n",
                "/proc/vmstat": "oom_kill 3\n",
            ]) == 5)
    }
}
