import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Curl
import Foundation
import Testing

/// Servers that demand more of a client than the test servers, or refuse parts of the S3 API.
@Suite(.mostlyWaits, .ownThreads) struct S3StrictServerTests {
    private static let kinds = S3Server.Kind.allCases.filter(S3Server.isInstalled)
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func store(
        _ kind: S3Server.Kind, _ rules: [FaultProxy.Rule] = [], settings: [String: String] = [:]
    ) async throws -> (store: S3Store, proxy: FaultProxy) {
        let server = try await S3Server.shared(kind)
        let bucket = try await server.makeBucket()
        let proxy = try FaultProxy(to: server.port, rules)
        scratch.onCleanup { proxy.stop() }
        var options = S3Options.quick
        options.partSize = 5 << 20
        let environment = S3Server.environment(endpoint: proxy.endpoint).merging(settings) { $1 }
        return (try S3Store(url: "s3://\(bucket)/p", environment: environment, options: options), proxy)
    }

    // MARK: Checksums of parts

    @Test(arguments: kinds) func clientsSendPartsToAServerThatDemandsChecksums(kind: S3Server.Kind) async throws {
        let (store, proxy) = try await store(kind, [S3Rules.demandingChecksums()])
        let data = pattern((6 << 20) + 7)
        func send(_ sender: PartSender, to key: ObjectKey) throws -> (MultipartUpload, [Int]) {
            let upload = try store.beginUpload(at: key, sizes: PartSizes(equal: 5 << 20), sender: sender)
            let parts = [data.prefix(5 << 20), data.dropFirst(5 << 20)]
            let statuses = try parts.enumerated().map { index, part in
                let access = PresignedAccess.putPart(number: index + 1, size: Int64(part.count), upload)
                let url = try #require(try store.presignedURL(for: access, expiresIn: 3600))
                return try Curl.HTTPClient().send(Curl.HTTPRequest("PUT", url), body: .data(Data(part))).status
            }
            return (upload, statuses)
        }
        let (upload, statuses) = try send(.clients, to: "film")
        #expect(statuses == [200, 200])
        _ = try store.complete(upload, parts: try store.parts(of: upload))
        #expect(try store.get("film") == data)
        // The rule is effective: an upload of this process has checksums, which a presigned URL lacks.
        let (own, refusals) = try send(.thisProcess, to: "other")
        #expect(refusals == [400, 400])
        _ = try store.complete(own, parts: [try store.putPart(data.prefix(100), number: 1, of: own)])
        #expect(proxy.exchanges.count { $0.fault != nil } == 2)
    }

    // MARK: Equal parts

    @Test(arguments: kinds) func partsAreEqual(kind: S3Server.Kind) async throws {
        let (store, proxy) = try await store(kind, [S3Rules.demandingEqualParts()])
        let data = pattern((16 << 20) + 5)
        try store.put(data, at: "whole")
        for length in [nil, Int64(data.count)] {
            try store.put(at: "pieces", length: length) { write in
                var rest = data[...]
                for count in [3, 7 << 20, 1 << 20] {
                    try write(Data(rest.prefix(count)))
                    rest = rest.dropFirst(count)
                }
                try write(Data(rest))
            }
            #expect(try store.get("pieces") == data)
        }
        #expect(try store.get("whole") == data)
        #expect(proxy.exchanges.allSatisfy { $0.fault == nil })
    }

    // MARK: Refused headers

    @Test(
        arguments: kinds,
        [
            ("x-amz-checksum-mode", 400, "InvalidArgument"), ("x-amz-checksum-mode", 501, "NotImplemented"),
            ("x-amz-mp-object-size", 400, "InvalidArgument"), ("x-amz-checksum-sha256", 400, "InvalidArgument"),
            ("x-amz-checksum-algorithm", 501, "NotImplemented"),
        ])
    func aRefusedHeaderIsLeftAway(kind: S3Server.Kind, refusal: (String, Int, String)) async throws {
        let (header, status, code) = refusal
        let (store, proxy) = try await store(kind, [S3Rules.refusing(header, status: status, code: code)])
        #expect(store.limitations == [])
        func use(_ name: String) throws {
            let (small, large) = (ObjectKey("\(name)/small"), ObjectKey("\(name)/large"))
            #expect(try store.info(of: small) == nil)
            try store.put(Data("small".utf8), at: small)
            let upload = try store.beginUpload(at: large, partSize: 5 << 20)
            let part = try store.putPart(Data("large".utf8), number: 1, of: upload)
            #expect(try store.complete(upload, parts: [part]).size == 5)
            #expect(try store.info(of: small)?.size == 5)
            #expect(try store.get(small) == Data("small".utf8))
            #expect(try store.get(large) == Data("large".utf8))
            try store.delete([small, large])
        }
        try use("first")
        let refusals = proxy.exchanges.count { $0.fault != nil }
        #expect(refusals == 1, "it is remembered after the first refusal")
        try use("second")
        #expect(proxy.exchanges.count { $0.fault != nil } == refusals)
        #expect(store.limitations.count == 1)
        let name = header == "x-amz-checksum-algorithm" ? "x-amz-checksum-sha256" : header
        #expect(store.limitations.first?.hasPrefix(name) == true)
    }

    @Test(arguments: kinds) func optionalChecksumsAreSwitchedOffByTheVariablesOfAWS(kind: S3Server.Kind) async throws {
        let (store, proxy) = try await store(
            kind,
            settings: [
                "AWS_REQUEST_CHECKSUM_CALCULATION": "WHEN_REQUIRED",
                "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
            ])
        try store.put(at: "large") { write in try write(pattern(6 << 20)) }
        try store.put(Data("x".utf8), at: "small")
        #expect(try store.get("small") == Data("x".utf8))
        #expect(try store.size(of: "large") == 6 << 20)
        let names = Set(proxy.exchanges.flatMap(\.request.headers.keys))
        #expect(names.filter { $0.hasPrefix("x-amz-checksum") } == [])
        #expect(store.limitations == [], "the server has refused nothing")
    }

    // MARK: Deletion

    private static let oddKeys: [ObjectKey] = ["a b/ü&<c>\"'", "a/1", "a/2", "b+c", "d%20e", "none"]

    @Test(arguments: kinds) func manyObjectsAreDeletedWithOneRequest(kind: S3Server.Kind) async throws {
        let (store, proxy) = try await store(kind)
        for key in Array(Self.oddKeys.dropLast()) + ["kept"] { try store.put(Data("x".utf8), at: key) }
        let before = proxy.exchanges.count
        try store.delete(Self.oddKeys)
        #expect(proxy.exchanges.dropFirst(before).map(\.request).map(S3Rules.isBulkDeletion) == [true])
        #expect(try store.list(prefix: "") == ["kept"])
        try store.delete([])
        #expect(proxy.exchanges.count == before + 2)
    }

    @Test(arguments: kinds) func aServerWithoutBulkDeletionGetsSingleRequests(kind: S3Server.Kind) async throws {
        let (store, proxy) = try await store(kind, [S3Rules.withoutBulkDeletion()])
        for round in 1...2 {
            for key in Self.oddKeys.dropLast() { try store.put(Data("x".utf8), at: key) }
            try store.delete(Self.oddKeys)
            #expect(try store.list(prefix: "") == [])
            #expect(proxy.exchanges.count { $0.request.method == "DELETE" } == round * Self.oddKeys.count)
        }
        #expect(proxy.exchanges.count { $0.fault != nil } == 1)
        #expect(store.limitations.first?.hasPrefix("DeleteObjects") == true)
    }
}
