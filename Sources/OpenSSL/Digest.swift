internal import COpenSSL

/// A message digest that is computed piece by piece.
///
/// OpenSSL fails here only if memory runs out, and that ends the process.
///
/// `@unchecked Sendable`: a shared context is never changed, because `update` first copies a context to which another
/// value refers.
public struct Digest: @unchecked Sendable {
    /// The algorithms. MD5 and SHA-1 are only for foreign formats and protocols that require them.
    public enum Algorithm: Sendable, Hashable {
        case md5, sha1, sha256
    }

    private final class Context {
        let pointer: OpaquePointer

        init() {
            guard let pointer = EVP_MD_CTX_new() else { preconditionFailure("OpenSSL cannot allocate a digest") }
            self.pointer = pointer
        }

        init(copying other: Context) {
            guard let pointer = EVP_MD_CTX_new(), EVP_MD_CTX_copy_ex(pointer, other.pointer) == 1 else {
                preconditionFailure("OpenSSL cannot copy a digest")
            }
            self.pointer = pointer
        }

        deinit { EVP_MD_CTX_free(pointer) }
    }

    private var context = Context()

    /// Creates the digest of an empty message.
    public init(_ algorithm: Algorithm) {
        // Security does not depend on MD5 and SHA-1 here, so compute them even where only FIPS algorithms are allowed.
        let type =
            switch algorithm {
            case .md5: EVP_MD_fetch(nil, "MD5", "-fips")
            case .sha1: EVP_MD_fetch(nil, "SHA1", "-fips")
            case .sha256: EVP_MD_fetch(nil, "SHA256", nil)
            }
        defer { EVP_MD_free(type) }
        guard type != nil, EVP_DigestInit_ex(context.pointer, type, nil) == 1 else {
            preconditionFailure("OpenSSL does not offer \(algorithm)")
        }
    }

    /// Appends bytes to the message.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        if !isKnownUniquelyReferenced(&context) { context = Context(copying: context) }
        guard EVP_DigestUpdate(context.pointer, bytes.baseAddress, bytes.count) == 1 else {
            preconditionFailure("OpenSSL cannot continue a digest")
        }
    }

    /// Appends bytes to the message.
    public mutating func update(_ bytes: some Sequence<UInt8>) {
        withBytes(of: bytes) { update($0) }
    }

    /// The digest of the message so far. More bytes can be appended afterwards.
    public func value() -> [UInt8] {
        let end = Context(copying: context)
        var length: UInt32 = 0
        let value = [UInt8](unsafeUninitializedCapacity: Int(EVP_MAX_MD_SIZE)) { buffer, count in
            guard EVP_DigestFinal_ex(end.pointer, buffer.baseAddress, &length) == 1 else {
                preconditionFailure("OpenSSL cannot finish a digest")
            }
            count = Int(length)
        }
        return value
    }

    /// The digest of `bytes`.
    public static func value(_ algorithm: Algorithm, of bytes: some Sequence<UInt8>) -> [UInt8] {
        var digest = Digest(algorithm)
        digest.update(bytes)
        return digest.value()
    }

    /// The SHA-256 of `bytes`.
    public static func sha256(_ bytes: some Sequence<UInt8>) -> [UInt8] { value(.sha256, of: bytes) }
}

/// Calls `body` with the bytes. Their address is never null, even if there are none, because OpenSSL takes a null key
/// for a missing one.
func withBytes<R>(of bytes: some Sequence<UInt8>, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    bytes.withContiguousStorageIfAvailable { bytes in
        if bytes.isEmpty { return withUnsafeBytes(of: 0 as UInt8) { body(UnsafeRawBufferPointer(rebasing: $0[..<0])) } }
        return body(UnsafeRawBufferPointer(bytes))
    } ?? Array(bytes).withUnsafeBytes(body)
}
