public import ClairoCore
public import Foundation
internal import Synchronization

/// Registers objects that reached a bucket without `clairo upload`, as announced by storage events.
///
/// An event is a hint; the bucket is the source of truth. The video's id is derived from the bucket, key, ETag and
/// modification time of the current object, so duplicate events, or events from several senders, register an object
/// once. An event about a version that has since been overwritten is ignored: the new version has its own event, in
/// whatever order they arrive. The source is not moved.
public struct ObjectEventHandler: Sendable {
    /// Opens a whole bucket by name. Blocks. The stop request cancels its current and later calls.
    public typealias OpenBucket = @Sendable (String, StopRequest) throws(ClairoError) -> any BackingStore

    /// The result for one object.
    public enum Outcome: Sendable {
        /// The object is a new video.
        case registered(Video)
        /// The object was registered before.
        case known(Video)
        /// The object was not registered, for this reason.
        case ignored(String)
        /// The object no longer exists.
        case gone
        /// The object is not a processable video.
        case refused(ClairoError)
    }

    private let own: [ObjectLocation]
    private let metadata: any VideoRecords & DeletionRecords
    private let prober: any MediaProber
    private let openBucket: OpenBucket
    private let profile: String
    private let priority: Priority
    private let tenant: String
    private let stop: StopRequest
    private let answerSeconds: Double
    private let pauses = BucketPauses()

    /// - Parameters:
    ///   - ownStores: The raw and output stores. Objects that Clairo itself writes there are never registered.
    ///   - profile: The profile of registered videos. `priority` and `tenant` apply to them as well.
    ///   - stop: Cancels the requests to buckets and the probing of a source.
    ///   - answerSeconds: How long a bucket may take until it has told about an object. A bucket that works takes less
    ///     than a second; the default allows for one lost connection attempt and a retry. The time for reading a source
    ///     has no limit, because it depends on the size.
    public init(
        ownStores: [any BackingStore], metadata: any VideoRecords & DeletionRecords, prober: any MediaProber,
        openBucket: @escaping OpenBucket, profile: String = "default", priority: Priority = .normal,
        tenant: String = Video.defaultTenant, stop: StopRequest = StopRequest(), answerSeconds: Double = 20
    ) {
        self.answerSeconds = answerSeconds
        own = ownStores.map { $0.location(of: OutputLayout.videos) }
        self.metadata = metadata
        self.prober = prober
        self.openBucket = openBucket
        self.profile = profile
        self.priority = priority
        self.tenant = tenant
        self.stop = stop
    }

    /// Reads an event and registers its objects.
    /// - Parameter traceID: The trace id of the videos, or nil to create one for each.
    /// - Throws: `badInput` (65) if the document is not an event. If an object fails, the others are still handled.
    ///   Then one error is thrown, a retryable one if there is any. The call is idempotent.
    public func handle(
        event: Data, limit: Int = UploadDialect.largestDocument, traceID: String? = nil
    ) async throws(ClairoError) -> ObjectEventSummary {
        switch try UploadDialect.read(event, limit: limit) {
        case .objects(let notices): return try await handle(notices, traceID: traceID)
        case .video(let message):
            var summary = ObjectEventSummary()
            summary.ignored.append(.init(object: message.url, reason: "Clairo has already registered it"))
            return summary
        }
    }

    /// Registers the objects of a parsed event.
    public func handle(_ notices: ObjectNotices, traceID: String? = nil) async throws(ClairoError) -> ObjectEventSummary
    {
        var summary = ObjectEventSummary()
        summary.ignoredRecords = notices.ignored + notices.superseded
        summary.unreadable = notices.unreadable
        var failure: ClairoError?
        for notice in notices.objects {
            do throws(ClairoError) {
                summary.note(try await handle(notice, traceID: traceID), of: notice)
            } catch  where error.kind != .cancelled {
                if failure == nil || (error.mayPass && failure?.mayPass == false) { failure = error }
            }
        }
        if let failure { throw failure }
        return summary
    }

    /// Registers one object at an operator's request.
    /// - Throws: `noInput` (66) if it does not exist, `badInput` (65) if it is not a video, `usage` (64) if Clairo
    ///   wrote it.
    public func handle(bucket: String, key: String) async throws(ClairoError) -> ObjectEventSummary {
        let notice = try ObjectNotice(bucket: bucket, key: key)
        let outcome = try await handle(notice)
        switch outcome {
        case .refused(let error): throw error
        case .gone: throw .noInput("s3://\(bucket)/\(key) does not exist", advice: "Check the names.")
        case .ignored(let reason): throw .usage("s3://\(bucket)/\(key) is not registered: \(reason)")
        case .registered, .known: break
        }
        var summary = ObjectEventSummary()
        summary.note(outcome, of: notice)
        return summary
    }

    /// Registers one object, with or without an event.
    public func handle(_ notice: ObjectNotice, traceID: String? = nil) async throws(ClairoError) -> Outcome {
        if own.contains(where: { !$0.bucket.isEmpty && $0.bucket == notice.bucket && notice.key.begins(with: $0.key) })
        {
            return .ignored("Clairo wrote it")
        }
        if notice.isFolder { return .ignored("it is a folder") }
        // The requests of this event, which end with the process or when the bucket does not answer.
        let requests = StopRequest()
        let link = stop.onCancel { requests.cancel() }
        defer { stop.forget(link) }
        let found = try await look(at: notice, requests)
        let key = ObjectKey(notice.key)
        guard let info = found.info else { return .gone }
        if info.isFolder { return .ignored("it is a folder") }
        if let eTag = notice.eTag, eTag != info.etag { return .ignored("it has since been replaced") }
        let id = VideoID.derived(from: "\(notice.bucket)\n\(notice.key)\n\(info.etag)", at: info.modified)
        if let outcome = try await knownOutcome(id) { return outcome }
        let name = notice.key.split(separator: "/").last.map(String.init) ?? notice.key
        let request = try UploadRequest(
            originalName: name, profile: profile, priority: priority, tenant: tenant)
        let media: MediaInfo
        let sha256: String
        do throws(ClairoError) {
            (media, sha256) = try await onDedicatedThread(name: "probe") { [prober, requests] () throws(ClairoError) in
                let source = try found.store.open(key)
                guard source.size == info.size, (source.etag ?? info.etag) == info.etag else {
                    throw .temporary("\(found.store.location(of: key).url) was replaced while it was probed")
                }
                let media = try prober.probe(source, name: request.originalName, profile: request.profile)
                return (media, try Checksum.sha256(source, check: requests.check))
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
        return try await knownOutcome(id) ?? .known(video)
    }

    /// The outcome for an object that was registered before; nil if it was not.
    private func knownOutcome(_ id: VideoID) async throws(ClairoError) -> Outcome? {
        if try await metadata.deletion(of: id) != nil { return .ignored("its video was deleted") }
        return try await metadata.video(id).map { .known($0) }
    }

    /// Opens the bucket and reads the object's metadata within the time for an answer.
    private func look(
        at notice: ObjectNotice, _ requests: StopRequest
    ) async throws(ClairoError) -> (store: any BackingStore, info: ObjectInfo?) {
        try pauses.check(notice.bucket)
        let began = ContinuousClock.now
        // Whichever comes first, the answer or the end of the time, decides.
        let isDecided = Atomic(false)
        let timer = Task { [answerSeconds] in
            try await Task.sleep(for: .seconds(answerSeconds))
            if !isDecided.exchange(true, ordering: .relaxed) { requests.cancel() }
        }
        defer { timer.cancel() }
        let failure: ClairoError
        do throws(ClairoError) {
            let found = try await onDedicatedThread(name: "look at object") { [openBucket] () throws(ClairoError) in
                let store = try openBucket(notice.bucket, requests)
                return (store: store, info: try store.info(of: ObjectKey(notice.key)))
            }
            if !isDecided.exchange(true, ordering: .relaxed) {
                pauses.answered(notice.bucket)
                return found
            }
            failure = .cancelled
        } catch {
            failure = error
        }
        if failure.kind == .cancelled, !stop.isCancelled {
            pauses.failed(notice.bucket, after: answerSeconds)
            throw .unavailable("The bucket \(notice.bucket) did not answer within \(answerSeconds) s")
        }
        if failure.kind == .transient {
            pauses.failed(notice.bucket, after: (ContinuousClock.now - began) / .seconds(1))
        } else {
            pauses.answered(notice.bucket)
        }
        throw failure
    }
}

extension String {
    /// Compares bytes, as stores compare keys. `hasPrefix` compares grapheme clusters, so a combining character after
    /// the prefix would hide it.
    fileprivate func begins(with prefix: String) -> Bool { utf8.starts(with: prefix.utf8) }
}

/// What happened to the objects of one event. `clairo produce --json` prints it, and the Lambda function returns it.
public struct ObjectEventSummary: Sendable, Codable, Hashable {
    /// An object that is a video.
    public struct Entry: Sendable, Codable, Hashable {
        /// Id of the video.
        public var videoID: VideoID
        /// URL of the object.
        public var url: String
    }

    /// An object that was not registered, with the reason.
    public struct Note: Sendable, Codable, Hashable {
        /// `s3://bucket/key`, for display.
        public var object: String
        /// The reason, for display.
        public var reason: String
    }

    /// Version of the document.
    public var schema = 1
    /// New videos.
    public var registered: [Entry] = []
    /// Videos that were already registered.
    public var known: [Entry] = []
    /// Objects that were skipped: missing, replaced, or written by Clairo.
    public var ignored: [Note] = []
    /// Objects that are not videos.
    public var refused: [Note] = []
    /// The number of records that are not about a new object, or that a later record about the same object supersedes.
    public var ignoredRecords = 0
    /// The reasons why records could not be parsed. The caller should keep the event as a dead letter.
    public var unreadable: [String] = []

    init() {}

    mutating func note(_ outcome: ObjectEventHandler.Outcome, of notice: ObjectNotice) {
        let object = "s3://\(notice.bucket)/\(notice.key)"
        switch outcome {
        case .registered(let video): registered.append(Entry(videoID: video.id, url: video.source.url))
        case .known(let video): known.append(Entry(videoID: video.id, url: video.source.url))
        case .gone: ignored.append(Note(object: object, reason: "the object no longer exists"))
        case .ignored(let reason): ignored.append(Note(object: object, reason: reason))
        case .refused(let error): refused.append(Note(object: object, reason: error.description))
        }
    }
}
