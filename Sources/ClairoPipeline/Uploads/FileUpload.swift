public import ClairoCore
internal import Foundation

/// Uploads a local file to the raw store and registers it.
///
/// The upload's row is written before the store is used and kept until the caller has reported the video's id to its
/// user. The store's list of parts is the source of truth about what has arrived. So a repeated call resumes a run that
/// was killed at any point, and never creates a second video from the same file.
public struct FileUpload: Sendable {
    /// The outcome of an upload.
    public struct Outcome: Sendable {
        /// The video.
        public var video: Video
        /// The number of bytes sent by this run. Earlier runs sent the others.
        public var sentBytes: Int64
        /// An older video with the same content, if any.
        public var sameContent: Video?
        /// Pass this to `acknowledge(_:)` once the user knows the video's id.
        public var session: UploadID?

        public init(video: Video, sentBytes: Int64, sameContent: Video? = nil, session: UploadID? = nil) {
            self.video = video
            self.sentBytes = sentBytes
            self.sameContent = sameContent
            self.session = session
        }
    }

    /// Committed and total bytes.
    public struct Progress: Sendable {
        /// Bytes that the store has committed.
        public var done: Int64
        /// The size of the file in bytes.
        public var total: Int64
    }

    /// How long an interrupted upload can be resumed, in seconds.
    public static let keptForSeconds: Double = 7 * 86_400
    private static let partsAtOnce = 4

    private let registration: UploadRegistration
    private let stop: StopRequest
    private var store: any UploadStore { registration.store }
    private var metadata: any VideoRecords & UploadRecords { registration.metadata }

    public init(registration: UploadRegistration, stop: StopRequest = StopRequest()) {
        self.registration = registration
        self.stop = stop
    }

    /// - Parameters:
    ///   - fingerprint: Identifies the file without reading it. Called again at the end, to detect a change.
    ///   - dedupe: Whether to send nothing and return the existing video if one has the same content and has not
    ///     failed.
    /// - Throws: `badInput` (65), before any byte is sent, if the file is not media.
    public func run(
        _ source: any ByteSource, request: UploadRequest,
        fingerprint: @escaping @Sendable () throws(ClairoError) -> String, dedupe: Bool,
        progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) async throws(ClairoError) -> Outcome {
        let media = try await onDedicatedThread(name: "probe") { [registration] () throws(ClairoError) in
            try registration.prober.probe(source, name: request.originalName, profile: request.profile)
        }
        try stop.check()
        // An upload to another store is a different upload.
        let place = store.location(of: "source").url
        let identity = { () throws(ClairoError) in Checksum.sha256(Data("\(try fingerprint())\n\(place)".utf8)) }
        let print = try identity()
        // An earlier run may have completed the upload without reporting it. A failed video is uploaded again.
        if let old = try await metadata.upload(fingerprint: print), old.state == .complete, old.size == source.size,
            let video = try await metadata.video(old.videoID), ![.failed, .cancelled, .deleting].contains(video.state)
        {
            return Outcome(video: video, sentBytes: 0, session: old.id)
        }
        if dedupe {
            let sum = try await onDedicatedThread(name: "checksum") { [stop] () throws(ClairoError) in
                try Checksum.sha256(source, check: stop.check)
            }
            if let video = try await metadata.video(sha256: sum) {
                return Outcome(video: video, sentBytes: 0, sameContent: video)
            }
        }
        let (session, isNew) = try await session(source, request: request, fingerprint: print)
        let sent: Sent
        do {
            sent = try await send(source, session: session, isNew: isNew, progress: progress)
        } catch {
            // Another process may have completed the same upload first.
            if let video = try? await metadata.video(session.videoID) {
                return Outcome(video: video, sentBytes: 0, session: session.id)
            }
            // The store no longer knows the upload.
            guard error.exitCode == .noInput else { throw error }
            throw .temporary(
                "Another process ended the upload of \(request.originalName)", advice: "Run the command again.")
        }
        CrashPoint.reach("upload.sent")
        guard try identity() == print else {
            try await registration.discard(session)
            throw .inputOutput(
                "\(request.originalName) changed while it was being read", advice: "Run the command again.")
        }
        let twin = try await metadata.video(sha256: sent.sha256)
        let video = try await registration.finish(session, sha256: sent.sha256, media: media)
        CrashPoint.reach("upload.registered")
        return Outcome(
            video: video, sentBytes: sent.bytes, sameContent: twin?.id == video.id ? nil : twin, session: session.id)
    }

    /// Deletes the row of an upload whose video id was reported. Uploading the same file again then creates another
    /// video.
    public func acknowledge(_ session: UploadID) async throws(ClairoError) { try await metadata.deleteUpload(session) }

    /// Returns the row of this upload: that of an earlier run, or a new one.
    private func session(_ source: any ByteSource, request: UploadRequest, fingerprint: String)
        async throws(ClairoError) -> (UploadSession, isNew: Bool)
    {
        if let old = try await metadata.upload(fingerprint: fingerprint) {
            if old.size == source.size, old.state == .open {
                // Renews the session, so that the sweep does not remove it during the upload.
                var renewed = old
                renewed.expiresAt = Timestamp.now.advanced(bySeconds: Self.keptForSeconds)
                // The file may have been renamed since.
                renewed.originalName = request.originalName
                guard let mine = try await metadata.updateUpload(renewed) else { throw Self.busy(request.originalName) }
                return (mine, false)
            }
            try await registration.discard(old)
        }
        let session = request.session(fingerprint: fingerprint, size: source.size, keptFor: Self.keptForSeconds)
        try await metadata.createUpload(session)
        CrashPoint.reach("upload.created")
        return (session, true)
    }

    private static func busy(_ name: String) -> ClairoError {
        .temporary("Another process is uploading \(name)", advice: "Wait for it, then try again.")
    }

    // MARK: Bytes

    private struct Sent {
        var bytes: Int64
        var sha256: String
    }

    private func send(
        _ source: any ByteSource, session: UploadSession, isNew: Bool,
        progress: @escaping @Sendable (Progress) -> Void
    ) async throws(ClairoError) -> Sent {
        let key = Video.sourceKey(session.videoID)
        let partSize = session.multipart?.partSize ?? PartSizes(forLength: source.size).first
        if source.size <= Int64(partSize) { return try await sendWhole(source, to: key, progress: progress) }
        let upload: MultipartUpload
        let present: [UploadedPart]
        switch try await multipart(session, isNew: isNew, partSize: partSize) {
        case .complete: return try await compare(source, with: key)
        case .open(let open, let parts): (upload, present) = (open, parts)
        }
        var (parts, sent) = try await sendParts(source, of: upload, present: present, progress: progress)
        parts.sort { $0.number < $1.number }
        CrashPoint.reach("upload.parts")
        let sorted = parts
        let info = try await onDedicatedThread(name: "complete upload") { [store] () throws(ClairoError) in
            try store.complete(upload, parts: sorted)
        }
        CrashPoint.reach("upload.completed")
        guard info.size == source.size else {
            try await registration.discard(session)
            throw .inputOutput(
                "The store has \(info.size) bytes of \(session.originalName) instead of \(source.size)",
                advice: "Run the command again.")
        }
        return sent
    }

    private func sendWhole(
        _ source: any ByteSource, to key: ObjectKey, progress: @escaping @Sendable (Progress) -> Void
    ) async throws(ClairoError) -> Sent {
        let sent = try await onDedicatedThread(name: "upload") { [store, stop] () throws(ClairoError) in
            let data = try source.part(at: 0, count: Int(source.size))
            try stop.check()
            try store.put(data, at: key)
            return Sent(bytes: source.size, sha256: Checksum.sha256(data))
        }
        progress(Progress(done: source.size, total: source.size))
        return sent
    }

    private enum Begun {
        case open(MultipartUpload, [UploadedPart])
        /// An earlier run completed the object but died before registering it.
        case complete
    }

    /// Returns the store's multipart upload of the session: that of an earlier run, or a new one.
    private func multipart(_ session: UploadSession, isNew: Bool, partSize: Int) async throws(ClairoError) -> Begun {
        let key = Video.sourceKey(session.videoID)
        let begun = try await onDedicatedThread(name: "begin upload") { [store] () throws(ClairoError) -> Begun in
            if isNew { return .open(try store.beginUpload(at: key, partSize: partSize), []) }
            var candidates = [session.multipart].compactMap(\.self)
            // Includes an upload whose id was never recorded in the database.
            candidates += try store.openUploads(prefix: key.rawValue).filter { $0.key == key }
            for candidate in candidates {
                let upload = MultipartUpload(key: key, id: candidate.id, partSize: partSize)
                do throws(ClairoError) {
                    return .open(upload, try store.parts(of: upload))
                } catch  where error.exitCode == .noInput {
                    continue
                }
            }
            if try store.info(of: key)?.size == session.size { return .complete }
            return .open(try store.beginUpload(at: key, partSize: partSize), [])
        }
        guard case .open(let upload, _) = begun else { return begun }
        CrashPoint.reach("upload.begun")
        if session.multipart != upload {
            var changed = session
            changed.multipart = upload
            guard try await metadata.updateUpload(changed) != nil else {
                if session.multipart?.id != upload.id {
                    try await onDedicatedThread(name: "abort upload") { [store] () throws(ClairoError) in
                        try store.abort(upload)
                    }
                }
                throw Self.busy(session.originalName)
            }
        }
        return begun
    }

    /// Reads the source once, in order, and sends the parts that the store lacks, several at a time.
    private func sendParts(
        _ source: any ByteSource, of upload: MultipartUpload, present: [UploadedPart],
        progress: @escaping @Sendable (Progress) -> Void
    ) async throws(ClairoError) -> ([UploadedPart], Sent) {
        let present = Dictionary(present.map { ($0.number, $0) }, uniquingKeysWith: { $1 })
        let count = upload.partCount(forLength: source.size)
        typealias SentPart = Result<UploadedPart, ClairoError>
        let outcome: Result<([UploadedPart], Sent), ClairoError> = await withTaskGroup(of: SentPart.self) { group in
            do throws(ClairoError) {
                var (hash, finished, inFlight) = (Checksum.Running(), [UploadedPart](), 0)
                var (done, sent): (Int64, Int64) = (0, 0)
                func note(_ part: UploadedPart) {
                    finished.append(part)
                    done += Int64(part.size)
                    progress(Progress(done: done, total: source.size))
                }
                for number in 1...count {
                    if inFlight == Self.partsAtOnce, let part = await group.next() {
                        inFlight -= 1
                        note(try part.get())
                    }
                    try stop.check()
                    let offset = Int64(number - 1) * Int64(upload.partSize)
                    let (before, old) = (hash, present[number])
                    let read = try await onDedicatedThread(name: "read part") { () throws(ClairoError) in
                        let data = try source.part(
                            at: offset, count: Int(min(Int64(upload.partSize), source.size - offset)))
                        var running = before
                        running.update(data)
                        let isThere = old.map { $0.size == data.count && $0.checksum?.matches(data) == true } ?? false
                        return (data: data, hash: running, isThere: isThere)
                    }
                    hash = read.hash
                    if read.isThere, let old {
                        note(old)
                        continue
                    }
                    sent += Int64(read.data.count)
                    inFlight += 1
                    group.addTask { [store] in
                        let part = await onDedicatedThread(name: "send part") {
                            SentPart { () throws(ClairoError) in
                                try store.putPart(read.data, number: number, of: upload)
                            }
                        }
                        if case .success = part { CrashPoint.reach("upload.part.\(number)") }
                        return part
                    }
                }
                while let part = await group.next() { note(try part.get()) }
                return .success((finished, Sent(bytes: sent, sha256: hash.finish())))
            } catch {
                group.cancelAll()
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Reads back an existing object to verify that it has the source's bytes.
    private func compare(_ source: any ByteSource, with key: ObjectKey) async throws(ClairoError) -> Sent {
        let (mine, theirs) = try await onDedicatedThread(name: "compare") { [store, stop] () throws(ClairoError) in
            (
                try Checksum.sha256(source, check: stop.check),
                try Checksum.sha256(store.open(key), check: stop.check)
            )
        }
        guard mine == theirs else {
            try await onDedicatedThread(name: "remove") { [store] () throws(ClairoError) in try store.delete(key) }
            throw .temporary(
                "The store's copy differs from the source and has been deleted", advice: "Run the same command again.")
        }
        return Sent(bytes: 0, sha256: mine)
    }
}
