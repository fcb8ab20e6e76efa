internal import AWSClient
internal import AWSSigning
public import ClairoCore
internal import Curl
internal import Foundation

/// Deletion of objects, one by one and in bulk.
extension S3Store {
    /// The maximum number of keys in a request.
    /// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
    private static let keysPerRequest = 1000
    /// S3 counts each key as a request and throttles too many.
    private static let requestsAtOnce = 2
    /// For servers without DeleteObjects.
    private static let singleRequestsAtOnce = 8

    public func delete(_ key: ObjectKey) throws(ClairoError) {
        do {
            _ = try transport.send(S3Request("DELETE", path(key)))
        } catch {
            if error.isNotFound { return }
            throw error.error("Removing \(name(key))", transport)
        }
    }

    /// Needs the permission `s3:DeleteObject` on the keys, like single deletion. If a server does not have the operation
    /// DeleteObjects, deletes the objects one by one, several at a time.
    public func delete(_ keys: [ObjectKey]) throws(ClairoError) {
        guard keys.count > 1 else {
            if let key = keys.first { try delete(key) }
            return
        }
        let requests = RequestGroup<Void>(name: "s3 delete")
        let (inBulk, single) = keys.reduce(into: ([ObjectKey](), [ObjectKey]())) { groups, key in
            if Self.isXML(path(key)) { groups.0.append(key) } else { groups.1.append(key) }
        }
        let result = Result { () throws(ClairoError) in
            for start in stride(from: 0, to: inBulk.count, by: Self.keysPerRequest) {
                let batch = Array(inBulk[start..<min(start + Self.keysPerRequest, inBulk.count)])
                if transport.refused.contains(.deleteObjects) {
                    try deleteSingly(batch)
                } else {
                    try requests.start(atMost: Self.requestsAtOnce) { () throws(ClairoError) in
                        try deleteBatch(batch)
                    }
                }
            }
        }
        // Waits for the requests in flight even after an error, because the caller may write the keys again.
        let rest = Result { () throws(ClairoError) in try requests.wait() }
        try result.get()
        _ = try rest.get()
        try deleteSingly(single)
    }

    private func deleteSingly(_ keys: [ObjectKey]) throws(ClairoError) {
        let requests = RequestGroup<Void>(name: "s3 delete")
        let result = Result { () throws(ClairoError) in
            for key in keys {
                try requests.start(atMost: Self.singleRequestsAtOnce) { () throws(ClairoError) in try delete(key) }
            }
        }
        let rest = Result { () throws(ClairoError) in try requests.wait() }
        try result.get()
        _ = try rest.get()
    }

    private func deleteBatch(_ keys: [ObjectKey]) throws(ClairoError) {
        let doing = "Removing \(name(keys[0])) and \(keys.count - 1) more objects"
        var request = S3Request("POST", nil)
        request.query = [.init("delete")]
        request.body = list(keys)
        // S3 demands a checksum of the body. All servers accept this one.
        request.headers = [
            .init("Content-Type", "application/xml"),
            .init("Content-MD5", PartChecksum.base64(hex: Checksum.md5(request.body))),
        ]
        request.mayFailLate = true
        let reply: HTTPReply
        do {
            reply = try transport.send(request)
        } catch {
            guard S3Refusals.isUnknownOperation(error) else { throw error.error(doing, transport) }
            transport.note(refused: [.deleteObjects])
            return try deleteSingly(keys)
        }
        var (again, refused): ([ObjectKey], [(key: ObjectKey, failure: AWSFailure)]) = ([], [])
        for entry in try document(reply, doing).all("Error") {
            let failure = Self.failure(entry, in: reply)
            if failure.isNotFound { continue }
            guard let path = entry["Key"], path.hasPrefix(prefix) else { throw failure.error(doing, transport) }
            let key = ObjectKey(String(path.dropFirst(prefix.count)))
            if failure.isRetryable { again.append(key) } else { refused.append((key, failure)) }
        }
        if let first = refused.first {
            let more = refused.count > 1 ? " and \(refused.count - 1) more objects" : ""
            throw first.failure.error("Removing \(name(first.key))\(more)", transport)
        }
        // With the usual retries and delays.
        try deleteSingly(again)
    }

    /// Without the keys that were deleted, the reply lists only errors.
    private func list(_ keys: [ObjectKey]) -> Data {
        var text = "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
        for key in keys { text += "<Object><Key>\(S3Document.escape(path(key)))</Key></Object>" }
        return Data((text + "</Delete>").utf8)
    }

    /// The error of one key. The reply as a whole has the status 200.
    private static func failure(_ entry: S3Document, in reply: HTTPReply) -> AWSFailure {
        let code = entry["Code"] ?? ""
        var refusal = AWSRefusal(
            reply, code: code, message: entry["Message"] ?? "", requestID: reply.headers["x-amz-request-id"])
        refusal.status =
            switch code {
            case "AccessDenied": 403
            case "InternalError": 500
            case "SlowDown", "ServiceUnavailable": 503
            default: 400
            }
        return AWSFailure(.service(refusal))
    }

    /// Whether a key can be written in XML 1.0, which has no control characters. A parser changes a carriage return.
    private static func isXML(_ path: String) -> Bool {
        path.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0xFFFE && $0.value != 0xFFFF }
    }
}
