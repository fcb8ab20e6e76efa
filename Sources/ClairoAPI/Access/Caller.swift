internal import ClairoCore
internal import Foundation
internal import OpenSSL

/// The identity of a caller, which owns uploads. Callers with the same owner share uploads; others cannot see them.
struct Caller: Sendable, Hashable {
    /// The type of an upload.
    enum Purpose: String, CaseIterable { case stream, resumable, direct }

    /// The token's name if it has one, so that the token can be rotated; otherwise its digest. Never the token itself.
    let owner: String

    static let anonymous = Caller(owner: "anonymous")

    /// Creates a fingerprint for a new upload: a random salt, and a digest of salt, caller and purpose, as 64
    /// hexadecimal digits.
    func fingerprint(_ purpose: Purpose) -> String {
        let salt = (0..<8).map { _ in UInt8.random(in: .min ... .max) }
        return Self.fingerprint(owner, purpose, salt: salt.hexadecimal)
    }

    /// The purpose encoded in a fingerprint, or nil if the upload is not the caller's.
    func purpose(ofFingerprint fingerprint: String) -> Purpose? {
        let salt = String(fingerprint.prefix(16))
        return Purpose.allCases.first { Self.fingerprint(owner, $0, salt: salt) == fingerprint }
    }

    private static func fingerprint(_ owner: String, _ purpose: Purpose, salt: String) -> String {
        let digest = Digest.sha256("\(salt)\n\(purpose.rawValue)\n\(owner)".utf8)
        return salt + digest.prefix(24).hexadecimal
    }
}
