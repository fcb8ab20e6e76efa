import AWSClient
import AWSSigning
import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoExecutors

/// The parts of the ECS executor that work without ECS.
@Suite struct ECSPartsTests {
    @Test func capacityProvidersAreReadWithWeightsAndABase() throws {
        let list = try ECSPlacement.CapacityProvider.list("FARGATE=1+2,FARGATE_SPOT=4")
        #expect(
            list == [
                .init(capacityProvider: "FARGATE", weight: 1, base: 2),
                .init(capacityProvider: "FARGATE_SPOT", weight: 4, base: nil),
            ])
        #expect(
            try ECSPlacement.CapacityProvider.list("FARGATE_SPOT") == [
                .init(capacityProvider: "FARGATE_SPOT", weight: 1, base: nil)
            ])
    }

    @Test(arguments: [
        "", "FARGATE,", "=1", "FARGATE=", "FARGATE=x", "FARGATE=-1", "FARGATE=1001", "FARGATE=0", "A=1+2+3",
        "A=1+1,B=1+1",
        "a,b,c,d,e,f,g", "FAR GATE",
    ])
    func anInvalidListOfCapacityProvidersIsRefused(_ text: String) {
        #expect { try ECSPlacement.CapacityProvider.list(text) } throws: {
            ($0 as? ClairoError)?.exitCode == .configuration
        }
    }

    @Test(arguments: [
        ("video", "video"), ("video:12", "video"), ("arn:aws:ecs:eu-central-1:1:task-definition/video:12", "video"),
    ])
    func theFamilyIsTheNameWithoutTheRevision(_ name: String, _ family: String) {
        #expect(ECSPlacement(cluster: "c", taskDefinition: name).family == family)
    }

    // MARK: The client

    private func client(_ server: StubServer, clock: ECSClock = VirtualClock().clock) throws -> ECSClient {
        try ECSClient(AWSSystem.here(S3Server.environment(endpoint: server.url)), clock: clock)
    }

    @Test func aWrongClockIsCorrectedFromTheServersReplyOnce() async throws {
        let dates = Mutex<[String]>([])
        let server = try StubServer { request, _ in
            let date = request.headers["x-amz-date"] ?? ""
            let isFirst = dates.withLock { dates in
                dates.append(date)
                return dates.count == 1
            }
            guard isFirst else { return HTTPResponse(200, "{}") }
            return HTTPResponse(
                400, Data(#"{"__type": "InvalidSignatureException", "message": "Signature expired"}"#.utf8),
                headers: ["date": "Fri, 01 Jan 2100 00:00:00 GMT"])
        }
        defer { server.stop() }
        let client = try client(server)
        _ = try await onDedicatedThread(name: "call") {
            try client.describeTasks(["a"], cluster: "c", stop: StopRequest())
        }
        #expect(dates.withLock { $0.last?.hasPrefix("21000101T0000") } == true)
    }

    @Test func aStopEndsAPauseBetweenAttempts() async throws {
        let stop = StopRequest()
        let server = try StubServer { _, _ in
            stop.cancel()
            return HTTPResponse(500, "{}")
        }
        defer { server.stop() }
        let client = try client(server, clock: ECSClock())
        await #expect(throws: ClairoError.cancelled) {
            try await onDedicatedThread(name: "call") { try client.describeTasks(["a"], cluster: "c", stop: stop) }
        }
        #expect(server.requests.count == 1)
    }

    @Test func anEndpointThatIsNotECSIsReported() async throws {
        let server = try StubServer { _, _ in HTTPResponse(404, "<html>") }
        defer { server.stop() }
        let client = try client(server)
        await #expect {
            try await onDedicatedThread(name: "call") {
                try client.describeTasks(["a"], cluster: "c", stop: StopRequest())
            }
        } throws: { error in
            let error = error as? ClairoError
            return error?.exitCode == .configuration && error?.advice?.contains("AWS_ENDPOINT_URL_ECS") == true
        }
    }

    @Test func eachAttemptAtACallIsReportedWithItsOutcome() async throws {
        let answers = Mutex([
            HTTPResponse(400, Data(#"{"__type": "ThrottlingException"}"#.utf8)), HTTPResponse(500, "{}"),
            HTTPResponse(200, "{}"), HTTPResponse(400, Data(#"{"__type": "AccessDeniedException"}"#.utf8)),
        ])
        let server = try StubServer { _, _ in answers.withLock { $0.removeFirst() } }
        defer { server.stop() }
        let events = Mutex<[String]>([])
        let client = try ECSClient(
            AWSSystem.here(S3Server.environment(endpoint: server.url)), clock: VirtualClock().clock
        ) { event in events.withLock { $0.append("\(event.operation.rawValue) \(event.outcome.rawValue)") } }
        await #expect(throws: ClairoError.self) {
            try await onDedicatedThread(name: "call") {
                _ = try client.describeTasks(["a"], cluster: "c", stop: StopRequest())
                try client.stopTask("a", cluster: "c", reason: "", stop: StopRequest())
            }
        }
        #expect(
            events.withLock { $0 } == [
                "describeTasks throttled", "describeTasks serverError", "describeTasks success", "stopTask clientError",
            ])
    }

    @Test func theNamedContainerDeterminesTheStopReason() throws {
        let task = try JSONDecoder().decode(
            ECSTask.self,
            from: Data(
                #"{"taskArn": "a", "lastStatus": "STOPPED", "stopCode": "EssentialContainerExited", "containers": [{"name": "log-router", "exitCode": 78}, {"name": "clairo", "exitCode": 143}]}"#
                    .utf8))
        let ending = ECSStopReason(task, container: "clairo")
        #expect(ending.error.kind == .transient, "\(ending.error)")
        // If the named container has no reason, another container's reason is used.
        #expect(ECSStopReason(task, container: "other").error.kind == .refused)
    }

    // MARK: Leftovers

    /// An exchange with a recent object may belong to a running attempt. Objects that are not part of an exchange are
    /// not Clairo's.
    @Test func onlyExchangesWithoutRecentObjectsAreRemoved() throws {
        let scratch = try Scratch()
        let store = DirectoryStore(root: URL(filePath: scratch.path))
        func exchange(of task: TaskID) -> String { "\(task)-1-\(UUID().uuidString.lowercased())/" }
        let (old, live) = (exchange(of: .make()), exchange(of: .make()))
        let keys = [old + "spec.json", old + "lease.json", live + "spec.json", live + "lease.json"]
        let foreign = ["videos/a/b/spec.json", "spec.json", "folder/spec.json", old + "other.json"]
        for key in keys + foreign {
            try store.put(Data("{}".utf8), at: ObjectKey(key))
            let age = key == live + "lease.json" ? 30.0 : 7200
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -age)], ofItemAtPath: scratch.path(key))
        }
        try ExchangeSweep(store, olderThanSeconds: 86_400).run { object throws(ClairoError) in
            throw .defect("\(object.key) is too young")
        }
        // Even with an age of zero: a lease that is half a minute old may still be renewed.
        try ExchangeSweep(store, olderThanSeconds: 0).run { object throws(ClairoError) in
            try store.delete(object.key)
        }
        let left = try store.list(prefix: "").map(\.rawValue)
        #expect(Set(left) == Set(keys.suffix(2) + foreign))
    }

    // MARK: Metadata

    @Test func missingMetadataIsNotAnError() throws {
        let server = try StubServer { request, _ in
            request.path == "/m/task/stats" ? HTTPResponse(200, #"{"a": null}"#) : HTTPResponse(404)
        }
        defer { server.stop() }
        let metadata = try #require(TaskMetadata(environment: [TaskMetadata.variable: server.url + "/m"]))
        #expect(metadata.usage() == nil && metadata.memoryLimit() == nil)
        #expect(TaskMetadata(environment: [:]) == nil)
    }
}
