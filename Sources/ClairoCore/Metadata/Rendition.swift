/// A published rendition. In documents, the fields of the record and these are in one object.
public struct Rendition: Sendable, Hashable {
    /// What was measured.
    public var record: RenditionRecord
    /// URL of its HLS playlist.
    public var playlistURL: String?
    /// URL of a file with the whole rendition: MP4, M4A, or WebVTT.
    public var fileURL: String?
    /// The job that made it. Nil in documents for uploaders and about a job.
    public var jobID: JobID?

    public init(_ record: RenditionRecord, playlistURL: String?, fileURL: String?, jobID: JobID? = nil) {
        self.record = record
        self.playlistURL = playlistURL
        self.fileURL = fileURL
        self.jobID = jobID
    }
}

extension Rendition: Codable {
    private enum CodingKeys: String, CodingKey { case playlistURL, fileURL, jobID }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            try RenditionRecord(from: decoder),
            playlistURL: try container.decodeIfPresent(String.self, forKey: .playlistURL),
            fileURL: try container.decodeIfPresent(String.self, forKey: .fileURL),
            jobID: try container.decodeIfPresent(JobID.self, forKey: .jobID))
    }

    public func encode(to encoder: any Encoder) throws {
        try record.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(playlistURL, forKey: .playlistURL)
        try container.encodeIfPresent(fileURL, forKey: .fileURL)
        try container.encodeIfPresent(jobID, forKey: .jobID)
    }
}
