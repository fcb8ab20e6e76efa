internal import ClairoCore
internal import Glibc

/// Why a task's process ended without a result.
public enum TaskKill: String, Sendable, CaseIterable {
    /// It made no progress or took too long, and was killed.
    case stalled, wallTime
    /// It exceeded a limit.
    case cpuTime, memory
    /// It made a forbidden system call.
    case forbiddenCall
    /// It crashed, or was killed from outside.
    case crash
    /// It violated the protocol, or ended without a final message.
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
