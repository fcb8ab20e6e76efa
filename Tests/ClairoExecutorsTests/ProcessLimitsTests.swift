import ClairoCore
import Testing

@testable import ClairoExecutors

@Suite struct ProcessLimitsTests {
    private static let gibibyte: Int64 = 1 << 30

    @Test(arguments: [
        // Alone, a task leaves a quarter to the rest.
        (total: 16, tasks: 1, limit: 12), (total: 16, tasks: 2, limit: 12),
        // Twice its share.
        (total: 64, tasks: 16, limit: 6), (total: 16, tasks: 4, limit: 6),
        // What a ladder from 4K needs, while there is so much.
        (total: 16, tasks: 64, limit: 2), (total: 2, tasks: 8, limit: 1),
    ])
    func memoryFollowsFromTheMachineAndTheTasksAtOnce(total: Int64, tasks: Int, limit: Int64) {
        let most = total * Self.gibibyte / 4 * 3
        #expect(
            ProcessLimits.memory(of: total * Self.gibibyte, tasks: tasks)
                == (limit == 1 ? most : limit * Self.gibibyte))
    }

    @Test func aJobByHandHasNoEndOfTimeAndIsStillWatched() {
        let limits = ProcessLimits.byHand
        #expect(limits.wallSeconds > 1e9 && limits.cpuSeconds > 1_000_000_000)
        #expect(limits.stallSeconds == ProcessLimits().stallSeconds)
        #expect(limits.memory == MachineMemory.bytes && limits.memory >= ProcessLimits().memory)
    }
}
