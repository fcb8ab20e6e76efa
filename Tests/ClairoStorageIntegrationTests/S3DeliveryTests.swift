import AWSSigning
import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Curl
import Foundation
import Testing

/// How a bucket delivers an output: to players and caches through HTTP, and to this program through the store.
@Suite(.mostlyWaits, .ownThreads) struct S3DeliveryTests {
    private static let kinds = S3Server.Kind.allCases.filter(S3Server.isInstalled)
    private static let playlist = Data((1...400).map { "#EXTINF:6.00000,\n\($0).m4s\n" }.joined().utf8)

    private func store(
        _ kind: S3Server.Kind, _ delivery: ObjectDelivery?
    ) async throws -> (store: S3Store, server: S3Server, bucket: String) {
        let server = try await S3Server.shared(kind)
        let bucket = try await server.makeBucket()
        var options = S3Options.quick
        options.partSize = 5 << 20
        options.delivery = delivery
        return (
            try S3Store(url: "s3://\(bucket)/p", environment: server.environment, options: options), server, bucket
        )
    }

    /// What a player without credentials gets.
    private func fetch(_ key: ObjectKey, from store: S3Store) throws -> HTTPReply {
        let url = try #require(try store.presignedURL(for: .get(key), expiresIn: 3600))
        return try Curl.HTTPClient().send(Curl.HTTPRequest("GET", url), limit: 10 << 20)
    }

    @Test(arguments: kinds) func objectsTellCachesHowLongTheyAreValid(kind: S3Server.Kind) async throws {
        let (store, _, _) = try await store(kind, try ObjectDelivery())
        let media: [ObjectKey] = ["video/720p/00001.m4s", "video/720p/init.mp4", "poster.jpg", "text/en/00001.vtt"]
        let playlists: [ObjectKey] = ["master.m3u8", "manifest.mpd", "clairo.json"]
        let others: [ObjectKey] = ["videos/x/source", "exchange/x/spec.json"]
        for key in media + playlists + others { try store.put(Data("x".utf8), at: key) }
        let large: ObjectKey = "mp4/720p.mp4"
        try store.put(at: large) { write in try write(pattern(6 << 20)) }
        for key in media + [large] {
            let value = try fetch(key, from: store).headers["Cache-Control"]
            #expect(value == "public, max-age=31536000, immutable", "\(key)")
        }
        for key in playlists { #expect(try fetch(key, from: store).headers["Cache-Control"] == "public, max-age=60") }
        for key in others { #expect(try fetch(key, from: store).headers["Cache-Control"] == nil) }
    }

    @Test(arguments: kinds) func settingsChangeTheHeadersForCaches(kind: S3Server.Kind) async throws {
        let delivery = try ObjectDelivery(cacheControl: nil, playlistCacheControl: "no-cache")
        let (store, _, _) = try await store(kind, delivery)
        for key: ObjectKey in ["1.m4s", "master.m3u8"] { try store.put(Data("x".utf8), at: key) }
        #expect(try fetch("1.m4s", from: store).headers["Cache-Control"] == nil)
        #expect(try fetch("master.m3u8", from: store).headers["Cache-Control"] == "no-cache")
        let (plain, _, _) = try await self.store(kind, nil)
        try plain.put(Data("x".utf8), at: "1.m4s")
        #expect(try fetch("1.m4s", from: plain).headers["Cache-Control"] == nil)
    }

    @Test(arguments: kinds) func aPlaylistIsCompressedForPlayersAndTextForReaders(kind: S3Server.Kind) async throws {
        let (store, server, bucket) = try await store(kind, try ObjectDelivery())
        let key: ObjectKey = "video/720p/playlist.m3u8"
        try store.put(Self.playlist, at: key)
        let reply = try fetch(key, from: store)
        #expect(reply.headers["Content-Encoding"] == "gzip")
        #expect(reply.headers["Content-Type"] == "application/vnd.apple.mpegurl")
        #expect(reply.body.count < Self.playlist.count / 2)
        // A reader with any settings sees the text.
        let reader = try S3Store(url: "s3://\(bucket)/p", environment: server.environment, options: .quick)
        for store in [store, reader] {
            #expect(try store.get(key) == Self.playlist)
            let info = try #require(try store.info(of: key))
            #expect(info.size == Int64(Self.playlist.count))
            #expect(info.sha256 == nil || info.sha256 == Checksum.sha256(Self.playlist))
            let source = try store.open(key)
            #expect(source.size == info.size)
            #expect(try Checksum.sha256(source, check: {}) == Checksum.sha256(Self.playlist))
            #expect(try source.part(at: 100, count: 50) == Self.playlist[100..<150])
            #expect(try source.read(at: info.size, into: UnsafeMutableRawBufferPointer(start: nil, count: 0)) == 0)
        }
        // An object that another program has compressed, without the text's size.
        let foreign = AWSRequest(
            method: "PUT", host: "", path: "/\(bucket)/p/foreign.m3u8", headers: [.init("Content-Encoding", "gzip")])
        #expect(try await server.send(foreign, body: reply.body).status == 200)
        #expect(try store.size(of: "foreign.m3u8") == Int64(Self.playlist.count))
        #expect(try store.open("foreign.m3u8").size == Int64(Self.playlist.count))
        // A text that replaces a compressed one is not taken for compressed.
        try reader.put(Data("#EXTM3U\n".utf8), at: key)
        #expect(try store.get(key) == Data("#EXTM3U\n".utf8))
        #expect(try store.size(of: key) == 8)
    }

    @Test(arguments: kinds) func onlyLargeTextsAreCompressed(kind: S3Server.Kind) async throws {
        let (store, _, _) = try await store(kind, try ObjectDelivery())
        let bytes = Data(count: 5000)
        let expected: [(ObjectKey, Data, String?)] = [
            ("master.m3u8", Data(Self.playlist.prefix(999)), nil), ("manifest.mpd", Self.playlist, "gzip"),
            ("text/en.vtt", Self.playlist, "gzip"), ("clairo.json", bytes, nil), ("1.m4s", bytes, nil),
            ("source", bytes, nil),
        ]
        for (key, data, encoding) in expected {
            try store.put(data, at: key)
            #expect(try fetch(key, from: store).headers["Content-Encoding"] == encoding, "\(key)")
            #expect(try store.get(key) == data)
            #expect(try store.size(of: key) == Int64(data.count))
        }
        let (plain, _, _) = try await self.store(kind, try ObjectDelivery(playlistCompression: .none))
        try plain.put(Self.playlist, at: "master.m3u8")
        #expect(try fetch("master.m3u8", from: plain).body == Self.playlist)
    }

    @Test func aValueThatCannotBeAHeaderIsRefused() {
        for value in ["", "public\r\nX: y", "öffentlich"] {
            #expect(failure { _ = try ObjectDelivery(cacheControl: value) }?.exitCode == .configuration)
            #expect(failure { _ = try ObjectDelivery(playlistCacheControl: value) }?.exitCode == .configuration)
        }
    }
}
