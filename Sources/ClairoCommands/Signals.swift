internal import ClairoCore
internal import Dispatch
internal import Glibc
internal import Synchronization

/// Turns Ctrl-C and SIGTERM into a request to stop; a second signal ends the process at once.
enum Signals {
    /// Runs `body`; where a signal stopped it, the error carries that signal's exit code.
    /// - Parameter works: whether there is anything to go on with.
    static func stopping<R: Sendable>(
        _ stop: StopRequest, works: Bool = true, _ body: () async throws -> R
    ) async throws -> R {
        let received = Received(works: works)
        let sources = watch(received, stop)
        defer { forget(sources) }
        do {
            return try await body()
        } catch let error as ClairoError where error.kind == .cancelled {
            throw received.error
        }
    }

    /// The same for a body that blocks the thread that it is called on.
    static func stopping<R>(_ stop: StopRequest, blocking body: () throws(ClairoError) -> R) throws(ClairoError) -> R {
        let received = Received(works: true)
        let sources = watch(received, stop)
        defer { forget(sources) }
        do throws(ClairoError) {
            return try body()
        } catch {
            throw error.kind == .cancelled ? received.error : error
        }
    }

    private static func watch(_ received: Received, _ stop: StopRequest) -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if received.note(number) { _exit(128 + number) }
                stop.cancel()
            }
            source.resume()
            return source
        }
    }

    private static func forget(_ sources: [any DispatchSourceSignal]) {
        sources.forEach { $0.cancel() }
        for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
    }

    private final class Received: Sendable {
        private let number = Mutex<Int32?>(nil)
        private let works: Bool

        init(works: Bool) { self.works = works }

        var error: ClairoError {
            ClairoError(
                kind: .cancelled, exitCode: number.withLock { $0 } == SIGTERM ? .terminated : .interrupted,
                works ? "Stopped; what is finished is kept" : "Stopped",
                advice: works ? "Run the same command again to go on." : nil)
        }

        /// - Returns: whether one came before.
        func note(_ signal: Int32) -> Bool {
            number.withLock { number in
                defer { number = number ?? signal }
                return number != nil
            }
        }
    }
}
