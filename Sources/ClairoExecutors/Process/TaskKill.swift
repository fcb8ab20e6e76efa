internal import ClairoCore
internal import Glibc

/// Why a task's process did not end by itself with a result.
public enum TaskKill: String, Sendable, CaseIterable {
    /// It got nowhere for too long, or ran for too long, and was ended.
    case stalled, wallTime
    /// It ran into its limits.
    case cpuTime, memory
    /// It asked the kernel for what it may not.
    case forbiddenCall
    /// It crashed, or was killed by somebody else.
    case crash
    /// It did not keep to the protocol, or ended without a word.
    case badProtocol, noResult
}

extension TaskKill {
    init?(_ server: TaskServer.Ending?, _ ending: TaskExit) {
        switch server {
        case .result: return nil
        case .failure: return nil
        case .broken: self = .badProtocol
        case nil:
            switch ending {
            case .signaled(SIGXCPU): self = .cpuTime
            case .signaled(SIGSYS): self = .forbiddenCall
            case .signaled: self = .crash
            case .exited: self = .noResult
            case .outOfMemory: self = .memory
            case .lost: return nil
            }
        }
    }
}
