internal import Foundation
internal import HTTPTypes
internal import HummingbirdCore
internal import NIOCore
internal import OpenSSL

/// The header `Upload-Metadata`: keys with Base64 values.
struct TusMetadata {
    private var values: [String: String] = [:]

    init(_ text: String) throws(APIError) {
        for pair in text.split(separator: ",") {
            let parts = pair.split(separator: " ")
            guard (1...2).contains(parts.count), let key = parts.first.map(String.init) else {
                throw .badRequest("Upload-Metadata is malformed")
            }
            guard let data = parts.count == 2 ? Data(base64Encoded: String(parts[1])) : Data(),
                let value = String(validating: data, as: UTF8.self),
                values.updateValue(value, forKey: key) == nil
            else { throw .badRequest("Upload-Metadata is malformed") }
        }
    }

    subscript(key: String) -> String? { values[key] }

    static func text(_ values: [String: String?]) -> String {
        values.sorted { $0.key < $1.key }
            .compactMap { key, value in value.map { "\(key) \(Data($0.utf8).base64EncodedString())" } }
            .joined(separator: ",")
    }
}

/// The header `Upload-Checksum`, and the digest of the bytes received so far.
struct TusChecksum {
    enum Algorithm: String, CaseIterable { case sha1, md5, sha256 }

    private var digest: Digest
    private let promised: Data

    /// Returns nil if the header is absent.
    init?(_ context: RequestContext) throws(APIError) {
        guard let text = context.request.headers[.uploadChecksum] else { return nil }
        let parts = text.split(separator: " ")
        guard parts.count == 2, let algorithm = Algorithm(rawValue: String(parts[0])),
            let promised = Data(base64Encoded: String(parts[1]))
        else {
            let known = Algorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw .badRequest("Upload-Checksum must be one of \(known), a space, and the checksum in Base64")
        }
        self.promised = promised
        digest =
            switch algorithm {
            case .sha1: Digest(.sha1)
            case .md5: Digest(.md5)
            case .sha256: Digest(.sha256)
            }
    }

    mutating func update(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { digest.update($0) }
    }

    func matches() -> Bool { Data(digest.value()) == promised }
}
