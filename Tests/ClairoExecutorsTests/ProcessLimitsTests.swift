import ClairoCore
import Testing

@testable import ClairoExecutors

@Suite struct ProcessLimitsTests {
    private static let gibibyte: Int64 = 1 << 30

    @Test(arguments: [
        // A single task leaves a quarter of the memory to the rest of the system.
        (total: 16, tasks: 1, limit: 12), (total: 16, tasks: 2, limit: 12),
        // Twice its share.
        (total: 64, tasks: 16, limit: 6), (total: 16, tasks: 4, limit: 6),
        // The requirement of a 4K ladder, if the machine has that much.
        (total: 16, tasks: 64, limit: 2), (total: 2, tasks: 8, limit: 1),
    ])
    func theMemoryLimitDependsOnTheMachineAndTheConcurrentTasks(total: Int64, tasks: Int, limit: Int64) {
        let most = total * Self.gibibyte / 4 * 3
        #expect(
            ProcessLimits.memory(of: total * Self.gibibyte, tasks: tasks)
                == (limit == 1 ? most : limit * Self.gibibyte))
    }

    @Test func anInteractiveJobHasNoTimeLimitButAStallLimit() {
        let limits = ProcessLimits.byHand
        #expect(limits.wallSeconds > 1e9 && limits.cpuSeconds > 1_000_000_000)
        #expect(limits.stallSeconds == ProcessLimits().stallSeconds)
        #expect(limits.memory == MachineMemory.bytes && limits.memory >= ProcessLimits().memory)
    }

    // MARK: Limits of this process

    private static let mebibyte: Int64 = 1 << 20

    /// The limits of a task with 4 GiB and an hour, in a process with these limits.
    private func limits(
        data: UInt64 = .max, addressSpace: UInt64 = .max, cpuTime: UInt64 = .max
    ) -> ProcessLimits {
        ProcessLimits(memory: 4 << 30, cpuSeconds: 3600).withinThisProcess { resource in
            let value: UInt64 =
                switch resource {
                case .data: data
                case .addressSpace: addressSpace
                case .cpuTime: cpuTime
                case .fileSize, .openFiles, .core: .max
                }
            return ResourceLimit(soft: value, hard: value)
        }
    }

    @Test func limitsOfThisProcessThatAreNotLowerChangeNothing() {
        #expect(limits() == ProcessLimits(memory: 4 << 30, cpuSeconds: 3600))
        #expect(limits(data: 4 << 30, addressSpace: 8 << 30, cpuTime: 3610).inherited == [])
    }

    @Test func lowerLimitsOfThisProcessApplyAndAreKnown() {
        let lowered = limits(data: 1 << 30, addressSpace: 3 << 30, cpuTime: 100)
        #expect(lowered.memory == 1 << 30)
        #expect(lowered.cpuSeconds == 90)
        #expect(
            lowered.inherited.map(\.description)
                == ["1024 MiB of data", "3072 MiB of address space", "90 s of CPU time"])
    }

    /// SIGXCPU must arrive before SIGKILL, so the soft limit stays below the hard one.
    @Test(arguments: [(600, 600, 590), (15, 15, 8), (1, 1, 1)] as [(UInt64, UInt64, UInt64)])
    func theSoftLimitOfTimeStaysBelowAHardLimit(hard: UInt64, newHard: UInt64, newSoft: UInt64) {
        let limit = ResourceLimit.cpuTime(3600).lowered(to: ResourceLimit(soft: hard, hard: hard))
        #expect(limit == ResourceLimit(soft: newSoft, hard: newHard))
    }

    @Test func aSoftLimitOfThisProcessAppliesToo() {
        #expect(
            ResourceLimit(64).lowered(to: ResourceLimit(soft: 32, hard: 4096)) == ResourceLimit(soft: 32, hard: 64))
        #expect(ResourceLimit(64).lowered(to: .unlimited) == ResourceLimit(64))
    }

    @Test func aProcessWithTooLittleMemoryForAnyTaskIsRefused() throws {
        try limits(data: UInt64(128 * Self.mebibyte), addressSpace: UInt64(768 * Self.mebibyte)).checkInherited()
        for low in [limits(data: UInt64(100 * Self.mebibyte)), limits(addressSpace: UInt64(400 * Self.mebibyte))] {
            let error = #expect(throws: ClairoError.self) { try low.checkInherited() }
            #expect(error?.exitCode == .configuration)
            #expect(error?.message.contains("MiB") == true && error?.advice?.contains("ulimit") == true)
        }
    }
}
