public import ClairoCore

/// The properties of a new video.
public struct UploadRequest: Sendable, Hashable {
    /// The maximum number of characters in a name or title.
    public static let longestText = 2000

    /// The file name, for display only. NUL is replaced, and an empty name becomes `unnamed`.
    public let originalName: String
    /// The title, for display.
    public let title: String?
    /// Transcoding profile.
    public let profile: String
    /// The priority in the queue.
    public let priority: Priority
    /// The tenant, for fair scheduling.
    public let tenant: String

    /// - Parameters:
    ///   - originalName: The uploader's file name. It is for display only, so any text is allowed.
    ///   - profile: Up to 64 letters, digits, `-`, `_` and `.`. The same holds for `tenant`.
    public init(
        originalName: String, title: String? = nil, profile: String = "default", priority: Priority = .normal,
        tenant: String = Video.defaultTenant
    ) throws(ClairoError) {
        guard originalName.count <= Self.longestText, (title?.count ?? 0) <= Self.longestText else {
            throw .usage("The name or title has more than \(Self.longestText) characters")
        }
        for (name, field) in [(profile, "profile"), (tenant, "tenant")] where !Self.isName(name) {
            throw .usage(
                "The \(field) name is not valid", advice: "Use up to 64 letters, digits, -, _ and . characters.")
        }
        // Some databases cannot store NUL.
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

    /// Creates a session for this request, without writing it to the database.
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
