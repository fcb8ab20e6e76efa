internal import ClairoCore
internal import Testing

extension MetadataStoreContract {
    static var uploads: [Clause] {
        [
            Clause("an upload is read back unchanged, by id and by fingerprint") { store async throws in
                var upload = MetadataSamples.upload(fingerprint: "abc")
                upload.multipart = MultipartUpload(key: "videos/x/source", id: "m-1", partSize: 8 << 20)
                upload.tenant = "acme"
                (upload.size, upload.title, upload.sha256) = (12_345_678_901, "T", "ab")
                try await store.createUpload(upload)
                #expect(try await store.upload(upload.id) == upload)
                #expect(try await store.upload(fingerprint: "abc") == upload)
                #expect(try await store.upload(.make()) == nil)
                #expect(try await store.upload(fingerprint: "ab") == nil)
            },
            Clause("the newest upload of a fingerprint is found") { store async throws in
                let first = MetadataSamples.upload()
                let second = MetadataSamples.upload()
                for upload in [second, first] { try await store.createUpload(upload) }
                #expect(try await store.upload(fingerprint: "f")?.id == max(first.id, second.id))
            },
            Clause("an update with the current version applies and increments it") { store async throws in
                var upload = MetadataSamples.upload()
                try await store.createUpload(upload)
                upload.size = 100
                upload.multipart = MultipartUpload(key: "k", id: "m", partSize: 5 << 20)
                (upload.offset, upload.title, upload.originalName, upload.sha256) = (42, "new", "new\n.mp4", "cd")
                upload.expiresAt = upload.expiresAt.advanced(bySeconds: 60)
                let updated = try #require(try await store.updateUpload(upload))
                #expect(updated.version == upload.version + 1)
                var wanted = upload
                (wanted.version, wanted.updatedAt) = (updated.version, updated.updatedAt)
                #expect(updated == wanted)
                #expect(try await store.upload(upload.id) == updated)
            },
            Clause("a discarded upload cannot be registered, and nothing is written") {
                store async throws in
                let upload = MetadataSamples.upload()
                try await store.createUpload(upload)
                var discarded = upload
                discarded.state = .discarded
                let updated = try #require(try await store.updateUpload(discarded))
                #expect(updated.state == .discarded)
                #expect(try await store.upload(upload.id) == updated)
                let video = MetadataSamples.video(id: upload.videoID)
                let error = await failure {
                    _ = try await store.register(video, message: .init(of: video), upload: upload.id)
                }
                #expect(error?.exitCode == .temporary)
                #expect(try await store.video(video.id) == nil)
                #expect(try await store.unsentMessages() == 0)
            },
            Clause("an update with an old version changes nothing") { store async throws in
                var upload = MetadataSamples.upload()
                try await store.createUpload(upload)
                upload.offset = 10
                let current = try await store.updateUpload(upload)
                upload.offset = 20
                #expect(try await store.updateUpload(upload) == nil)
                #expect(try await store.upload(upload.id) == current)
            },
            Clause("of concurrent updates of one version, one applies") { store async throws in
                let upload = MetadataSamples.upload()
                try await store.createUpload(upload)
                let results = try await concurrently(8) { index in
                    var mine = upload
                    mine.offset = Int64(index)
                    return try await store.updateUpload(mine)
                }
                let winners = results.compactMap { $0 }
                #expect(winners.count == 1)
                #expect(try await store.upload(upload.id) == winners.first)
            },
            Clause("a deleted upload is gone and can no longer be updated or deleted") { store async throws in
                let upload = MetadataSamples.upload()
                try await store.createUpload(upload)
                try await store.deleteUpload(upload.id)
                try await store.deleteUpload(upload.id)
                #expect(try await store.upload(upload.id) == nil)
                #expect(try await store.updateUpload(upload) == nil)
            },
            Clause("expired uploads are found, oldest first") { store async throws in
                let expiries: [Double] = [-1000, 36_000, -3000, -2000]
                let uploads = expiries.map { MetadataSamples.upload(expiresIn: $0) }
                for upload in uploads { try await store.createUpload(upload) }
                let expired = try await store.expiredUploads(limit: 10).map(\.id)
                #expect(expired == [uploads[2], uploads[3], uploads[0]].map(\.id))
                #expect(try await store.expiredUploads(limit: 1).map(\.id) == [uploads[2].id])
            },
        ]
    }
}
