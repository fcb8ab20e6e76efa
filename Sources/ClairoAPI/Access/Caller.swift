internal import ClairoCore
internal import Crypto
internal import Foundation

/// Who makes a request, as far as its uploads are concerned: those with one name share them, others cannot see them.
struct Caller: Sendable, Hashable {
    /// What kind of upload a fingerprint is of.
    enum Purpose: String, CaseIterable { case stream, resumable, direct }

    /// The token's name where it has one, so that a token can be replaced; else its digest. Never the token.
    let owner: String

    static let anonymous = Caller(owner: "anonymous")

    /// A fingerprint for a new upload: a random salt and a digest of it, the caller and the purpose, 64 hexadecimal digits.
    func fingerprint(_ purpose: Purpose) -> String {
        let salt = (0..<8).map { _ in UInt8.random(in: .min ... .max) }
        return Self.fingerprint(owner, purpose, salt: salt.hexadecimal)
    }

    /// What kind of upload it is; nil where it is not the caller's.
    func purpose(ofFingerprint fingerprint: String) -> Purpose? {
        let salt = String(fingerprint.prefix(16))
        return Purpose.allCases.first { Self.fingerprint(owner, $0, salt: salt) == fingerprint }
    }

    private static func fingerprint(_ owner: String, _ purpose: Purpose, salt: String) -> String {
        let digest = SHA256.hash(data: Data("\(salt)\n\(purpose.rawValue)\n\(owner)".utf8))
        return salt + digest.prefix(24).hexadecimal
    }
}
