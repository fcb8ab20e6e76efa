/// The output of `clairo verify --json`: one entry per check.
public struct VerificationReport: Sendable, Codable, Hashable {
    /// One check and its result.
    public struct Check: Sendable, Codable, Hashable {
        /// A stable name, for example `segment-boundaries`.
        public var name: String
        /// The checked item: a rendition, a playlist or a file.
        public var subject: String
        /// Whether it passed.
        public var passed: Bool
        /// The result, and for a failed check the expected result.
        public var detail: String

        public init(name: String, subject: String, passed: Bool, detail: String) {
            self.name = name
            self.subject = subject
            self.passed = passed
            self.detail = detail
        }
    }

    /// All checks that were made.
    public var checks: [Check]

    public init(checks: [Check] = []) { self.checks = checks }

    /// Whether there was a check, and none failed.
    public var passed: Bool { !checks.isEmpty && checks.allSatisfy(\.passed) }
    /// The checks that failed.
    public var problems: [Check] { checks.filter { !$0.passed } }

    enum CodingKeys: String, CodingKey { case passed, checks }

    public init(from decoder: any Decoder) throws {
        checks = try decoder.container(keyedBy: CodingKeys.self).decode([Check].self, forKey: .checks)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(passed, forKey: .passed)
        try container.encode(checks, forKey: .checks)
    }
}
