import ClairoExecutors
import ClairoTestSupport

extension VirtualClock {
    /// This clock for clients and executors of ECS.
    var clock: ECSClock { ECSClock(now: { self.now }, sleep: { self.sleep($0, unless: $1) }) }
}
