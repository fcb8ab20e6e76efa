public import ClairoCore
public import Foundation

/// Registers objects that reached a bucket without `clairo upload`, as events tell of them.
///
/// An event is a hint; what lies in the bucket is the truth. A video's id follows from bucket, key, ETag and time of the
/// object as it is now, so events that come twice, or about the same object from several senders, register it once. An
/// event about bytes that others have replaced since does nothing: there is another one about those, in whatever order
/// they come. The source stays where it is.
public struct ObjectEventHandler: Sendable {
    /// Opens a bucket whole, by its name. Blocks.
    public typealias OpenBucket = @Sendable (String) throws(ClairoError) -> any ObjectStore

    /// What has become of an object.
    public enum Outcome: Sendable {
        case registered(Video)
        case known(Video)
        /// Nothing is to be done about it, for this reason.
        case ignored(String)
        case gone
        /// It is no video that could be processed.
        case refused(ClairoError)
    }

    private let own: [ObjectLocation]
    private let metadata: any MetadataStore
    private let prober: any MediaProber
    private let openBucket: OpenBucket
    private let profile: String
    private let priority: Priority
    private let tenant: String
    private let stop: StopRequest

    /// - Parameters:
    ///   - ownStores: the raw and the output store. What Clairo writes there itself must not come in again.
    ///   - profile: of the videos that are registered, as are `priority` and `tenant`.
    ///   - stop: ends the reading of a source.
    public init(
        ownStores: [any ObjectStore], metadata: any MetadataStore, prober: any MediaProber,
        openBucket: @escaping OpenBucket, profile: String = "default", priority: Priority = .normal,
        tenant: String = Video.defaultTenant, stop: StopRequest = StopRequest()
    ) {
        own = ownStores.map { $0.location(of: "videos/") }
        self.metadata = metadata
        self.prober = prober
        self.openBucket = openBucket
        self.profile = profile
        self.priority = priority
        self.tenant = tenant
        self.stop = stop
    }

    /// Reads an event and registers the objects it tells of.
    /// - Parameter traceID: of the videos; nil for one of each video's own.
    /// - Throws: `badInput` (65) for what is no event. What concerns an object, its bucket or the rights in it is thrown after
    ///   the other objects were dealt with, what may pass before what may not; the same call can be made again.
    public func take(
        event: Data, limit: Int = UploadDialect.largestDocument, traceID: String? = nil
    ) async throws(ClairoError) -> ObjectEventSummary {
        switch try UploadDialect.read(event, limit: limit) {
        case .objects(let notices): return try await take(notices, traceID: traceID)
        case .video(let message):
            var summary = ObjectEventSummary()
            summary.ignored.append(.init(object: message.url, reason: "Clairo registered it itself"))
            return summary
        }
    }

    /// The same for an event that is read already.
    public func take(_ notices: ObjectNotices, traceID: String? = nil) async throws(ClairoError) -> ObjectEventSummary {
        var summary = ObjectEventSummary()
        summary.ignoredRecords = notices.ignored + notices.superseded
        summary.unreadable = notices.unreadable
        var failure: ClairoError?
        for notice in notices.objects {
            do throws(ClairoError) {
                summary.note(try await take(notice, traceID: traceID), of: notice)
            } catch  where error.kind != .cancelled {
                if failure == nil || (error.mayPass && failure?.mayPass == false) { failure = error }
            }
        }
        if let failure { throw failure }
        return summary
    }

    /// Registers one object by hand.
    /// - Throws: `noInput` (66) where there is none, `badInput` (65) where it is no video, `usage` (64) where Clairo wrote it.
    public func take(bucket: String, key: String) async throws(ClairoError) -> ObjectEventSummary {
        let notice = try ObjectNotice(bucket: bucket, key: key)
        let outcome = try await take(notice)
        switch outcome {
        case .refused(let error): throw error
        case .gone: throw .noInput("There is no s3://\(bucket)/\(key)", advice: "Check the names.")
        case .ignored(let reason): throw .usage("s3://\(bucket)/\(key) is not registered: \(reason)")
        case .registered, .known: break
        }
        var summary = ObjectEventSummary()
        summary.note(outcome, of: notice)
        return summary
    }

    /// Registers one object, whether anybody has told of it or not.
    public func take(_ notice: ObjectNotice, traceID: String? = nil) async throws(ClairoError) -> Outcome {
        if own.contains(where: { !$0.bucket.isEmpty && $0.bucket == notice.bucket && notice.key.begins(with: $0.key) })
        {
            return .ignored("Clairo wrote it itself")
        }
        let key = ObjectKey(notice.key)
        let found = try await blocking("look at object") { [openBucket] () throws(ClairoError) in
            let store = try openBucket(notice.bucket)
            return (store: store, info: try store.info(of: key))
        }
        guard let info = found.info else { return .gone }
        if let eTag = notice.eTag, eTag != info.etag { return .ignored("it was replaced since") }
        let id = VideoID.derived(from: "\(notice.bucket)\n\(notice.key)\n\(info.etag)", at: info.modified)
        if let video = try await metadata.video(id) { return .known(video) }
        let name = notice.key.split(separator: "/").last.map(String.init) ?? notice.key
        let request = try UploadRequest(
            originalName: name, profile: profile, priority: priority, tenant: tenant)
        let media: MediaInfo
        let sha256: String
        do throws(ClairoError) {
            (media, sha256) = try await blocking("probe") { [prober, stop] () throws(ClairoError) in
                let source = try found.store.open(key)
                guard source.size == info.size, (source.etag ?? info.etag) == info.etag else {
                    throw .temporary("\(found.store.location(of: key).url) was replaced while it was looked at")
                }
                let media = try prober.probe(source, name: request.originalName, profile: request.profile)
                return (media, try Checksum.sha256(source, check: stop.check))
            }
        } catch  where error.kind == .badInput {
            return .refused(error)
        } catch  where error.exitCode == .noInput {
            return .gone
        }
        let now = Timestamp.now
        let video = Video(
            id: id, originalName: request.originalName, profile: request.profile, priority: request.priority,
            tenant: request.tenant, source: found.store.location(of: key), size: info.size, sha256: sha256,
            media: media,
            traceID: traceID ?? UploadRegistration.traceID(), uploadedAt: info.modified, updatedAt: now)
        let message = try UploadRegistration.message(video, at: now)
        if try await metadata.register(video, message: message, upload: nil) { return .registered(video) }
        return .known(try await metadata.video(id) ?? video)
    }
}

extension ClairoError {
    fileprivate var mayPass: Bool { kind == .transient || kind == .capacity }
}

extension String {
    /// Byte by byte, as keys are compared: `hasPrefix` would not find a prefix whose last sign the next one joins.
    fileprivate func begins(with prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }
}

/// What has become of the objects of one event; `clairo produce --json` prints it, a Lambda function answers it.
public struct ObjectEventSummary: Sendable, Codable, Hashable {
    public struct Entry: Sendable, Codable, Hashable {
        public var videoID: VideoID
        public var url: String
    }

    public struct Note: Sendable, Codable, Hashable {
        /// `s3://bucket/key` as people read it.
        public var object: String
        public var reason: String
    }

    public var schema = 1
    public var registered: [Entry] = []
    /// Registered before.
    public var known: [Entry] = []
    /// Objects with which nothing is to be done.
    public var ignored: [Note] = []
    /// Objects that are no videos.
    public var refused: [Note] = []
    /// Records about something else than new objects, and earlier ones about the same object.
    public var ignoredRecords = 0
    /// What is wrong with records that could not be read: whoever keeps dead letters keeps the event.
    public var unreadable: [String] = []

    init() {}

    mutating func note(_ outcome: ObjectEventHandler.Outcome, of notice: ObjectNotice) {
        let object = "s3://\(notice.bucket)/\(notice.key)"
        switch outcome {
        case .registered(let video): registered.append(Entry(videoID: video.id, url: video.source.url))
        case .known(let video): known.append(Entry(videoID: video.id, url: video.source.url))
        case .gone: ignored.append(Note(object: object, reason: "there is no such object any more"))
        case .ignored(let reason): ignored.append(Note(object: object, reason: reason))
        case .refused(let error): refused.append(Note(object: object, reason: error.description))
        }
    }
}
