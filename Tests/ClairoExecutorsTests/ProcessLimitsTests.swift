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
}
