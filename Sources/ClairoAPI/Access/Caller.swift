internal import ClairoCore
internal import Foundation
internal import OpenSSL

/// The identity of a caller, which owns uploads. Callers with the same owner share uploads; others cannot see them.
struct Caller: Sendable, Hashable {
    /// How an upload is sent: in one request, resumably over tus, or directly to the store.
    enum Purpose: String, CaseIterable { case stream, resumable, direct }

    /// The token's name if it has one, so that uploads keep their owner when the token is rotated; otherwise the
    /// token's digest. Never the token itself.
    let owner: String
    /// Identifies the caller among those who share rate and upload slots: the owner, or the address of an anonymous
    /// caller.
    let share: String

    init(owner: String) { (self.owner, share) = (owner, owner) }

    private init(owner: String, share: String) { (self.owner, self.share) = (owner, share) }

    static let anonymous = Caller(owner: "anonymous")

    /// An anonymous caller. All of them share their uploads.
    static func anonymous(at address: String) -> Caller { Caller(owner: anonymous.owner, share: address) }

    /// Creates the fingerprint of a new upload: 8 bytes of random salt, then the first 24 bytes of the SHA-256 of salt,
    /// purpose and owner, as 64 hexadecimal digits.
    func fingerprint(_ purpose: Purpose) -> String {
        let salt = (0..<8).map { _ in UInt8.random(in: .min ... .max) }
        return Self.fingerprint(owner, purpose, salt: salt.hexadecimal)
    }

    /// The purpose encoded in an upload's fingerprint, or nil if the upload belongs to another caller.
    func purpose(ofFingerprint fingerprint: String) -> Purpose? {
        let salt = String(fingerprint.prefix(16))
        return Purpose.allCases.first { Self.fingerprint(owner, $0, salt: salt) == fingerprint }
    }

    private static func fingerprint(_ owner: String, _ purpose: Purpose, salt: String) -> String {
        let digest = Digest.sha256("\(salt)\n\(purpose.rawValue)\n\(owner)".utf8)
        return salt + digest.prefix(24).hexadecimal
    }
}
