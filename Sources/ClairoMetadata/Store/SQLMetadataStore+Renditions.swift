internal import ClairoCore

/// Renditions of all kinds are rows of one table. The id is unique within a kind only, so `name`, which is part of the
/// primary key, is the id of video and `KIND/ID` of the other kinds. Version 6 and earlier had video only. `width` and
/// `height` are 0 without pictures, because they could not be null then.
extension SQLMetadataStore {
    func renditions(of id: VideoID) async throws(ClairoError) -> [Rendition] {
        try await driver.read { connection in
            try connection.query("SELECT * FROM renditions WHERE video_id = ?", [SQLValue(id)]).map(Rendition.init)
                .sorted { RenditionRecord.isBefore($0.record, $1.record) }
        }
    }
}

extension SQLConnection {
    /// Inserts the renditions that a finish task has published.
    func insert(_ renditions: [Rendition], of claim: TaskClaim) throws {
        let rows = try renditions.map { rendition -> SQLColumns in
            let record = rendition.record
            return [
                "video_id": SQLValue(claim.videoID), "job_id": SQLValue(claim.jobID),
                "name": SQLValue(record.rowName), "kind": SQLValue(record.kind), "codec": SQLValue(record.codec),
                "format": SQLValue(record.format?.rawValue), "width": SQLValue(record.size?.width ?? 0),
                "height": SQLValue(record.size?.height ?? 0),
                "frame_rate": SQLValue(record.frameRate?.description),
                "frame_count": SQLValue(record.frameCount.map(Int64.init)),
                "dynamic_range": SQLValue(record.dynamicRange?.rawValue),
                "channels": SQLValue(record.channels.map(Int64.init)), "language": SQLValue(record.language),
                "role": SQLValue(record.role?.rawValue), "title": SQLValue(record.title),
                "loudness": try .json(record.loudness),
                "duration": SQLValue(record.duration.map { Int64(($0 * 1_000_000).rounded()) }),
                "average_rate": SQLValue(record.averageRate), "peak_rate": SQLValue(record.peakRate),
                "bytes": SQLValue(record.bytes), "playlist_url": SQLValue(rendition.playlistURL),
                "mp4_url": SQLValue(rendition.fileURL),
            ]
        }
        guard try insert(into: "renditions", rows) else {
            throw ClairoError.defect("Two of the renditions \(renditions.map(\.record.id)) have the same id")
        }
    }
}

extension Rendition {
    init(_ row: SQLRow) throws(ClairoError) {
        let row = row.of("renditions")
        self.init(
            try RenditionRecord(row), playlistURL: try row.optionalText("playlist_url"),
            fileURL: try row.optionalText("mp4_url"), jobID: try row.id("job_id"))
    }
}

extension RenditionRecord {
    fileprivate var rowName: String { Self.rowPrefix(of: kind) + id }

    private static func rowPrefix(of kind: RenditionKind) -> String { kind == .video ? "" : kind.rawValue + "/" }

    fileprivate init(_ row: SQLRow) throws(ClairoError) {
        let kind: RenditionKind = try row.word("kind")
        let (width, height) = (try row.int("width"), try row.int("height"))
        self.init(
            id: String(try row.text("name").dropFirst(Self.rowPrefix(of: kind).count)), kind: kind,
            codec: try row.text("codec"), format: try row.optionalWord("format"),
            size: width > 0 ? FrameSize(width: width, height: height) : nil,
            frameRate: try row.optionalText("frame_rate").flatMap { Rational($0) },
            frameCount: try row.optionalInteger("frame_count").map(Int.init),
            dynamicRange: try row.optionalWord("dynamic_range"),
            channels: try row.optionalInteger("channels").map(Int.init), language: try row.optionalText("language"),
            role: try row.optionalWord("role"), title: try row.optionalText("title"),
            loudness: try row.optionalJSON("loudness"),
            duration: try row.optionalInteger("duration").map { Double($0) / 1_000_000 },
            averageRate: try row.integer("average_rate"), peakRate: try row.integer("peak_rate"),
            bytes: try row.integer("bytes"))
    }
}
