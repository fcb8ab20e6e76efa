import ClairoCore
import ClairoMessaging
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// The runtime loop with a substitute for Lambda's runtime API.
@Suite struct LambdaRuntimeTests {
    @Test func eventsAreHandledInOrderAndAFailureDoesNotEndTheLoop() async throws {
        let api = try LambdaRuntimeAPI(["{\"n\":3}", "{\"n\":2}", "{\"n\":1}"])
        defer { api.stop() }
        let runtime = try LambdaRuntime(environment: api.environment)
        let stop = StopRequest()
        let seen = Mutex<[LambdaRuntime.Event]>([])
        async let running: Void = runtime.run(until: stop) { (event) throws(ClairoError) in
            seen.withLock { $0.append(event) }
            if event.requestID == "request-2" { throw .temporary("The queue is away", advice: "Wait.") }
            return Data("{\"done\":\"\(event.requestID)\"}".utf8)
        }
        await api.isWaiting()
        stop.cancel()
        try await running
        #expect(
            api.answers == [
                .init(path: "/2018-06-01/runtime/invocation/request-3/response", body: "{\"done\":\"request-3\"}"),
                .init(
                    path: "/2018-06-01/runtime/invocation/request-2/error",
                    body: "{\"errorMessage\":\"The queue is away. Wait.\",\"errorType\":\"Clairo.transient\"}",
                    type: "Clairo.transient"),
                .init(path: "/2018-06-01/runtime/invocation/request-1/response", body: "{\"done\":\"request-1\"}"),
            ])
        let events = seen.withLock { $0 }
        #expect(events.map { String(decoding: $0.payload, as: UTF8.self) } == ["{\"n\":3}", "{\"n\":2}", "{\"n\":1}"])
        #expect(events.allSatisfy { $0.deadline.microseconds == 1_795_370_645_123_000 })
        #expect(events.allSatisfy { $0.traceHeader == LambdaRuntimeAPI.traceHeader })
        #expect(events.allSatisfy { $0.traceID == "5bef4de7ad49b0e87f6ef6c87fc2e700" })
    }

    @Test(arguments: [
        "", "Root=", "Self=1-5bef4de7-ad49b0e87f6ef6c87fc2e700", "Root=2-5bef4de7-ad49b0e87f6ef6c87fc2e700",
        "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e70", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e70g",
    ])
    func anInvalidXRayTraceHeaderIsIgnored(_ header: String) async throws {
        let api = try LambdaRuntimeAPI([.init("1", traceHeader: header)])
        defer { api.stop() }
        let stop = StopRequest()
        try await LambdaRuntime(environment: api.environment).run(until: stop) { (event) throws(ClairoError) in
            stop.cancel()
            return Data((event.traceID ?? "none").utf8)
        }
        #expect(api.answers.map(\.body) == ["none"])
    }

    @Test func aStopLetsTheCurrentEventFinish() async throws {
        let api = try LambdaRuntimeAPI(["1", "2"])
        defer { api.stop() }
        let stop = StopRequest()
        try await LambdaRuntime(environment: api.environment).run(until: stop) { (event) throws(ClairoError) in
            stop.cancel()
            return event.payload
        }
        #expect(api.answers.map(\.path) == ["/2018-06-01/runtime/invocation/request-2/response"])
    }

    @Test func aResponseThatIsTooLargeIsReportedAsAnError() async throws {
        let api = try LambdaRuntimeAPI(["1"], answerStatus: 413)
        defer { api.stop() }
        let runtime = try LambdaRuntime(environment: api.environment)
        // The substitute rejects the report too, which ends the loop: such a runtime API is broken.
        let error = try await #require(throws: ClairoError.self) {
            try await runtime.run(until: StopRequest()) { (event) throws(ClairoError) in event.payload }
        }
        #expect(error.message.contains("413"))
        #expect(api.answers.map(\.path).last == "/2018-06-01/runtime/invocation/request-1/error")
    }

    @Test func aFunctionThatCannotStartReportsWhy() async throws {
        let api = try LambdaRuntimeAPI([])
        defer { api.stop() }
        try await LambdaRuntime(environment: api.environment).reportInitFailure(.configuration("No such bucket"))
        #expect(
            api.answers == [
                .init(
                    path: "/2018-06-01/runtime/init/error",
                    body: "{\"errorMessage\":\"No such bucket\",\"errorType\":\"Clairo.usage\"}", type: "Clairo.usage")
            ])
    }

    @Test func anUnavailableOrInvalidRuntimeAPIEndsTheLoop() async throws {
        let server = try StubServer { _, _ in HTTPResponse(200, "no id") }
        let place = ["AWS_LAMBDA_RUNTIME_API": "127.0.0.1:\(server.port)"]
        let runtime = try LambdaRuntime(environment: place)
        let nonsense = try await #require(throws: ClairoError.self) {
            try await runtime.run(until: StopRequest()) { (event) throws(ClairoError) in event.payload }
        }
        server.stop()
        // A new client, without an open connection.
        let later = try LambdaRuntime(environment: place)
        let away = try await #require(throws: ClairoError.self) {
            try await later.run(until: StopRequest()) { (event) throws(ClairoError) in event.payload }
        }
        #expect(nonsense.kind == .defect && away.exitCode == .unavailable)
    }

    @Test func thereIsNoRuntimeOutsideLambda() throws {
        let error = try #require(throws: ClairoError.self) { try LambdaRuntime(environment: [:]) }
        #expect(error.exitCode == .configuration)
    }
}
