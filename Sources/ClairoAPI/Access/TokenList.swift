internal import ClairoCore
internal import Crypto
internal import Foundation

/// The bearer tokens that are let in. Only their digests are kept.
///
/// The file has one token in a line, with `name:` in front or not; lines that begin with `#` are comments. Tokens of one name
/// share their uploads.
struct TokenList: Sendable, Equatable {
    private struct Entry: Sendable, Equatable {
        var digest: [UInt8]
        var caller: Caller
    }

    private var entries: [Entry] = []

    /// What its owner should mend.
    private(set) var warnings: [String] = []

    init(text: String, name: String) throws(ClairoError) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.trimmingCharacters(in: .whitespacesAndNewlines)
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
                    "Line \(index + 1) of the token file \(name) is no token",
                    advice: "Use letters, digits and -._~+/= only, such as openssl rand -hex 32 prints.")
            }
            if token.utf8.count < 16 { warnings.append("line \(index + 1) of the token file \(name) is easy to guess") }
            let digest = Array(SHA256.hash(data: Data(token.utf8)))
            let owner = parts.count == 2 ? "name:\(parts[0])" : "token:\(digest.hexadecimal)"
            entries.append(Entry(digest: digest, caller: Caller(owner: owner)))
        }
        guard !entries.isEmpty else {
            throw .configuration(
                "The token file \(name) has no tokens", advice: "Write one into it: openssl rand -hex 32 > \(name)")
        }
    }

    /// Reads the file; a file that others may read is a warning.
    init(path: String) throws(ClairoError) {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw .configuration(
                "The token file \(path) cannot be read", advice: "Check that it is there and that clairo may read it.")
        }
        try self.init(text: String(decoding: data, as: UTF8.self), name: path)
        let mode = (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? NSNumber
        if let mode, mode.intValue & 0o077 != 0 {
            warnings.append("others may read the token file \(path): chmod 600 \(path)")
        }
    }

    /// Whose token this is. All entries are compared, each in the same time whatever it holds.
    func caller(token: Substring) -> Caller? {
        let digest = Array(SHA256.hash(data: Data(token.utf8)))
        var found: Caller?
        for entry in entries {
            var difference: UInt8 = 0
            for (mine, theirs) in zip(entry.digest, digest) { difference |= mine ^ theirs }
            if difference == 0 { found = entry.caller }
        }
        return found
    }
}
