/// The file `clairo.json` of an output folder: the plan, its source, and the result once the job is complete.
///
/// It is first written with state `running`, which allows an interrupted job to be resumed, and again at the end with
/// state `complete`. It contains no timestamps: the same job gives the same file.
public struct OutputManifest: Sendable, Hashable {
    /// Whether the output is published.
    public enum State: String, Sendable, Codable, Hashable { case running, complete }

    /// Whether the output is published.
    public var state: State
    /// The versions of the program and of libav, for example `clairo 0.1.0 libav 5.1.9`.
    public var generator: String
    /// SHA-256 over everything that determines the output's bytes: source, settings, rungs, generator.
    public var planID: String
    /// The plan.
    public var plan: Plan
    /// The finished renditions of all kinds, in the order of the plan.
    public var renditions: [RenditionRecord]
    /// Every other file of the output, sorted by key.
    public var files: [FileRecord]
    /// Warnings about the output, for example that the source was truncated or a stream was dropped.
    public var warnings: [MediaWarning]
    /// In a running job, the segments for which other frames were decoded than the source has. Nil for none, and in a
    /// complete output.
    public var counts: [SegmentCounts]?

    public init(
        state: State, generator: String, planID: String, plan: Plan, renditions: [RenditionRecord] = [],
        files: [FileRecord] = [], warnings: [MediaWarning] = []
    ) {
        self.state = state
        self.generator = generator
        self.planID = planID
        self.plan = plan
        self.renditions = renditions
        self.files = files
        self.warnings = warnings
    }
}

extension OutputManifest: Codable {
    private enum CodingKeys: String, CodingKey {
        case state, generator, planID, plan, renditions, files, warnings, counts
        /// Where older versions have the audio tracks.
        case audio
    }

    /// Also accepts manifests of older versions.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            state: try container.decode(State.self, forKey: .state),
            generator: try container.decode(String.self, forKey: .generator),
            planID: try container.decode(String.self, forKey: .planID),
            plan: try container.decode(Plan.self, forKey: .plan),
            renditions: try container.decode([RenditionRecord].self, forKey: .renditions),
            files: try container.decode([FileRecord].self, forKey: .files),
            warnings: try container.decode([MediaWarning].self, forKey: .warnings))
        counts = try container.decodeIfPresent([SegmentCounts].self, forKey: .counts)
        if container.allKeys.contains(.audio) {
            renditions += try container.decode([RenditionRecord.OldAudio].self, forKey: .audio).map(\.record)
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(state, forKey: .state)
        try container.encode(generator, forKey: .generator)
        try container.encode(planID, forKey: .planID)
        try container.encode(plan, forKey: .plan)
        try container.encode(renditions, forKey: .renditions)
        try container.encode(files, forKey: .files)
        try container.encode(warnings, forKey: .warnings)
        try container.encodeIfPresent(counts, forKey: .counts)
    }
}

/// A file of the output and its checksum.
public struct FileRecord: Sendable, Codable, Hashable {
    /// Path in the output folder.
    public var key: String
    /// Size in bytes.
    public var bytes: Int64
    /// SHA-256 in hexadecimal.
    public var sha256: String

    public init(key: String, bytes: Int64, sha256: String) {
        self.key = key
        self.bytes = bytes
        self.sha256 = sha256
    }
}
