internal import Foundation
internal import Synchronization

/// Rules for a `FaultProxy` in front of an S3 server: what other servers demand or refuse, and the test servers do not.
public enum S3Rules {
    /// Refuses each part without a checksum of an upload that was begun with an algorithm, as AWS and MinIO do.
    public static func demandingChecksums() -> FaultProxy.Rule {
        let begun = Begun()
        return FaultProxy.Rule(.answer(status: 400, code: "InvalidRequest"), times: .max) { request in
            if request.method == "POST", isBegin(request), request.headers["x-amz-checksum-algorithm"] != nil {
                begun.paths.withLock { _ = $0.insert(request.path) }
            }
            guard request.method == "PUT", parameter("partNumber", of: request) != nil else { return false }
            return begun.paths.withLock { $0.contains(request.path) }
                && !request.headers.keys.contains { $0.hasPrefix("x-amz-checksum-") }
        }
    }

    private final class Begun: Sendable {
        let paths = Mutex<Set<String>>([])
    }

    /// Refuses to complete an upload whose parts, except the last, have different sizes, as Cloudflare R2 does.
    public static func demandingEqualParts() -> FaultProxy.Rule {
        let sent = SentParts()
        return FaultProxy.Rule(.answer(status: 400, code: "InvalidPart"), times: .max) { request in
            guard let upload = parameter("uploadId", of: request) else { return false }
            if request.method == "PUT", let number = parameter("partNumber", of: request).flatMap({ Int($0) }) {
                let size = request.headers["content-length"].flatMap { Int($0) } ?? 0
                sent.sizes.withLock { $0[upload, default: [:]][number] = size }
            }
            guard request.method == "POST" else { return false }
            let sizes = sent.sizes.withLock { $0[upload] ?? [:] }.sorted { $0.key < $1.key }.map(\.value)
            guard let first = sizes.first, let last = sizes.last else { return false }
            return sizes.dropLast().contains { $0 != first } || last > first
        }
    }

    private final class SentParts: Sendable {
        let sizes = Mutex<[String: [Int: Int]]>([:])
    }

    /// Refuses requests with a header, as Backblaze B2 and others refuse headers that they do not know.
    /// - Parameter header: The name of the header, in lower case.
    public static func refusing(_ header: String, status: Int = 400, code: String = "InvalidArgument")
        -> FaultProxy.Rule
    {
        FaultProxy.Rule(.answer(status: status, code: code), times: .max) { $0.headers[header] != nil }
    }

    /// Has no DeleteObjects.
    public static func withoutBulkDeletion() -> FaultProxy.Rule {
        FaultProxy.Rule(.answer(status: 501, code: "NotImplemented"), times: .max, where: isBulkDeletion)
    }

    /// Whether a request is DeleteObjects.
    @Sendable public static func isBulkDeletion(_ request: HTTPRequest) -> Bool {
        request.method == "POST" && parameter("delete", of: request) != nil
    }

    private static func isBegin(_ request: HTTPRequest) -> Bool { parameter("uploads", of: request) != nil }

    /// The value of a query parameter, percent-encoded.
    private static func parameter(_ name: String, of request: HTTPRequest) -> String? {
        for item in request.query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts[0] == name { return parts.count > 1 ? String(parts[1]) : "" }
        }
        return nil
    }
}
