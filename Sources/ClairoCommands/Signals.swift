internal import ClairoCore
internal import ClairoMedia
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Turns Ctrl-C and SIGTERM into a request to stop; a second signal ends the process at once.
enum Signals {
    /// Runs `body`; where a signal stopped it, the error carries that signal's exit code.
    static func stopping<R: Sendable>(_ control: JobControl, _ body: () async throws -> R) async throws -> R {
        let received = Received()
        let sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if received.note(number) { _exit(128 + number) }
                control.cancel()
            }
            source.resume()
            return source
        }
        defer {
            sources.forEach { $0.cancel() }
            for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
        }
        do {
            return try await body()
        } catch let error as ClairoError where error.kind == .cancelled {
            throw ClairoError(
                kind: .cancelled, exitCode: received.first == SIGTERM ? .terminated : .interrupted,
                "Stopped; what is finished is kept", advice: "Run the same command again to go on.")
        }
    }

    private final class Received: Sendable {
        private let number = Mutex<Int32?>(nil)
        var first: Int32? { number.withLock { $0 } }

        /// - Returns: whether one came before.
        func note(_ signal: Int32) -> Bool {
            number.withLock { number in
                defer { number = number ?? signal }
                return number != nil
            }
        }
    }
}
