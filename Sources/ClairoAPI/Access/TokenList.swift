internal import ClairoCore
internal import Foundation
internal import OpenSSL

/// The accepted bearer tokens. Only their digests are kept.
///
/// The token file has one token per line, optionally preceded by `name:`. Lines that start with `#` are comments.
/// Tokens with the same name share their uploads.
struct TokenList: Sendable, Equatable {
    private struct Entry: Sendable, Equatable {
        var digest: [UInt8]
        var caller: Caller
    }

    private var entries: [Entry] = []

    /// Problems that the operator should fix, as clauses without a full stop.
    private(set) var warnings: [String] = []

    /// - Parameters:
    ///   - lines: The lines of the token file.
    ///   - name: The name of the file for messages.
    /// - Throws: `configuration` (78) if a line is malformed or there are no tokens.
    init(lines: [String], name: String) throws(ClairoError) {
        for (index, line) in lines.enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let token = parts[parts.count - 1].trimmingCharacters(in: .whitespaces)
            // RFC 6750 section 2.1, b64token.
            let isToken = token.utf8.allSatisfy { byte in
                byte < 128 && (Character(Unicode.Scalar(byte)).isLetter || Character(Unicode.Scalar(byte)).isNumber)
                    || "-._~+/=".utf8.contains(byte)
            }
            guard !token.isEmpty, isToken else {
                throw .configuration(
                    "Line \(index + 1) of the token file \(name) is not a token",
                    advice: "Use only letters, digits and -._~+/=, for example the output of openssl rand -hex 32.")
            }
            if token.utf8.count < 16 { warnings.append("line \(index + 1) of the token file \(name) is easy to guess") }
            let digest = Digest.sha256(token.utf8)
            let owner = parts.count == 2 ? "name:\(parts[0])" : "token:\(digest.hexadecimal)"
            entries.append(Entry(digest: digest, caller: Caller(owner: owner)))
        }
        guard !entries.isEmpty else {
            throw .configuration(
                "The token file \(name) has no tokens", advice: "Create one: openssl rand -hex 32 > \(name)")
        }
    }

    /// Reads the file at `path`. Adds a warning if other users can access it.
    init(path: String) throws(ClairoError) {
        try self.init(lines: try TextLines.read(path, kind: "token file"), name: path)
        if SystemFile.isShared(path) {
            warnings.append("other users can read the token file \(path): chmod 600 \(path)")
        }
    }

    /// The caller with this token, or nil if the token is unknown. Compares all entries in constant time.
    func caller(token: Substring) -> Caller? {
        let digest = Digest.sha256(token.utf8)
        var found: Caller?
        for entry in entries {
            var difference: UInt8 = 0
            for (mine, theirs) in zip(entry.digest, digest) { difference |= mine ^ theirs }
            if difference == 0 { found = entry.caller }
        }
        return found
    }
}
