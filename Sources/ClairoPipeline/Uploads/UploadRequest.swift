public import ClairoCore

/// What an uploader says of a video, beside its bytes.
public struct UploadRequest: Sendable, Hashable {
    public static let longestText = 2000

    public let originalName: String
    public let title: String?
    public let profile: String
    public let priority: Priority
    /// Whose it is.
    public let tenant: String

    /// - Parameters:
    ///   - originalName: as its owner has it; only shown, so anything goes but the empty name.
    ///   - profile: letters, digits, `-`, `_` and `.`, at most 64; `tenant` the same.
    public init(
        originalName: String, title: String? = nil, profile: String = "default", priority: Priority = .normal,
        tenant: String = Video.defaultTenant
    ) throws(ClairoError) {
        guard originalName.count <= Self.longestText, (title?.count ?? 0) <= Self.longestText else {
            throw .usage("The name or title has more than \(Self.longestText) characters")
        }
        for (name, whose) in [(profile, "profile"), (tenant, "tenant")] where !Self.isName(name) {
            throw .usage(
                "The \(whose)'s name is not valid", advice: "Use letters, digits, - _ and ., at most 64 of them.")
        }
        // NUL cannot be kept by every database.
        let clean = { (text: String) in text.replacing("\0", with: "\u{FFFD}") }
        self.originalName = originalName.isEmpty ? "unnamed" : clean(originalName)
        self.title = title.flatMap { $0.isEmpty ? nil : clean($0) }
        self.profile = profile
        self.priority = priority
        self.tenant = tenant
    }

    private static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64
            && text.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII
                    && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                        || "-_.".unicodeScalars.contains(scalar))
            }
    }

    /// A session for this request, not yet in the database.
    public func session(fingerprint: String, size: Int64?, sha256: String? = nil, keptFor seconds: Double)
        -> UploadSession
    {
        let now = Timestamp.now
        return UploadSession(
            id: .make(at: now), videoID: .make(at: now), fingerprint: fingerprint, title: title,
            originalName: originalName, profile: profile, priority: priority, tenant: tenant, size: size,
            sha256: sha256, createdAt: now, expiresAt: now.advanced(bySeconds: seconds))
    }
}
