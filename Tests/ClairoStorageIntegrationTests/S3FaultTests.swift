import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Curl
import Foundation
import Testing

/// Uploads and downloads through a proxy that injects faults: they finish or fail cleanly, and never leave a wrong
/// object.
@Suite(.mostlyWaits, .ownThreads) struct S3FaultTests {
    /// A fault, and the request that it affects.
    struct Case: Sendable, CustomTestStringConvertible {
        var fault: FaultProxy.Fault
        var method: String
        var query: String
        var skipping = 0
        var testDescription: String { "\(method) …\(query)… \(fault)" }

        func rule(times: Int = 1) -> FaultProxy.Rule {
            FaultProxy.Rule(fault, method, query: query, skipping: skipping, times: times)
        }
    }

    private static let kinds = S3Server.Kind.allCases.filter(S3Server.isInstalled)
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private static var options: S3Options {
        var options = S3Options.quick
        options.partSize = 5 << 20
        return options
    }

    /// A store behind the proxy, and one that bypasses it.
    private func stores(
        _ kind: S3Server.Kind, _ options: S3Options = options, cancellation: Cancellation? = nil
    ) async throws -> (proxied: S3Store, direct: S3Store, proxy: FaultProxy) {
        let server = try await S3Server.shared(kind)
        let bucket = try await server.makeBucket()
        let proxy = try FaultProxy(to: server.port)
        scratch.onCleanup { proxy.stop() }
        return (
            try S3Store(
                url: "s3://\(bucket)", environment: S3Server.environment(endpoint: proxy.endpoint), options: options,
                cancellation: cancellation),
            try S3Store(url: "s3://\(bucket)", environment: server.environment, options: .quick), proxy
        )
    }

    private static let passingFaults: [Case] = {
        let answers: [FaultProxy.Fault] = [
            .answer(status: 500, code: "InternalError"), .answer(status: 503, code: "SlowDown"),
            .answer(status: 400, code: "RequestTimeout"), .answer(status: 429, code: "TooManyRequests"),
        ]
        let parts: [FaultProxy.Fault] = [.cutRequest(after: 0), .cutRequest(after: 1 << 20), .cutRequest(after: nil)]
        let replies: [FaultProxy.Fault] = [.dropReply]
        return (answers + parts + replies).map { Case(fault: $0, method: "PUT", query: "partNumber=2") }
            + (answers + [.cutRequest(after: nil)]).map { Case(fault: $0, method: "POST", query: "uploads") }
            + (answers + [
                .cutRequest(after: nil), .dropReply, .cutReply(after: 20), .answer(status: 200, code: "InternalError"),
            ])
            .map { Case(fault: $0, method: "POST", query: "uploadId=") }
            + [.answer(status: 503, code: "SlowDown"), .dropReply].map { Case(fault: $0, method: "HEAD", query: "") }
    }()

    @Test(arguments: kinds, passingFaults)
    func anUploadSurvivesATransientFault(kind: S3Server.Kind, fault: Case) async throws {
        let (proxied, direct, proxy) = try await stores(kind)
        try direct.put(Data("old".utf8), at: "film")
        proxy.add(fault.rule())
        let data = pattern((12 << 20) + 5)
        try proxied.put(at: "film") { write in try write(data) }
        #expect(try proxied.size(of: "film") == Int64(data.count))
        #expect(proxy.exchanges.contains { $0.fault != nil })
        #expect(try direct.get("film") == data)
        #expect(try direct.openUploads(prefix: "").isEmpty)
    }

    private static let lastingFaults: [Case] = [
        Case(fault: .answer(status: 503, code: "SlowDown"), method: "PUT", query: "partNumber=2"),
        Case(fault: .cutRequest(after: 1000), method: "PUT", query: "partNumber=1"),
        Case(fault: .answer(status: 403, code: "AccessDenied"), method: "PUT", query: "partNumber=3"),
        Case(fault: .answer(status: 200, code: "InternalError"), method: "POST", query: "uploadId="),
        Case(fault: .cutRequest(after: nil), method: "POST", query: "uploadId="),
        Case(fault: .answer(status: 503, code: "SlowDown"), method: "POST", query: "uploads"),
    ]

    @Test(arguments: kinds, lastingFaults)
    func anUploadThatCannotFinishLeavesNothing(kind: S3Server.Kind, fault: Case) async throws {
        let (proxied, direct, proxy) = try await stores(kind)
        try direct.put(Data("old".utf8), at: "film")
        proxy.add(fault.rule(times: .max))
        let error = failure { try proxied.put(at: "film") { write in try write(pattern(12 << 20)) } }
        let isRefused = fault.fault == .answer(status: 403, code: "AccessDenied")
        #expect(error?.exitCode == (isRefused ? .noPermission : .temporary), "\(String(describing: error))")
        #expect(error?.kind == (isRefused ? .refused : .transient))
        #expect(try direct.get("film") == Data("old".utf8))
        #expect(try direct.openUploads(prefix: "").isEmpty)
        let refusals = proxy.exchanges.count { $0.fault != nil }
        // libcurl adds attempts if a kept connection is closed.
        #expect((isRefused ? 1...1 : 5...10).contains(refusals))
    }

    @Test(
        arguments: kinds,
        [
            .cutReply(after: 100_000), .truncateReply(after: 100_000), .shortenReply(to: 100_000), .dropReply,
            .answer(status: 503, code: "SlowDown"), .answer(status: 500, code: "InternalError"),
            .truncateReply(after: 0),
        ] as [FaultProxy.Fault])
    func readingSurvivesATransientFault(kind: S3Server.Kind, fault: FaultProxy.Fault) async throws {
        let (proxied, direct, proxy) = try await stores(kind)
        let data = pattern(3 << 20)
        try direct.put(data, at: "film")
        let source = try proxied.open("film")
        proxy.add(FaultProxy.Rule(fault, "GET", skipping: 1, times: 1))
        #expect(try read(source, in: 0..<data.count, by: 300_000) == data)
        proxy.removeRules()
        // Only a checksum reveals that an object was shortened in transit, and rclone has none.
        if case .shortenReply = fault { return }
        proxy.add(FaultProxy.Rule(fault, "GET", times: 2))
        #expect(try proxied.get("film") == data)
        #expect(proxy.exchanges.count { $0.fault != nil } == 3)
    }

    @Test(arguments: kinds) func aStalledRequestIsRetried(kind: S3Server.Kind) async throws {
        var options = Self.options
        // Longer than a healthy server needs on a busy machine.
        options.stallTimeout = 15
        let (proxied, direct, proxy) = try await stores(kind, options)
        proxy.add(
            FaultProxy.Rule(.stall, "PUT", query: "partNumber=2"), FaultProxy.Rule(.stallReply(after: 1000), "GET"))
        let data = pattern(11 << 20)
        try proxied.put(at: "film") { write in try write(data) }
        #expect(try direct.get("film") == data)
        #expect(try proxied.get("film") == data)
        #expect(proxy.exchanges.count { $0.fault != nil } == 2)
    }

    @Test(arguments: kinds) func cancellationStopsAnUploadAtOnceAndAbortsIt(kind: S3Server.Kind) async throws {
        let cancellation = Cancellation()
        let (proxied, direct, proxy) = try await stores(kind, cancellation: cancellation)
        proxy.add(FaultProxy.Rule(.stall, "PUT", query: "partNumber=1"))
        let upload = Task {
            await onDedicatedThread(name: "upload") {
                failure { try proxied.put(at: "film") { write in try write(pattern(12 << 20)) } }
            }
        }
        _ = await proxy.exchange { $0.fault == .stall }
        cancellation.cancel()
        #expect(await upload.value == .cancelled)
        #expect(try direct.info(of: "film") == nil)
        // A slow server may handle the abort later than we wait for its reply.
        try await eventually { try direct.openUploads(prefix: "").isEmpty }
        #expect(failure { _ = try proxied.get("film") } == .cancelled)
    }

    /// The reply to the first attempt is lost. The second attempt finds that the object exists: it is our own.
    @Test(.enabled(if: S3Server.isInstalled(.moto), "moto_server is not installed"))
    func putIfAbsentSucceedsIfItsFirstReplyWasLost() async throws {
        let (proxied, direct, proxy) = try await stores(.moto)
        proxy.add(FaultProxy.Rule(.dropReply, "PUT"))
        #expect(try proxied.putIfAbsent(Data("mine".utf8), at: "k"))
        #expect(try direct.get("k") == Data("mine".utf8))
    }

    /// Another writer writes between the check and the write.
    @Test(.enabled(if: S3Server.isInstalled(.moto), "moto_server is not installed"))
    func putIfAbsentReturnsFalseIfAnotherWriterIsFirst() async throws {
        let (proxied, direct, proxy) = try await stores(.moto)
        try direct.put(Data("theirs".utf8), at: "k")
        // The check finds nothing.
        proxy.add(
            FaultProxy.Rule(.answer(status: 404, code: "NoSuchKey"), "HEAD"),
            FaultProxy.Rule(.answer(status: 404, code: "NoSuchKey"), "GET"))
        #expect(try proxied.putIfAbsent(Data("mine".utf8), at: "k") == false)
        #expect(try direct.get("k") == Data("theirs".utf8))
    }
}
