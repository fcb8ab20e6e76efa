import ClairoExecutors
import ClairoTestSupport

extension VirtualClock {
    /// This clock for ECS clients and executors.
    var clock: ECSClock { ECSClock(now: { self.now }, sleep: { self.sleep($0, unless: $1) }) }
}
