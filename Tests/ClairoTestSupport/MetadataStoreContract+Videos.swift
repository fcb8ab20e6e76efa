internal import ClairoCore
internal import Foundation
internal import Testing

extension MetadataStoreContract {
    static var videos: [Clause] {
        [
            Clause("a registered video is read back unchanged") { store async throws in
                var video = MetadataSamples.video()
                (video.priority, video.tenant) = (.high, "acme")
                #expect(try await register(video, in: store))
                #expect(try await store.video(video.id) == video)
                video = MetadataSamples.video(state: .failed)
                (video.title, video.media) = (nil, nil)
                video.error = Failure(kind: .badInput, message: "no frames", advice: "Send a video.")
                video.output = ProcessedOutput(
                    masterPlaylist: "https://x/master.m3u8", manifest: nil, poster: nil, resolutions: ["1920x1080"])
                #expect(try await register(video, in: store))
                #expect(try await store.video(video.id) == video)
            },
            Clause("an unknown video is nil, and deleting it succeeds") { store async throws in
                #expect(try await store.video(.make()) == nil)
                #expect(try await store.video(sha256: "ab") == nil)
                #expect(try await store.deleteVideo(.make()) == false)
                #expect(try await store.renditions(of: .make()).isEmpty)
            },
            Clause("names with any characters are read back unchanged") { store async throws in
                for name in hostileNames {
                    let video = MetadataSamples.video(name: name)
                    #expect(try await register(video, in: store))
                    #expect(try await store.video(video.id)?.originalName == name)
                }
            },
            Clause("NUL in a name becomes U+FFFD, and the rest is kept") { store async throws in
                let video = MetadataSamples.video(name: "a\0b.mp4")
                #expect(try await register(video, in: store))
                #expect(try await store.video(video.id)?.originalName == "a\u{FFFD}b.mp4")
            },
            Clause("registering is idempotent") { store async throws in
                let video = MetadataSamples.video()
                let upload = MetadataSamples.upload()
                try await store.createUpload(upload)
                let first = MetadataSamples.message(of: video.id)
                #expect(try await store.register(video, message: first, upload: upload.id))
                var other = video
                other.title = "Another"
                #expect(try await store.register(other, message: .init(of: video), upload: upload.id) == false)
                #expect(try await store.video(video.id) == video)
                #expect(try await store.upload(upload.id)?.state == .complete)
                let messages = try await store.claimOutbox(.queue, owner: "r", limit: 10, leaseSeconds: lease)
                #expect(messages.map(\.id) == [first.id])
            },
            Clause("of concurrent registrations of one video, one succeeds") { store async throws in
                let video = MetadataSamples.video()
                let wins = try await concurrently(8) { _ in try await register(video, in: store) }
                #expect(wins.count { $0 } == 1)
                #expect(try await store.unsentMessages() == 1)
            },
            Clause("a failed registration leaves nothing behind") { store async throws in
                let first = MetadataSamples.video()
                let message = MetadataSamples.message(of: first.id)
                #expect(try await store.register(first, message: message, upload: nil))
                // The same message cannot be written twice, so the video must not be written either.
                let second = MetadataSamples.video()
                #expect(
                    await failure { _ = try await store.register(second, message: message, upload: nil) }?.kind
                        == .defect)
                #expect(try await store.video(second.id) == nil)
                #expect(try await store.unsentMessages() == 1)
            },
            Clause("a failed call does not affect concurrent calls") { store async throws in
                let first = MetadataSamples.video()
                let taken = MetadataSamples.message(of: first.id)
                #expect(try await store.register(first, message: taken, upload: nil))
                let ids = try await concurrently(30) { index in
                    let video = MetadataSamples.video()
                    let message = index % 3 == 0 ? taken : MetadataSamples.message(of: video.id)
                    let error = await failure { _ = try await store.register(video, message: message, upload: nil) }
                    #expect(error?.kind == (index % 3 == 0 ? .defect : nil))
                    return error == nil ? video.id : nil
                }
                #expect(ids.compactMap { $0 }.count == 20)
                #expect(Set(try await store.videos(VideoFilter()).map(\.id)) == Set(ids.compactMap { $0 } + [first.id]))
            },
            Clause("a list is newest first, in pages") { store async throws in
                var ids: [VideoID] = []
                for second in 0..<7 {
                    let id = VideoID.make(at: Timestamp(microseconds: Int64(second) * 1_000_000))
                    let state: Video.State = second % 2 == 0 ? .ready : .failed
                    #expect(try await register(MetadataSamples.video(id: id, state: state), in: store))
                    ids.insert(id, at: 0)
                }
                func page(_ state: Video.State? = nil, before: VideoID? = nil, limit: Int) async throws -> [VideoID] {
                    try await store.videos(VideoFilter(state: state, before: before, limit: limit)).map(\.id)
                }
                #expect(try await page(limit: 50) == ids)
                #expect(try await page(limit: 3) == Array(ids[..<3]))
                #expect(try await page(before: ids[2], limit: 3) == Array(ids[3..<6]))
                #expect(try await page(before: ids[5], limit: 3) == [ids[6]])
                #expect(try await page(before: ids[6], limit: 3).isEmpty)
                #expect(try await page(.failed, limit: 2) == [ids[1], ids[3]])
                #expect(try await page(.failed, before: ids[3], limit: 2) == [ids[5]])
                #expect(try await page(.cancelled, limit: 2).isEmpty)
                #expect(try await page(limit: 0).isEmpty)
            },
            Clause("of videos with the same content, the oldest usable one is found") { store async throws in
                let digest = Checksum.sha256(Data("same".utf8))
                for (place, state) in [Video.State.failed, .cancelled].enumerated() {
                    let id = VideoID.make(at: Timestamp(microseconds: Int64(place + 1) * 1000))
                    #expect(try await register(MetadataSamples.video(id: id, sha256: digest, state: state), in: store))
                }
                #expect(try await store.video(sha256: digest) == nil)
                let old = MetadataSamples.video(id: .make(at: Timestamp(microseconds: 1_000_000)), sha256: digest)
                for video in [MetadataSamples.video(sha256: digest), old, MetadataSamples.video()] {
                    #expect(try await register(video, in: store))
                }
                #expect(try await store.video(sha256: digest)?.id == old.id)
            },
            Clause("deleting a video deletes its jobs, tasks and messages, and no others") { store async throws in
                let deleted = MetadataSamples.video()
                let kept = MetadataSamples.video()
                for video in [deleted, kept] {
                    #expect(try await register(video, in: store))
                    let job = MetadataSamples.job(of: video.id)
                    let message = MetadataSamples.message(of: video.id, topic: "clairo.tasks", key: "any")
                    #expect(
                        try await store.startJob(
                            job, tasks: [MetadataSamples.task(of: job)], messages: [message], from: [.uploaded]))
                }
                let jobs = try await store.jobs(of: deleted.id)
                #expect(jobs.count == 1)
                #expect(try await store.unsentMessages() == 4)
                #expect(try await store.deleteVideo(deleted.id))
                #expect(try await store.video(deleted.id) == nil)
                #expect(try await store.jobs(of: deleted.id).isEmpty)
                for job in jobs {
                    #expect(try await store.job(job.id) == nil)
                    #expect(try await store.tasks(of: job.id).isEmpty)
                }
                #expect(try await store.unsentMessages() == 2)
                #expect(try await store.video(kept.id) != nil)
                #expect(try await store.jobs(of: kept.id).count == 1)
                #expect(try await store.deleteVideo(deleted.id) == false)
            },
        ]
    }

    /// Names that could cause problems in a path, an SQL statement, a terminal or a 3-byte character set.
    static let hostileNames: [String] = [
        "'; DROP TABLE videos; --", "a b \"c\" `d` \\ %2e%2e/../etc/passwd", "line\nbreak\r\n\ttab\u{1B}[31m",
        "Größe é e\u{301} ﬁ", "日本語 🎬👨‍👩‍👧 \u{202E}gpm.exe", String(repeating: "ü🎬", count: 300), "?", "NULL", " trailing  ",
        "",
    ]

    static func register(_ video: Video, in store: any MetadataStore) async throws -> Bool {
        try await store.register(video, message: MetadataSamples.message(of: video.id), upload: nil)
    }

    /// Runs `count` bodies concurrently.
    static func concurrently<R: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) async throws -> R)
        async throws
        -> [R]
    {
        try await withThrowingTaskGroup { group in
            for index in 0..<count { group.addTask { (index, try await body(index)) } }
            return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}

extension OutboxMessage {
    /// A message about a video, with its own id.
    init(of video: Video) { self = MetadataSamples.message(of: video.id) }
}
