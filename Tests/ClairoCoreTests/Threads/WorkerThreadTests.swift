import ClairoCore
import Foundation
import Glibc
import Synchronization
import Testing

@Suite struct WorkerThreadTests {
    @Test func joinRethrowsTheErrorOfTheBody() {
        let error = ClairoError.badMedia("x")
        #expect(WorkerThread(name: "fails") { throw error }.join() as? ClairoError == error)
        #expect(WorkerThread(name: "ends") {}.join() == nil)
    }

    @Test func aThreadHasItsNameAndItsNiceness() {
        let seen = Mutex<(name: String, niceness: Int32)?>(nil)
        let thread = WorkerThread(name: "nice-thread", niceness: 7) {
            seen.withLock {
                $0 = (Thread.current.name ?? "", getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0))
            }
        }
        #expect(thread.join() == nil)
        #expect(seen.withLock { $0?.name } == "nice-thread")
        #expect(seen.withLock { $0?.niceness } == 7)
    }

    @Test func aDedicatedThreadReturnsItsResult() async {
        // A body that does not throw needs no `try`.
        #expect(await onDedicatedThread(name: "result") { 42 } == 42)
        #expect(await onDedicatedThread(name: "own-thread") { Thread.current.name } == "own-thread")
    }

    @Test func aDedicatedThreadThrowsWhatItsBodyThrows() async {
        do throws(ClairoError) {
            try await onDedicatedThread(name: "error") { () throws(ClairoError) in throw .cancelled }
            Issue.record("It did not throw")
        } catch {
            // The error is typed, so no cast is needed.
            #expect(error.kind == .cancelled)
        }
    }
}
